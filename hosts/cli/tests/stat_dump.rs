//! stat and dump: looking into a database.

mod support;

use serde_json::{Value, json};
use support::{Place, isledb, isledb_with};

#[test]
fn stat_has_exactly_the_fields_that_were_promised() {
    let place = Place::filled();
    let stat = isledb(&["stat", &place.url(), "--json"]).json().remove(0);
    let mut names: Vec<&str> = stat.as_object().unwrap().keys().map(String::as_str).collect();
    let mut promised = [
        "next_seq",
        "log_seq_start",
        "snapshot",
        "current_bytes",
        "l0_tables",
        "runs",
        "tables",
        "bytes",
        "entries",
        "deletes",
        "writer",
        "maintenance",
        "max_committed_lsn",
        "low_watermark_lsn",
        "next_sequence",
        "feed_floor_seq",
        "max_view_age_ms",
        "pending_deletes",
        "extensions",
    ];
    names.sort_unstable();
    promised.sort_unstable();
    assert_eq!(names, promised);
    // Four calls, each a claim and a flush.
    assert_eq!((&stat["next_seq"], &stat["next_sequence"]), (&json!(9), &json!(5)));
    assert_eq!((&stat["tables"], &stat["l0_tables"], &stat["runs"]), (&json!(4), &json!(4), &json!([])));
    assert_eq!((&stat["entries"], &stat["deletes"]), (&json!(4), &json!(1)));
    assert_eq!(stat["writer"]["epoch"], 4);
    assert_eq!(
        (&stat["maintenance"], &stat["snapshot"], &stat["max_committed_lsn"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&stat["feed_floor_seq"], &stat["max_view_age_ms"]), (&json!(1), &json!(3_600_000)));
    assert_eq!(stat["pending_deletes"], 0);
    assert!(stat["extensions"].as_array().unwrap().contains(&json!("inline_log")));
    let text = isledb(&["stat", &place.url()]).ok();
    assert!(text.contains("\ntables       4 (4 in L0, 0 in 0 runs), "), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn every_kind_of_object_is_readable() {
    let place = Place::new();
    let url = place.url();
    let flushes: String = (0..40)
        .map(|i| format!("{{\"op\":\"put\",\"key\":\"k{i}\",\"value\":\"v\"}}\n{{\"op\":\"flush\"}}\n"))
        .collect();
    isledb_with(&["batch", &url], flushes.as_bytes()).ok();
    isledb_with(&["put", &url, "big", "-"], &[b'x'; 300_000]).ok();
    let dump = |object: &str| isledb(&["dump", &url, object, "--json"]).json();

    let current = &dump("CURRENT")[0];
    assert_eq!((&current["kind"], &current["checksum_verified"]), (&json!("current"), &json!(true)));
    assert!(current["document"]["next_seq"].as_u64().unwrap() > 40);
    let entry = &dump("2")[0];
    assert_eq!(entry["object"].as_str().unwrap().rsplit('/').next(), Some("00000000000000000002.json"));
    assert_eq!(entry["document"]["op"], "add_sstable");
    let kinds = [
        ("manifest/CURRENT", "current"),
        ("manifest/log", "log entry"),
        ("manifest/snapshots", "snapshot"),
        ("sstable", "table"),
        ("blobs", "blob"),
    ];
    for (part, kind) in kinds {
        let objects = place.objects(part);
        let mut objects = if objects.is_empty() { vec![place.path("db").join(part)] } else { objects };
        let path = objects.remove(0);
        let file = path.display().to_string();
        let text = isledb(&["dump", &file]).ok();
        assert!(text.contains(kind), "{part}: {text}");
        // By its name below the prefix, from the database.
        let name = path.strip_prefix(place.path("db")).unwrap().display().to_string();
        let same = isledb(&["dump", &url, &name]).ok();
        assert_eq!(
            same.lines().skip(1).collect::<Vec<_>>(),
            text.lines().skip(1).collect::<Vec<_>>(),
            "{part}"
        );
        // And by what is in it, where the name says nothing.
        if kind != "blob" {
            let copy = place.file("copy", std::fs::read(&path).unwrap());
            assert!(isledb(&["dump", &copy]).ok().contains(kind), "{part}");
        }
    }
    let blob = place.objects("blobs").remove(0);
    let mut damaged = std::fs::read(&blob).unwrap();
    damaged[7] ^= 1;
    std::fs::write(&blob, damaged).unwrap();
    isledb(&["dump", &blob.display().to_string()]).failed(5);
}

#[test]
fn a_table_shows_its_entries_blocks_and_properties() {
    let place = Place::new();
    let url = place.url();
    let input = "{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"}\n{\"op\":\"put\",\"key\":\"a\",\"value\":\"2\"}\n{\"op\":\"del\",\"key\":\"b\"}\n";
    isledb_with(&["batch", &url], input.as_bytes()).ok();
    let table = place.objects("sstable").remove(0).display().to_string();
    let entries = isledb(&["dump", &table, "--entries", "--json"]).json();
    assert_eq!(
        entries,
        [
            json!({"key": "a", "sequence": 2, "op": "put", "value": "2", "expires_at_ms": null}),
            json!({"key": "a", "sequence": 1, "op": "put", "value": "1", "expires_at_ms": null}),
            json!({"key": "b", "sequence": 3, "op": "del", "expires_at_ms": null}),
        ]
    );
    assert_eq!(isledb(&["dump", &table, "--entries"]).ok(), "a\t@2\t2\na\t@1\t1\nb\t@3\t(deleted)\n");
    let blocks = isledb(&["dump", &table, "--blocks", "--json"]).json();
    assert_eq!((blocks.len(), &blocks[0]["entries"], &blocks[0]["first_key"]), (1, &json!(3), &json!("a")));
    let properties = isledb(&["dump", &table, "--properties", "--json"]).json();
    assert!(properties.iter().any(|p| p["name"] == "rocksdb.num.entries"));
    let summary = &isledb(&["dump", &table, "--json"]).json()[0];
    assert_eq!((&summary["entries"], &summary["deletes"]), (&json!(3), &json!(1)));
}
