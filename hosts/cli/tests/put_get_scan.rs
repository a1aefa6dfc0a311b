//! put, del, get, scan and batch: what they write, and the exact lines that they print.

mod support;

use serde_json::json;
use support::{Place, isledb, isledb_with, lines};

#[test]
fn put_and_del_say_what_is_committed() {
    let place = Place::new();
    let url = place.url();
    assert_eq!(isledb(&["put", &url, "a", "1", "--json"]).ok(), "{\"sequence\":1,\"committed\":true}\n");
    assert_eq!(isledb(&["del", &url, "a", "x", "--json"]).ok(), "{\"sequence\":3,\"committed\":true}\n");
    assert_eq!(isledb(&["put", &url, "a", "2"]).ok(), "committed sequence 4\n");
}

#[test]
fn get_prints_one_value_as_it_is_and_many_as_lines() {
    let place = Place::filled();
    let url = place.url();
    assert_eq!(isledb(&["get", &url, "a"]).ok(), "1");
    let many = isledb(&["get", &url, "c", "b", "a"]);
    assert_eq!(many.stdout, "c\t3\nb\t(not found)\na\t1\n");
    assert!(many.failed(1).starts_with("error: no key b, "));
    assert!(isledb(&["get", &url, "b", "a", "x"]).failed(1).starts_with("error: 2 of 3 keys are not there"));
    let ran = isledb(&["get", &url, "a", "b", "--json"]);
    assert_eq!(
        ran.stdout,
        "{\"key\":\"a\",\"found\":true,\"value\":\"1\",\"sequence\":1,\"expires_at_ms\":null}\n\
         {\"key\":\"b\",\"found\":false,\"value\":null,\"sequence\":null,\"expires_at_ms\":null}\n"
    );
    assert_eq!(ran.code, 1);
}

#[test]
fn bytes_that_are_not_text_survive() {
    let place = Place::new();
    let url = place.url();
    let file = place.file("value", b"\x00\xff\n");
    isledb(&["put", &url, "--hex", "00ff", &format!("@{file}")]).ok();
    assert_eq!(isledb(&["get", &url, "--hex", "00ff"]).ok(), "00ff0a\n");
    assert_eq!(isledb(&["get", &url, "--base64", "AP8="]).ok(), "AP8K\n");
    assert_eq!(isledb(&["scan", &url]).ok(), "\\u{0}\\xff\t\\u{0}\\xff\\n\n");
    let entry = isledb(&["scan", &url, "--json"]).json().remove(0);
    assert_eq!(entry, json!({"key_b64": "AP8=", "value_b64": "AP8K"}));
    isledb_with(&["put", &url, "from-stdin", "-"], b"line\n").ok();
    assert_eq!(isledb(&["get", &url, "from-stdin"]).ok(), "line\n");
    isledb(&["put", &url, "at", "@@home"]).ok();
    assert_eq!(isledb(&["get", &url, "at"]).ok(), "@home");
}

#[test]
fn a_ttl_is_kept_and_kept_to() {
    let place = Place::new();
    let url = place.url();
    isledb(&["put", &url, "short", "x", "--ttl", "1ms"]).ok();
    isledb(&["put", &url, "long", "x", "--ttl", "7d"]).ok();
    isledb(&["get", &url, "short"]).failed(1);
    let entry = isledb(&["get", &url, "long", "--json"]).json().remove(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let left = entry["expires_at_ms"].as_u64().unwrap() - now;
    assert!((6 * 86_400_000..=7 * 86_400_000).contains(&left), "{left}");
}

#[test]
fn a_large_value_goes_out_of_line_and_comes_back() {
    let place = Place::new();
    let url = place.url();
    let value: Vec<u8> = (0..600_000u32).map(|i| b'a' + (i % 7) as u8).collect();
    isledb_with(&["put", &url, "big", "-"], &value).ok();
    assert_eq!(place.objects("blobs").len(), 1);
    assert_eq!(isledb(&["get", &url, "big"]).ok().as_bytes(), value);
}

#[test]
fn scan_keeps_to_its_range() {
    let place = Place::new();
    let url = place.url();
    let rows: String =
        (0..100).map(|i| format!("{{\"op\":\"put\",\"key\":\"k/{i:03}\",\"value\":\"{i}\"}}\n")).collect();
    isledb_with(&["batch", &url], rows.as_bytes()).ok();
    isledb(&["put", &url, "other", "x"]).ok();
    let keys = |arguments: &[&str]| -> Vec<String> {
        let all = [&["scan", &url, "--keys-only"], arguments].concat();
        isledb(&all).ok().lines().map(str::to_owned).collect()
    };
    assert_eq!(keys(&["--prefix", "k/", "--limit", "2"]), ["k/000", "k/001"]);
    assert_eq!(keys(&["--start", "k/097", "--end", "k/099"]), ["k/097", "k/098"]);
    assert_eq!(keys(&["--start", "k/098"]), ["k/098", "k/099", "other"]);
    assert_eq!(keys(&["--reverse", "--limit", "3"]), ["other", "k/099", "k/098"]);
    assert_eq!(keys(&["--reverse", "--end", "k/002"]), ["k/001", "k/000"]);
    assert_eq!(keys(&["--prefix", "nothing"]), [""; 0]);
    assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "101\n");
    assert_eq!(isledb(&["scan", &url, "--count", "--prefix", "k/", "--json"]).ok(), "{\"count\":100}\n");
    assert_eq!(
        isledb(&["scan", &url, "--limit", "1", "--json"]).ok(),
        "{\"key\":\"k/000\",\"value\":\"0\"}\n"
    );
    assert_eq!(isledb(&["scan", &url, "--limit", "1"]).ok(), "k/000\t0\n");
}

