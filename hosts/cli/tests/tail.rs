//! tail: the change feed on the command line.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Value, json};
use support::{Place, isledb, isledb_with, spawn};

fn tail(url: &str, arguments: &[&str]) -> Vec<Value> {
    isledb(&[&["tail", url, "--json"], arguments].concat()).json()
}

/// Everything but the cursor, which is opaque.
fn plain(changes: &[Value]) -> Vec<(u64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    changes.iter().map(|c| (c["sequence"].as_u64().unwrap(), text(&c["op"]), text(&c["key"]))).collect()
}

#[test]
fn changes_come_in_commit_order_with_their_deletes() {
    let place = Place::filled();
    let changes = tail(&place.url(), &["--from", "begin"]);
    let mut last = changes[3].clone();
    assert!(last["cursor"].is_string());
    last["cursor"] = Value::Null;
    assert_eq!(
        last,
        json!({"cursor": null, "sequence": 4, "op": "del", "key": "b", "value": null, "expires_at_ms": null})
    );
    let expected = [(1, "put", "a"), (2, "put", "b"), (3, "put", "c"), (4, "del", "b")]
        .map(|(s, op, k)| (s, op.into(), k.into()));
    assert_eq!(plain(&changes), expected);
    assert_eq!(
        isledb(&["tail", &place.url()]).ok(),
        "@1\tput\ta\t1\n@2\tput\tb\t2\n@3\tput\tc\t3\n@4\tdel\tb\n"
    );
    assert_eq!(tail(&place.url(), &["--from", "now"]), [Value::Null; 0]);
    assert_eq!(plain(&tail(&place.url(), &["--prefix", "b"])), [expected[1].clone(), expected[3].clone()]);
}

#[test]
fn every_cursor_goes_on_without_gap_or_repeat() {
    let place = Place::new();
    let url = place.url();
    let rows: String = (0..50)
        .map(|i| {
            format!(
                "{{\"op\":\"put\",\"key\":\"k{:02}\",\"value\":\"{i}\"}}\n{}",
                i % 20,
                if i % 7 == 6 { "{\"op\":\"flush\"}\n" } else { "" }
            )
        })
        .collect();
    isledb_with(&["batch", &url], rows.as_bytes()).ok();
    let all = tail(&url, &["--from", "begin"]);
    assert_eq!(all.len(), 50);
    for at in [0, 5, 6, 7, 20, 48, 49] {
        let cursor = all[at]["cursor"].as_str().unwrap();
        assert_eq!(tail(&url, &["--from", cursor]), all[at + 1..], "from {at}");
    }
}

#[test]
fn a_cursor_file_is_gone_on_from() {
    let place = Place::filled();
    let url = place.url();
    let file = place.path("cursor").display().to_string();
    let first = tail(&url, &["--from", "begin", "--cursor-file", &file, "--limit", "2"]);
    let second = tail(&url, &["--cursor-file", &file]);
    isledb(&["put", &url, "d", "4"]).ok();
    let third = tail(&url, &["--cursor-file", &file]);
    let all = tail(&url, &["--from", "begin"]);
    assert_eq!([first, second, third].concat(), all);
    assert!(isledb(&["dump", &file]).ok().starts_with("cursor "));
    place.file("cursor", "nonsense");
    assert!(isledb(&["tail", &url, "--cursor-file", &file]).failed(2).contains("holds no cursor"));
}

#[test]
fn a_bootstrap_begins_with_the_state_and_goes_on_with_the_feed() {
    let place = Place::filled();
    let url = place.url();
    let file = place.path("cursor").display().to_string();
    let state = tail(&url, &["--bootstrap", "--cursor-file", &file]);
    assert_eq!(plain(&state).iter().map(|c| c.2.clone()).collect::<Vec<_>>(), ["a", "c"]);
    isledb(&["put", &url, "b", "5"]).ok();
    let rest = tail(&url, &["--bootstrap", "--cursor-file", &file]);
    assert_eq!(plain(&rest), [(5, "put".to_owned(), "b".to_owned())]);
}

/// The keys `a/0` to `c/9`, each letter in a commit of its own, and then `b/3` once more.
fn three_letters() -> Place {
    let place = Place::new();
    for letter in ["a", "b", "c"] {
        let rows: String = (0..10)
            .map(|i| format!("{{\"op\":\"put\",\"key\":\"{letter}/{i}\",\"value\":\"{i}\"}}\n"))
            .collect();
        isledb_with(&["batch", &place.url()], rows.as_bytes()).ok();
    }
    isledb(&["del", &place.url(), "b/3"]).ok();
    place
}

fn keys(changes: &[Value]) -> Vec<String> {
    plain(changes).into_iter().map(|change| change.2).collect()
}

