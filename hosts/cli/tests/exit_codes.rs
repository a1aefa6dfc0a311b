//! Every exit code that can be provoked on one machine, and the line that comes with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use bytes::Bytes;
use isledb::format::manifest::Current;
use support::{Place, Ran, command, isledb, isledb_with, lines, spawn};

#[test]
fn one_a_key_or_a_database_is_not_there() {
    let place = Place::filled();
    let url = place.url();
    let line = isledb(&["get", &url, "nothing"]).failed(1);
    assert!(line.starts_with("error: no key nothing, "), "{line}");
    let error = &lines(&isledb(&["get", &url, "nothing", "--json"]).failed(1))[0]["error"];
    assert_eq!(error["kind"], "key_not_found");

    let empty = place.path("empty").display().to_string();
    for arguments in [
        vec!["get", &empty, "a"],
        vec!["scan", &empty],
        vec!["scan", &empty, "--count"],
        vec!["stat", &empty],
        vec!["export", &empty],
        vec!["tail", &empty],
        vec!["get", &empty, "a", "--at", "1"],
        vec!["dump", &empty, "CURRENT"],
    ] {
        let line = isledb(&arguments).failed(1);
        assert!(line.starts_with(&format!("error: no database at {empty}; ")), "{arguments:?}: {line}");
    }
    let error = &lines(&isledb(&["stat", &empty, "--json"]).failed(1))[0]["error"];
    assert_eq!(error["kind"], "no_database");
    assert!(error["object"].is_null() && error["offset"].is_null());
}

#[test]
fn two_the_call_is_wrong() {
    let place = Place::filled();
    let url = place.url();
    for arguments in [
        vec!["frobnicate"],
        vec!["get", &url],
        vec!["put", &url, "", "empty key"],
        vec!["get", &url, "zz", "--hex"],
        vec!["put", &url, "a", "1", "--ttl", "5"],
        vec!["scan", "http://example.com/x"],
        vec!["scan", "s3://"],
        vec!["load", &url, "/no/such/file.csv", "--key", "a"],
        vec!["load", &url, "--value", "a"],
        vec!["tail", &url, "--from", "nonsense"],
        vec!["scan", &url, "--hex", "--base64"],
        vec!["dump", &url, "CURRENT", "--entries"],
    ] {
        let ran = isledb(&arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("error: "), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
    let error = &lines(&isledb(&["get", "--json"]).failed(2))[0]["error"];
    assert_eq!(error["kind"], "invalid_argument");
}

/// An S3 endpoint that answers every request in the same way.
fn endpoint(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut head = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                while head.read_line(&mut line).is_ok_and(|n| n > 2) {
                    line.clear();
                }
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.flush();
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 1024]);
            });
        }
    });
    format!("http://{address}")
}