#[test]
fn reverse_is_the_mirror_of_forward_over_many_pieces() {
    let place = Place::new();
    let url = place.url();
    let rows: String = (0..10_000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
    isledb_with(&["load", &url, "-", "--key", "id"], rows.as_bytes()).ok();
    let forward = isledb(&["scan", &url]).ok();
    let mut mirrored: Vec<&str> = forward.lines().collect();
    mirrored.reverse();
    assert_eq!(isledb(&["scan", &url, "--reverse"]).ok().lines().collect::<Vec<_>>(), mirrored);
    let some = isledb(&["scan", &url, "--reverse", "--limit", "5000"]).ok();
    assert_eq!(some.lines().collect::<Vec<_>>(), mirrored[..5000]);
}

#[test]
fn a_batch_is_one_commit_a_flush() {
    let place = Place::new();
    let url = place.url();
    let input = "{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"}\n\
                 {\"op\":\"put\",\"key\":\"b\",\"value\":\"2\",\"ttl_ms\":3600000}\n\
                 {\"op\":\"flush\"}\n\
                 {\"op\":\"del\",\"key\":\"a\"}\n";
    let file = place.file("changes.ndjson", input);
    assert_eq!(
        isledb(&["batch", &url, &file, "--json"]).ok(),
        "{\"sequence\":2,\"ops\":2}\n{\"sequence\":3,\"ops\":1}\n"
    );
    assert_eq!(place.objects("sstable").len(), 2);
    assert_eq!(isledb(&["scan", &url]).ok(), "b\t2\n");
    let ran =
        isledb_with(&["batch", &url], b"{\"op\":\"put\",\"key\":\"c\",\"value\":\"1\"}\n{\"op\":\"set\"}\n");
    assert!(ran.failed(2).contains("standard input:2: \"op\" is \"set\""));
    assert_eq!(isledb(&["get", &url, "c"]).code, 1, "nothing behind the last flush is written");
}

#[test]
fn a_dry_run_writes_nothing() {
    let place = Place::new();
    let url = place.url();
    let said = isledb(&["put", &url, "a", "1", "--dry-run"]).ok();
    assert_eq!(said, "dry run: would write 1 bytes under a\n");
    assert_eq!(place.objects("").len(), 0);
    isledb(&["put", &url, "a", "1"]).ok();
    let before = place.objects("").len();
    assert_eq!(
        isledb(&["del", &url, "a", "--dry-run", "--json"]).ok(),
        "{\"sequence\":null,\"committed\":false}\n"
    );
    assert_eq!(place.objects("").len(), before);
    assert_eq!(isledb(&["get", &url, "a"]).ok(), "1");
}

#[test]
fn the_owner_before_is_named_first() {
    let place = Place::filled();
    let url = place.url();
    let ran = isledb(&["put", &url, "a", "9"]);
    assert!(ran.stderr.starts_with("taking the writer role from isledb-cli"), "{}", ran.stderr);
    let ran = isledb(&["put", &url, "a", "9", "--json"]);
    let said = &lines(&ran.stderr)[0]["held_by"];
    assert_eq!((&said["role"], &said["epoch"]), (&json!("writer"), &json!(5)));
    assert!(said["claimed_at_ms"].as_u64().unwrap() > 1_700_000_000_000);
}

#[test]
fn history_is_read_at_a_slot() {
    let place = Place::filled();
    let url = place.url();
    // Slots: a claim and a flush for each call.
    assert_eq!(isledb(&["get", &url, "b", "--at", "4"]).ok(), "2");
    isledb(&["get", &url, "b", "--at", "3"]).failed(1);
    isledb(&["get", &url, "b", "--at", "8"]).failed(1);
    assert_eq!(isledb(&["get", &url, "b", "--at", "7"]).ok(), "2");
    assert!(isledb(&["get", &url, "b", "--at", "9"]).failed(2).contains("slots 1 to 8"));
    assert!(isledb(&["get", &url, "b", "--at", "0"]).failed(2).contains("slot 0"));
}

#[test]
fn history_is_read_across_snapshots() {
    let place = Place::new();
    let url = place.url();
    let input: String = (1..=80)
        .map(|i| format!("{{\"op\":\"put\",\"key\":\"n\",\"value\":\"{i}\"}}\n{{\"op\":\"flush\"}}\n"))
        .collect();
    isledb_with(&["batch", &url], input.as_bytes()).ok();
    assert!(!place.objects("manifest/snapshots").is_empty());
    for slot in [2, 10, 33, 34, 50, 81] {
        assert_eq!(isledb(&["get", &url, "n", "--at", &slot.to_string()]).ok(), (slot - 1).to_string());
    }
}

#[test]
fn costs_are_what_the_engine_asks_for() {
    let place = Place::filled();
    let url = place.url();
    let ran = isledb(&["get", &url, "a", "--json", "--cost"]);
    let cost = &lines(&ran.stderr)[0]["cost"];
    // CURRENT, then the one small table that can have the key.
    assert_eq!(cost["requests"], json!({"get": 2, "head": 0, "put": 0, "list": 0, "delete": 0}));
    assert_eq!(cost["round_trips"], 2);
    assert_eq!(cost["bytes_written"], 0);
    assert_eq!(cost["usd"], 0.0);
    assert!(cost["bytes_read"].as_u64().unwrap() > 500);
    let ran = isledb(&["get", &url, "a", "--cost"]);
    assert!(ran.stderr.starts_with("cost: 2 requests (2 get), "), "{}", ran.stderr);
    let ran = isledb(&["put", &url, "a", "1", "--cost", "--json"]);
    let cost = lines(&ran.stderr).pop().unwrap()["cost"].clone();
    // The table, the slots of claim and flush, and CURRENT behind each of them.
    assert_eq!(cost["requests"]["put"], 5);
}