#[test]
fn only_the_keys_that_are_asked_for_come_and_only_they_are_fetched() {
    let place = three_letters();
    let url = place.url();
    let all = tail(&url, &["--from", "begin"]);
    let within = |from: &str, to: &str| -> Vec<String> {
        keys(&all).into_iter().filter(|key| from <= &key[..] && &key[..] < to).collect()
    };
    for (arguments, expected) in [
        (&["--prefix", "b/"][..], within("b/", "b0")),
        (&["--start", "b/3", "--end", "c/2"], within("b/3", "c/2")),
        (&["--start", "c"], within("c", "d")),
        (&["--end", "a/4", "--prefix", "a"], within("a", "a/4")),
        (&["--prefix", "b/", "--limit", "3"], within("b/", "b/3")),
    ] {
        let arguments = [&["--from", "begin"], arguments].concat();
        assert_eq!(keys(&tail(&url, &arguments)), expected, "{arguments:?}");
    }
    assert_eq!(keys(&tail(&url, &["--bootstrap", "--prefix", "b/"])).len(), 9);
    let gets = |arguments: &[&str]| -> u64 {
        let ran = isledb(&[&["tail", &url, "--from", "begin", "--json", "--cost"], arguments].concat());
        let cost: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
        cost["cost"]["requests"]["get"].as_u64().unwrap()
    };
    // Four tables are read, or the one that has such keys.
    assert_eq!(gets(&[]) - gets(&["--prefix", "c/"]), 3);
    let nothing = isledb(&["tail", &url, "--start", "b", "--end", "a"]).failed(2);
    assert!(nothing.contains("start_key"), "{nothing}");
}

#[test]
fn a_filtered_tail_goes_on_from_its_cursor_file_behind_what_it_left_out() {
    let place = three_letters();
    let url = place.url();
    let file = place.path("cursor").display().to_string();
    let arguments = ["--from", "begin", "--prefix", "b/", "--cursor-file", &file];
    assert_eq!(tail(&url, &arguments).len(), 11);
    let cursor = std::fs::read_to_string(&file).unwrap();
    isledb(&["put", &url, "a/0", "again"]).ok();
    let again = ["--prefix", "b/", "--cursor-file", &file];
    assert_eq!(tail(&url, &again), [Value::Null; 0]);
    assert_ne!(std::fs::read_to_string(&file).unwrap(), cursor, "it moved on without a line");
    isledb(&["put", &url, "b/0", "again"]).ok();
    assert_eq!(keys(&tail(&url, &again)), ["b/0"]);
    // Half a bootstrap goes on in another process.
    let file = place.path("half").display().to_string();
    let half = ["--bootstrap", "--prefix", "b/", "--cursor-file", &file];
    let first = tail(&url, &[&half[..], &["--limit", "4"]].concat());
    let rest = tail(&url, &half);
    assert_eq!(
        keys(&[first, rest].concat()),
        ["b/0", "b/1", "b/2", "b/4", "b/5", "b/6", "b/7", "b/8", "b/9"]
    );
}

#[test]
fn an_expired_cursor_ends_with_code_9_and_the_oldest_that_works() {
    let place = Place::filled();
    let url = place.url();
    let all = tail(&url, &["--from", "begin"]);
    let cursor = all[0]["cursor"].as_str().unwrap();
    // As if the second flush were the oldest that is kept.
    let current = place.path("db/manifest/CURRENT");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&current).unwrap()).unwrap();
    let fields = document.as_object_mut().unwrap();
    fields.remove("crc32c");
    fields.remove("inline_log");
    let slot = |change: &Value| {
        change["cursor"].as_str().unwrap().split('.').nth(1).unwrap().parse::<u64>().unwrap()
    };
    // A cursor behind the last change of a slot stands at the next one.
    let second = slot(&all[1]);
    fields.insert("feed_floor_seq".to_owned(), second.into());
    std::fs::write(&current, document.to_string()).unwrap();
    let told = isledb(&["tail", &url, "--from", cursor]).failed(9);
    let oldest = told
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .filter(|word| word.starts_with("c1."))
        .nth(1);
    let rest = tail(&url, &["--from", oldest.unwrap()]);
    assert_eq!(plain(&rest), plain(&all[2..]), "{told}");
    let told = isledb(&["tail", &url, "--from", cursor, "--json"]).failed(9);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["error"]["kind"], "cursor_expired");
    assert!(told["error"]["message"].as_str().unwrap().contains(oldest.unwrap()));
    let file = place.file("cursor", cursor);
    isledb(&["tail", &url, "--cursor-file", &file]).failed(9);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), cursor, "the place is kept for who repairs it");
}

#[cfg(unix)]
#[test]
fn follow_shows_what_others_commit_and_ends_by_ctrl_c() {
    let place = Place::filled();
    let url = place.url();
    let mut follow = spawn(&["tail", &url, "--from", "begin", "--follow"]);
    let mut stdout = BufReader::new(follow.stdout.take().unwrap());
    let mut line = String::new();
    for expected in ["@1\tput\ta\t1\n", "@2\tput\tb\t2\n", "@3\tput\tc\t3\n", "@4\tdel\tb\n"] {
        line.clear();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, expected);
    }
    isledb(&["put", &url, "live", "yes"]).ok();
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "@5\tput\tlive\tyes\n");
    std::process::Command::new("kill").args(["-INT", &follow.id().to_string()]).status().unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(follow.wait().unwrap().code(), Some(0));
}

/// The original does not say how far back its feed reaches, and its GC has swept tables away here.
#[test]
fn a_swept_bucket_of_the_original_begins_at_the_oldest_change_that_is_kept() {
    let place = Place::new();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/buckets/gc-swept/bucket/db");
    copy(Path::new(fixture), &place.path("db"));
    let url = place.url();
    assert_eq!(tail(&url, &["--from", "begin"]), [Value::Null; 0], "no table of a flush is left");
    isledb(&["put", &url, "new", "1"]).ok();
    let changes = plain(&tail(&url, &["--from", "begin"]));
    assert_eq!((changes.len(), changes[0].2.as_str()), (1, "new"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
