//! compact, retain, gc, maintain: what they do, what they only say, and how they end.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Place, Ran, command, isledb, isledb_with, spawn};

/// Nine commits over each other, with deletes: one more than level 0 may have.
fn nine_tables() -> Place {
    let place = Place::new();
    let mut operations = String::new();
    for commit in 0..9 {
        for key in 0..20 {
            let key = format!("key/{:02}", (key * 7 + commit) % 40);
            operations.push_str(&match (commit + key.len()) % 4 {
                0 => format!("{{\"op\":\"del\",\"key\":\"{key}\"}}\n"),
                _ => format!("{{\"op\":\"put\",\"key\":\"{key}\",\"value\":\"{commit}\"}}\n"),
            });
        }
        operations.push_str("{\"op\":\"flush\"}\n");
    }
    isledb_with(&["batch", &place.url(), "-"], operations.as_bytes()).ok();
    place
}

/// Every object with its bytes.
fn everything(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    place.objects("").into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

fn stat(place: &Place) -> Value {
    isledb(&["stat", &place.url(), "--json"]).json().remove(0)
}

#[test]
fn compact_keeps_the_content_and_makes_one_run() {
    let place = nine_tables();
    let url = place.url();
    let before = isledb(&["export", &url]).ok();
    assert!(before.lines().count() > 10);

    let would = isledb(&["compact", &url, "--dry-run", "--json"]).json().remove(0);
    assert_eq!(
        (&would["job"], &would["inputs"], &would["kind"], &would["dry_run"]),
        (&json!("merge"), &json!(9), &json!("level0"), &json!(true))
    );
    assert!(would["why"].as_str().unwrap().contains('9'), "{would}");

    let did = isledb(&["compact", &url, "--json"]).json();
    assert_eq!(did.len(), 1, "{did:?}");
    let did = &did[0];
    assert_eq!(
        (&did["job"], &did["inputs"], &did["outputs"], &did["kind"]),
        (&json!("merge"), &json!(9), &json!(1), &json!("level0"))
    );
    assert_eq!(did["bytes"], would["bytes"]);
    assert!(did["entries_written"].as_u64() < did["entries_read"].as_u64(), "{did}");
    assert_eq!(isledb(&["export", &url]).ok(), before);
    let stat = stat(&place);
    assert_eq!((&stat["l0_tables"], &stat["tables"]), (&json!(0), &json!(1)));
    assert!(isledb(&["verify", &url, "--deep"]).ok().contains("no problems"));

    let again = isledb(&["compact", &url]).ok();
    assert_eq!(again, "nothing waits to be merged: 0 tables in level 0, 1 run\n");
    let full = isledb(&["compact", &url, "--full"]);
    assert!(full.stderr.contains("taking the maintenance role from isledb-cli~"), "{}", full.stderr);
    full.ok();
    // What was merged is marked, and waits for the views and the feed that may still need it.
    let swept = isledb(&["gc", &url, "--json"]).json().remove(0);
    assert_eq!(
        (&swept["job"], &swept["tables"], &swept["waiting"], &swept["marked"]),
        (&json!("gc"), &json!(0), &json!(9), &json!(9))
    );
    let text = isledb(&["gc", &url, "--dry-run"]).ok();
    assert!(text.starts_with("would delete 0 tables, 0 blobs, 0 log entries, 0 snapshots\n"), "{text}");
    assert_eq!(text.matches("waits (").count(), 9, "{text}");
    assert_eq!(isledb(&["export", &url]).ok(), before);
}

#[test]
fn a_dry_run_changes_no_object() {
    let place = nine_tables();
    let url = place.url();
    isledb(&["compact", &url]).ok();
    let before = everything(&place);
    for call in [
        &["compact"][..],
        &["retain", "--mode", "fifo", "--period", "1s", "--count", "1"],
        &["retain", "--mode", "window", "--period", "1s", "--segment", "1s"],
        &["gc", "--orphans"],
        &["maintain", "--retain", "fifo"],
    ] {
        let arguments: Vec<&str> = call.iter().copied().chain([url.as_str(), "--dry-run"]).collect();
        isledb(&arguments).ok();
        assert!(everything(&place) == before, "{call:?} changed an object");
    }
}

#[test]
fn retain_says_what_goes_and_refuses_to_leave_nothing() {
    let place = Place::new();
    let url = place.url();
    for day in ["1", "2", "3"] {
        isledb(&["put", &url, &format!("day/{day}"), day]).ok();
    }
    std::thread::sleep(Duration::from_millis(1_100));
    let retain = |more: &[&str]| -> Ran {
        isledb(&[&["retain", &url, "--mode", "fifo", "--period", "1s"], more].concat())
    };
    let before = everything(&place);
    // With --yes a count of 0 is what it says, without it is refused by name.
    assert!(retain(&["--count", "0"]).failed(2).contains("retention count"));
    assert!(everything(&place) == before, "refused before anything was claimed");

    let would = retain(&["--count", "2", "--dry-run", "--json"]).json().remove(0);
    assert_eq!((&would["inputs"], &would["remove"].as_array().unwrap().len()), (&json!(1), &1));
    assert!(would["remove"][0]["why"].as_str().unwrap().len() > 10, "{would}");
    let did = retain(&["--count", "2", "--json"]).json().remove(0);
    assert_eq!((&did["job"], &did["inputs"], &did["held"]), (&json!("retain"), &json!(1), &json!(0)));
    isledb(&["get", &url, "day/1"]).failed(1);
    assert_eq!(isledb(&["get", &url, "day/2", "day/3", "--json"]).json().len(), 2);
    assert_eq!(retain(&["--count", "2"]).ok(), "nothing is old enough to go\n");

    retain(&["--count", "0", "--yes"]).ok();
    assert_eq!(isledb(&["export", &url]).ok(), "");
    assert!(isledb(&["verify", &url]).ok().contains("no problems"));
    assert_eq!(isledb(&["retain", &url]).code, 2, "the mode is not guessed");
}

#[test]
fn what_is_no_database_or_out_of_bounds_is_refused() {
    let place = Place::new();
    let nothing = place.url();
    for name in ["compact", "gc", "maintain"] {
        let failed = isledb(&[name, &nothing]).failed(1);
        assert!(failed.contains("no database") && failed.contains(&nothing), "{name}: {failed}");
    }
    assert!(place.objects("").is_empty());
    isledb(&["put", &nothing, "a", "1"]).ok();
    assert!(isledb(&["compact", &nothing, "--l0-tables", "0"]).failed(2).contains("l0_tables"));
    assert!(isledb(&["compact", &nothing, "--throttle", "1"]).failed(2).contains("bytes_per_second"));
    assert!(isledb(&["gc", &nothing, "--grace", "1s"]).failed(2).contains("gc grace"));
    isledb(&["compact", &nothing]).ok();
    assert!(
        isledb(&["compact", &nothing, "--no-takeover"]).failed(4).contains("maintenance role belongs to")
    );
}

#[test]
fn a_table_that_is_gone_fails_the_merge_by_name_and_nothing_is_removed() {
    let place = nine_tables();
    let url = place.url();
    let tables = place.objects("sstable");
    std::fs::remove_file(&tables[3]).unwrap();
    let name = tables[3].file_name().unwrap().to_string_lossy().into_owned();
    let failed = isledb(&["compact", &url]).failed(5);
    assert!(failed.contains(&name), "{failed}");
    assert_eq!(place.objects("sstable").len(), 8, "no output is left behind");
    assert_eq!(stat(&place)["l0_tables"], json!(9));
}

/// A service that has done its first pass.
fn serving(url: &str) -> Child {
    let mut child = spawn(&["maintain", url, "--every", "50ms", "--json"]);
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert!(first.contains("\"job\":\"merge\""), "{first}");
    std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    child
}

/// The end of a process, which must come soon.
fn end(mut child: Child) -> Ran {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn the_service_ends_with_4_when_another_owner_takes_the_role() {
    let place = nine_tables();
    let service = serving(&place.url());
    isledb(&["maintain", &place.url(), "--once"]).ok();
    let failed = end(service).failed(4);
    assert!(failed.contains("\"fenced\"") && failed.contains("maintenance"), "{failed}");
}

#[cfg(unix)]
#[test]
fn the_service_ends_well_when_it_is_asked_to() {
    for signal in ["-TERM", "-INT"] {
        let place = nine_tables();
        let service = serving(&place.url());
        let sent = Command::new("kill").args([signal, &service.id().to_string()]).status().unwrap();
        assert!(sent.success());
        end(service).ok();
        assert!(isledb(&["verify", &place.url()]).ok().contains("no problems"));
    }
}

#[cfg(unix)]
#[test]
fn a_merge_that_is_interrupted_leaves_the_database_as_it_was() {
    let place = nine_tables();
    let url = place.url();
    // The slowest pace there is: the merge would take minutes.
    let rows: String = (0..4_000)
        .map(|row| format!("{{\"op\":\"put\",\"key\":\"big/{row}\",\"value\":\"{:0>1000}\"}}\n", row * 7919))
        .collect();
    isledb_with(&["batch", &url, "-"], rows.as_bytes()).ok();
    let before = isledb(&["export", &url]).ok();
    let child = command(&["compact", &url, "--throttle", "64KiB", "--progress", "always"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until it holds the role.
    while stat(&place)["maintenance"].is_null() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(end(child).failed(130).contains("interrupted"));
    assert_eq!(stat(&place)["runs"], json!([]));
    assert_eq!(isledb(&["export", &url]).ok(), before);
    assert!(isledb(&["verify", &url]).ok().contains("no problems"));
}
