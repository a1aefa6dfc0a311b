//! load and export: what goes in comes out.

mod support;

use std::io::{BufRead, BufReader, Write};

use serde_json::json;
use support::{Place, Ran, isledb, isledb_with, lines, spawn};

#[test]
fn ndjson_comes_back_as_it_was() {
    let place = Place::new();
    let url = place.url();
    let rows: Vec<String> = (0..3000)
        .map(|i| format!("{{\"id\":{i},  \"name\":\"row {i}\",\"deep\":{{\"x\":[1,2.50,null]}}}}"))
        .collect();
    let file = place.file("rows.ndjson", rows.join("\n"));
    isledb(&["load", &url, &file, "--key-template", "row/{id:06}"]).ok();
    let back = isledb(&["export", &url]).json();
    assert_eq!(back.len(), rows.len());
    for (i, (entry, row)) in back.iter().zip(&rows).enumerate() {
        assert_eq!(entry["key"], format!("row/{i:06}"));
        assert_eq!(entry["value"].as_str().unwrap(), row);
    }
}

#[test]
fn csv_comes_back_as_it_was() {
    let place = Place::new();
    let url = place.url();
    let csv = "key,value,expires_at_ms\na,\"x, \"\"y\"\"\nz\",\nb,,\nc,ü,99999999999999\n";
    let file = place.file("rows.csv", csv);
    isledb(&["load", &url, &file]).ok();
    let back = isledb(&["export", &url, "--format", "csv"]).ok();
    let ttl = back.lines().last().unwrap().rsplit(',').next().unwrap().parse::<i64>().unwrap();
    // A time to live is counted from the load: to the millisecond it may be off.
    assert!((ttl - 99_999_999_999_999).abs() < 1000, "{ttl}");
    assert_eq!(back.rsplit_once(',').unwrap().0, csv.rsplit_once(',').unwrap().0);
}

#[test]
fn an_export_of_any_bytes_loads_into_another_database() {
    let place = Place::new();
    let (url, other) = (place.url(), place.path("other").display().to_string());
    isledb(&["put", &url, "--hex", "00ff", "fffe"]).ok();
    isledb(&["put", &url, "text", "plain"]).ok();
    isledb(&["put", &url, "ttl", "x", "--ttl", "1h"]).ok();
    let ndjson = isledb(&["export", &url]).ok();
    isledb_with(&["load", &other, "-"], ndjson.as_bytes()).ok();
    assert_eq!(isledb(&["scan", &other]).ok(), isledb(&["scan", &url]).ok());
    assert!(isledb(&["get", &other, "ttl", "--json"]).json()[0]["expires_at_ms"].is_u64());
    for (flag, third) in [("--hex", "third"), ("--base64", "fourth")] {
        let third = place.path(third).display().to_string();
        let file = place.path("out.csv").display().to_string();
        isledb(&["export", &url, "--format", "csv", flag, "--out", &file]).ok();
        isledb(&["load", &third, &file]).ok();
        assert_eq!(isledb(&["scan", &third]).ok(), isledb(&["scan", &url]).ok());
    }
    let line = isledb(&["export", &url, "--format", "csv"]).failed(2);
    assert!(line.contains("use --base64, --hex or --format ndjson"), "{line}");
}

#[test]
fn a_column_may_be_the_value_and_files_follow_one_another() {
    let place = Place::new();
    let url = place.url();
    let first = place.file("1.csv", "id,v\na,1\n");
    let second = place.path("2.csv.zst");
    std::fs::write(&second, zstd::encode_all(&b"v,id\n2,b\n"[..], 1).unwrap()).unwrap();
    isledb(&["load", &url, &first, second.to_str().unwrap(), "--key", "id", "--value", "v"]).ok();
    assert_eq!(isledb(&["scan", &url]).ok(), "a\t1\nb\t2\n");
    let line = isledb(&["load", &url, &first, "--key", "nope"]).failed(2);
    assert!(line.contains("no column \"nope\"; its columns are id, v"), "{line}");
}

#[test]
fn a_batch_size_is_kept_and_every_commit_is_told() {
    let place = Place::new();
    let url = place.url();
    let rows: String = (0..25).map(|i| format!("{{\"id\":\"{i:02}\"}}\n")).collect();
    let told =
        isledb_with(&["load", &url, "-", "--key", "id", "--batch", "10", "--json"], rows.as_bytes()).json();
    assert_eq!(
        told[..3],
        [
            json!({"rows": 10, "sequence": 10, "committed": true}),
            json!({"rows": 20, "sequence": 20, "committed": true}),
            json!({"rows": 25, "sequence": 25, "committed": true}),
        ]
    );
    let summary = &told[3];
    assert_eq!((&summary["rows"], &summary["flushes"]), (&json!(25), &json!(3)));
    assert!(summary["seconds"].is_f64() && summary["bytes"].as_u64().unwrap() > 25 * 10);
    assert!(summary["requests"]["put"].as_u64().unwrap() >= 9);
    assert_eq!(place.objects("sstable").len(), 3);
}

#[test]
fn every_codec_is_read_back() {
    let place = Place::new();
    let rows: String =
        (0..2000).map(|i| format!("{{\"id\":\"{i:05}\",\"text\":\"again and again\"}}\n")).collect();
    let mut sizes = Vec::new();
    for codec in ["none", "snappy", "zstd"] {
        let url = place.path(codec).display().to_string();
        isledb_with(&["load", &url, "-", "--key", "id", "--codec", codec], rows.as_bytes()).ok();
        assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "2000\n");
        sizes.push(isledb(&["stat", &url, "--json"]).json()[0]["bytes"].as_u64().unwrap());
    }
    assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
}

#[test]
fn a_dry_run_checks_the_rows() {
    let place = Place::new();
    let url = place.url();
    let said =
        isledb_with(&["load", &url, "-", "--key", "id", "--dry-run"], b"{\"id\":1}\n{\"id\":2}\n").ok();
    assert_eq!(said, "dry run: would load 2 rows, 18 B\n");
    isledb_with(&["load", &url, "-", "--key", "id", "--dry-run"], b"{\"ix\":1}\n").failed(2);
    assert!(place.objects("").is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupt_commits_what_was_taken() {
    let place = Place::new();
    let url = place.url();
    let mut load = spawn(&["load", &url, "-", "--key", "id", "--json"]);
    let mut stdin = load.stdin.take().unwrap();
    let mut stdout = BufReader::new(load.stdout.take().unwrap());
    let rows: String = (0..1000).map(|i| format!("{{\"id\":\"{i:05}\"}}\n")).collect();
    stdin.write_all(rows.as_bytes()).unwrap();
    stdin.flush().unwrap();
    // The first commit by time shows that the rows were taken; the input stays open.
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(lines(&line)[0]["committed"], true, "{line}");
    let killed = std::process::Command::new("kill").args(["-INT", &load.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).unwrap();
    let ran = Ran::of(load.wait_with_output().unwrap());
    let error = lines(&ran.failed(130)).remove(0);
    assert_eq!(error["error"]["kind"], "interrupted");
    let summary = lines(&rest).pop().unwrap();
    assert_eq!(summary["rows"], 1000);
    assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "1000\n");
}