fn on_s3(endpoint: &str, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.args(["--endpoint", endpoint, "--allow-http", "--region", "us-east-1", "--timeout", "2s"]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    Ran::of(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn three_nobody_answers() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let line = on_s3(&format!("http://127.0.0.1:{port}"), &["stat", "s3://bucket/db"]).failed(3);
    assert!(line.contains("check the endpoint and the network"), "{line}");
    let busy = endpoint("HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    on_s3(&busy, &["get", "s3://bucket/db", "a"]).failed(3);
}

#[test]
fn four_another_owner_took_the_role() {
    let place = Place::filled();
    let url = place.url();
    let line = isledb(&["put", &url, "a", "9", "--no-takeover"]).failed(4);
    assert!(line.starts_with("error: the writer role belongs to isledb-cli"), "{line}");
    assert_eq!(isledb(&["get", &url, "a"]).ok(), "1");

    // A batch that holds the role while another process takes it.
    let mut batch = spawn(&["batch", &url, "--json"]);
    let mut stdin = batch.stdin.take().unwrap();
    let mut stdout = BufReader::new(batch.stdout.take().unwrap());
    stdin.write_all(b"{\"op\":\"put\",\"key\":\"x\",\"value\":\"1\"}\n{\"op\":\"flush\"}\n").unwrap();
    stdin.flush().unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"ops\":1"), "{line}");
    isledb(&["put", &url, "y", "1"]).ok();
    stdin.write_all(b"{\"op\":\"put\",\"key\":\"z\",\"value\":\"1\"}\n").unwrap();
    drop(stdin);
    let ran = Ran::of(batch.wait_with_output().unwrap());
    let error = lines(&ran.failed(4)).remove(0);
    assert_eq!(error["error"]["kind"], "fenced");
    assert_eq!(isledb(&["get", &url, "x", "y"]).code, 0);
    assert_eq!(isledb(&["get", &url, "z"]).code, 1);
}

#[test]
fn five_an_object_is_damaged_or_gone() {
    let place = Place::filled();
    let url = place.url();
    let table = place.objects("sstable").remove(0);
    let whole = std::fs::read(&table).unwrap();
    for at in [0, 10, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&table, &damaged).unwrap();
        let ran = isledb(&["scan", &url, "--json"]);
        // A byte of a filter or of padding need not matter to a scan; a wrong entry is the one thing that may not be.
        if ran.code == 0 {
            assert_eq!(ran.stdout, "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"c\",\"value\":\"3\"}\n");
        } else {
            let error = lines(&ran.failed(5)).remove(0);
            assert_eq!(error["error"]["kind"], "corrupt");
            assert!(error["error"]["object"].as_str().unwrap().contains("sstable/"));
        }
    }
    let mut damaged = whole.clone();
    damaged[0] ^= 1;
    std::fs::write(&table, &damaged).unwrap();
    isledb(&["get", &url, "a"]).failed(5);
    std::fs::remove_file(&table).unwrap();
    let line = isledb(&["get", &url, "a"]).failed(5);
    assert!(line.contains("sstable/"), "{line}");
    isledb(&["dump", &url, "no-such.sst"]).failed(5);
}

#[test]
fn six_a_later_layout() {
    let place = Place::filled();
    let url = place.url();
    std::fs::write(
        place.path("db/manifest/CURRENT"),
        br#"{"layout_version":7,"snapshot":"","next_seq":1,"next_epoch":1}"#,
    )
    .unwrap();
    for arguments in [vec!["stat", &url], vec!["get", &url, "a"], vec!["put", &url, "a", "1"]] {
        let line = isledb(&arguments).failed(6);
        assert!(line.contains("layout_version") && line.contains("manifest/CURRENT"), "{line}");
    }
    let other = place.file("picture.png", b"\x89PNG\r\n");
    isledb(&["dump", &other]).failed(6);
}

#[test]
fn seven_no_permission() {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let endpoint = endpoint(Box::leak(answer.into_boxed_str()));
    let line = on_s3(&endpoint, &["get", "s3://bucket/db", "a"]).failed(7);
    assert!(line.contains("check the credentials"), "{line}");
}

#[test]
fn nine_the_feed_no_longer_reaches_back() {
    let place = Place::filled();
    let url = place.url();
    let first = lines(&isledb(&["tail", &url, "--limit", "1", "--json"]).ok()).remove(0);
    let path = place.path("db/manifest/CURRENT");
    let mut current = Current::decode("CURRENT", &Bytes::from(std::fs::read(&path).unwrap())).unwrap();
    current.feed_floor_seq = Some(current.next_seq);
    std::fs::write(&path, current.encode()).unwrap();
    let line = isledb(&["tail", &url, "--from", first["cursor"].as_str().unwrap()]).failed(9);
    assert!(line.contains("the oldest that works is"), "{line}");
    let error = isledb(&["tail", &url, "--from", first["cursor"].as_str().unwrap(), "--json"]).failed(9);
    assert_eq!(lines(&error)[0]["error"]["kind"], "cursor_expired");
}

#[test]
fn a_wrong_row_names_its_line_and_keeps_what_came_before() {
    let place = Place::new();
    let url = place.url();
    let ran =
        isledb_with(&["load", &url, "--key", "id", "--json"], b"{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"x\":1}\n");
    let summary = lines(&ran.stdout).pop().unwrap();
    assert_eq!(summary["rows"], 2);
    assert!(ran.failed(2).contains("standard input:3: no field"));
    assert_eq!(isledb(&["scan", &url, "--count"]).ok(), "2\n");
}
