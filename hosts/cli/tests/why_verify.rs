//! why and verify: what each table says of a key, and whether everything is there.

mod support;

use serde_json::{Value, json};
use support::{Place, isledb, isledb_with};

#[test]
fn why_names_the_table_whose_version_get_returns() {
    let place = Place::filled();
    let url = place.url();
    let text = isledb(&["why", &url, "a"]).ok();
    assert!(text.contains("@1 put of 1 B") && text.contains("wins"), "{text}");
    assert!(
        text.ends_with(
            "3 tables with other key ranges (--all lists them)\nget a returns the @1 put of 1 B\n"
        )
    );
    assert_eq!(isledb(&["why", &url, "a", "--all"]).ok().matches("left out by range").count(), 3);
    assert!(!text.contains('\x1b'));

    let lines = isledb(&["why", &url, "a", "--json"]).json();
    assert_eq!(lines.len(), 4, "one line a table");
    let winner: Vec<&Value> = lines.iter().filter(|line| line["winner"] == true).collect();
    assert_eq!(winner.len(), 1);
    assert_eq!((&winner[0]["answer"], &winner[0]["in_range"]), (&json!("value"), &json!(true)));
    let version = json!({"sequence": 1, "op": "put", "bytes": 1, "blob": null, "expires_at_ms": null, "block_offset": 0});
    assert_eq!(winner[0]["versions"], json!([version]));
    assert_eq!(lines.iter().filter(|line| line["skipped"] == "range").count(), 3);

    let ran = isledb(&["why", &url, "b"]);
    assert!(ran.stdout.contains("left out by sequence"), "{}", ran.stdout);
    assert!(ran.failed(1).starts_with("error: get b finds it deleted by @4, "));
    let ran = isledb(&["why", &url, "b", "--json"]);
    let lines = support::lines(&ran.stdout);
    assert!(lines.iter().any(|line| line["answer"] == "deleted"));
    assert!(ran.failed(1).contains("\"key_not_found\""));
    assert!(isledb(&["why", &url, "zzz"]).failed(1).contains("no table that counts has the key"));
    // As of the slot of its put, the deleted key was there.
    assert!(isledb(&["why", &url, "b", "--at", "4"]).ok().contains("get b returns the @2 put"));
    isledb(&["why", &place.path("nothing").display().to_string(), "a"]).failed(1);
}

#[test]
fn verify_is_silent_on_what_is_sound_and_names_what_is_not() {
    let place = Place::filled();
    let url = place.url();
    isledb_with(&["put", &url, "big", "-"], &[b'x'; 300_000]).ok();
    let text = isledb(&["verify", &url]).ok();
    assert!(text.starts_with("5 tables, 1 blob, 10 log entries, 0 snapshots: 17 objects, "), "{text}");
    assert!(text.ends_with("no problems (content not read, --deep does)\n"), "{text}");
    assert!(isledb(&["verify", &url, "--deep"]).ok().ends_with("no problems (every byte read)\n"));
    let summary = isledb(&["verify", &url, "--deep", "--json"]).json().remove(0);
    let summary = &summary["summary"];
    assert_eq!(
        (&summary["tables"], &summary["problems"], &summary["orphans"]),
        (&json!(5), &json!(0), &json!(0))
    );
    assert!(summary["bytes_read"].as_u64().unwrap() > 300_000);

    // A stray object is an orphan, and no problem.
    let stray = place.path("db/sstable/stray.sst");
    std::fs::write(&stray, b"12345").unwrap();
    assert!(
        isledb(&["verify", &url])
            .ok()
            .contains("1 orphan, 5 B, that nothing refers to; --orphans lists them")
    );
    assert!(
        isledb(&["verify", &url, "--orphans"])
            .ok()
            .contains("orphan\tdb/sstable/stray.sst\tnothing names this table (5 B")
    );
    let line = isledb(&["verify", &url, "--json"]).json().remove(0);
    assert_eq!(
        (&line["kind"], &line["problem"], &line["bytes"]),
        (&json!("orphan"), &Value::Null, &json!(5))
    );
    std::fs::remove_file(&stray).unwrap();

    // A flipped byte of a blob: only reading it tells.
    let blob = place.objects("blobs").remove(0);
    let right = std::fs::read(&blob).unwrap();
    let mut wrong = right.clone();
    wrong[7] ^= 1;
    std::fs::write(&blob, wrong).unwrap();
    isledb(&["verify", &url]).ok();
    let ran = isledb(&["verify", &url, "--deep", "--json"]);
    let line = support::lines(&ran.stdout).remove(0);
    assert!(line["object"].as_str().unwrap().starts_with("db/blobs/"), "{line}");
    assert!(line["problem"].as_str().unwrap().contains("SHA-256"), "{line}");
    assert!(ran.failed(1).contains("problems_found"));
    std::fs::write(&blob, right).unwrap();

    // A table that is gone, by name.
    std::fs::remove_file(place.objects("sstable").remove(0)).unwrap();
    let ran = isledb(&["verify", &url]);
    assert!(ran.stdout.starts_with("missing\tdb/sstable/"), "{}", ran.stdout);
    assert!(ran.failed(1).starts_with("error: 1 problem found, "));

    // Without the manifest nothing can be said of the rest.
    std::fs::write(place.path("db/manifest/CURRENT"), b"{").unwrap();
    let ran = isledb(&["verify", &url]);
    assert!(ran.stdout.starts_with("corrupt\tdb/manifest/CURRENT at byte 1\t"), "{}", ran.stdout);
    ran.failed(5);
    isledb(&["verify", &place.path("nothing").display().to_string()]).failed(1);
    assert!(isledb(&["verify", &url, "--concurrency", "0"]).failed(2).contains("concurrency 0: 1 to 64"));
}
