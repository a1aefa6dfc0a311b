//! `isledb serve` on a folder: what it gives out works, what it must not give out is refused with a line in the log, and it ends
//! when it is told to. Every request is written by hand, since no library would send the hostile ones.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::http::{Answer, Serving, call, get, parts};
use support::{Place, isledb, spawn};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn serve(url: &str, more: &[&str]) -> Serving {
    let arguments: Vec<&str> =
        ["serve", url, "--listen", "127.0.0.1:0"].iter().chain(more).copied().collect();
    Serving::start(&arguments, &[("ISLEDB_SERVE_TOKEN", TOKEN)])
}

fn post(serving: &Serving, path: &str, body: &Value) -> Answer {
    let token = format!("Bearer {TOKEN}");
    call(&serving.host(), "POST", path, &[("authorization", &token)], body.to_string().as_bytes())
}

fn sign(serving: &Serving, method: &str, path: &str) -> Answer {
    post(serving, "/v1/sign", &json!({"requests": [{"method": method, "path": path, "query": ""}]}))
}

fn link(serving: &Serving, method: &str, path: &str) -> String {
    let answer = sign(serving, method, path);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()["urls"][0]["url"].as_str().unwrap().to_owned()
}

#[test]
fn signed_links_read_the_objects_of_a_folder() {
    let place = Place::filled();
    let serving = serve(&place.url(), &["--allow-origin", "https://app.example"]);
    let on_disk = std::fs::read(place.path("db/manifest/CURRENT")).unwrap();
    let url = link(&serving, "GET", "db/manifest/CURRENT");
    let whole = get(&url, &[("origin", "https://app.example")]);
    assert_eq!((whole.status, &whole.body), (200, &on_disk));
    assert_eq!(whole.header("cache-control"), Some("no-store"));
    assert_eq!(whole.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(whole.header("access-control-expose-headers").unwrap().contains("etag"));
    assert!(whole.header("last-modified").unwrap().ends_with(" GMT"));
    let etag = whole.header("etag").unwrap();
    assert_eq!(get(&url, &[("if-none-match", etag)]).status, 304);
    assert_eq!(get(&url, &[("if-none-match", "\"another\"")]).status, 200);
    assert_eq!(get(&url, &[("origin", "https://evil.example")]).header("access-control-allow-origin"), None);

    let part = get(&url, &[("range", "bytes=2-5")]);
    assert_eq!((part.status, &part.body[..]), (206, &on_disk[2..6]));
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 2-5/{}", on_disk.len()));
    let rest = get(&url, &[("range", "bytes=10-")]);
    assert_eq!((rest.status, &rest.body[..]), (206, &on_disk[10..]));
    let beyond = get(&url, &[("range", "bytes=10-999999")]);
    assert_eq!((beyond.status, &beyond.body[..]), (206, &on_disk[10..]));
    assert_eq!(get(&url, &[("range", "bytes=999999-")]).status, 416);
    assert_eq!(get(&url, &[("range", "bytes=-5")]).status, 200);
    let table = place.objects("sstable").remove(0);
    let name = format!("db/sstable/{}", table.file_name().unwrap().to_str().unwrap());
    let table_url = link(&serving, "GET", &name);
    assert_eq!(get(&table_url, &[]).body, std::fs::read(&table).unwrap());
    assert!(get(&table_url, &[]).header("cache-control").unwrap().contains("immutable"));
    assert_eq!(get(&link(&serving, "GET", "db/manifest/log/00000000000000009999.json"), &[]).status, 404);

    // A link is good for what it says.
    let (host, path) = parts(&url);
    for spoiled in [
        path.replace("CURRENT", "CURREN"),
        path.replace("manifest/CURRENT", "sstable/x.sst"),
        path.replace("method=GET", "method=PUT"),
        path.replace("/o/0/", "/o/1/"),
        path.replace("/o/0/", "/o/0/x/../"),
        path.replace("expires=", "expires=9"),
        path.replace("signature=", "signature=00"),
    ] {
        assert_eq!(call(&host, "GET", &spoiled, &[], b"").status, 403, "{spoiled}");
    }
    for method in ["PUT", "DELETE", "POST", "PATCH"] {
        assert_eq!(call(&host, method, &path, &[], b"x").status, 405, "{method}");
    }
    let unsigned = path.split('?').next().unwrap();
    assert_eq!(call(&host, "GET", unsigned, &[], b"").status, 400);
    assert_eq!(std::fs::read(place.path("db/manifest/CURRENT")).unwrap(), on_disk);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn a_ticket_of_the_signer_is_read_by_the_command() {
    let place = Place::filled();
    let serving = serve(&place.url(), &[]);
    let answer = post(&serving, "/v1/ticket", &json!({"prefix": "db", "ttl_ms": 60_000}));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let ticket = answer.json();
    assert_eq!(ticket["follow"]["signer"], serving.said["public_url"]);
    let newest = get(ticket["follow"]["current"].as_str().unwrap(), &[]);
    assert_eq!(newest.status, 200);
    // Nothing is newer than what the ticket carries, and the signer can tell.
    let known = ticket["current"]["version"].as_str().unwrap();
    assert_eq!(get(ticket["follow"]["current"].as_str().unwrap(), &[("if-none-match", known)]).status, 304);
    let file = place.file("view.json", &answer.body);
    let address = format!("ticket:{file}");
    assert_eq!(isledb(&["get", &address, "a"]).ok(), "1");
    assert_eq!(isledb(&["scan", &address, "--count"]).ok(), "2\n");
    assert!(isledb(&["put", &address, "a", "2"]).failed(6).contains("view ticket"));
    // The version stays what it was, and the signer has the new one.
    isledb(&["put", &place.url(), "d", "4"]).ok();
    isledb(&["get", &address, "d"]).failed(1);
    // Who has a token goes on to it, beyond what the ticket names.
    let token = place.file("token.txt", format!("# ours\n{TOKEN}\n").as_bytes());
    assert_eq!(isledb(&["get", &address, "d", "--signer-token", &token]).ok(), "4");
    assert_eq!(isledb(&["scan", &address, "--count", "--signer-token", &token]).ok(), "3\n");
    let wrong = place.file("wrong.txt", b"0123456789abcdef");
    let refused = isledb(&["get", &address, "d", "--signer-token", &wrong]).failed(7);
    assert!(refused.contains("check the token"), "{refused}");
    assert!(!refused.contains("0123456789abcdef"), "{refused}");
    let renewed = post(&serving, "/v1/ticket", &json!({"prefix": "db"}));
    let file = place.file("renewed.json", &renewed.body);
    assert_eq!(isledb(&["get", &format!("ticket:{file}"), "d"]).ok(), "4");

    let shown = isledb(&["dump", &file, "--json"]).json().remove(0);
    assert_eq!(
        (&shown["kind"], &shown["expired"], &shown["prefix"]),
        (&json!("ticket"), &json!(false), &json!("db"))
    );
    assert!(!isledb(&["dump", &file]).ok().contains("signature="), "URLs are secrets");
    for (wrong, status) in [
        (json!({"prefix": "db", "ttl_ms": 0}), 400),
        (json!({"prefix": "db", "ttl_ms": 3_600_001}), 400),
        (json!({"prefix": "db", "range": {"start_b64": "Yg==", "end_b64": "YQ=="}}), 400),
        (json!({"prefix": "d"}), 403),
        (json!({"prefix": "db/"}), 403),
        (json!({"prefix": ""}), 403),
    ] {
        assert_eq!(post(&serving, "/v1/ticket", &wrong).status, status, "{wrong}");
    }
    let part = json!({"prefix": "db", "range": {"start_b64": "Yw==", "end_b64": "ZA=="}});
    let part = post(&serving, "/v1/ticket", &part).json();
    assert_eq!(part["range"], json!({"start_b64": "Yw==", "end_b64": "ZA=="}));
    assert_eq!(part["objects"].as_object().unwrap().len(), 1, "the table of `c` alone");
    let short = post(&serving, "/v1/ticket", &json!({"prefix": "db", "ttl_ms": 1}));
    let file = place.file("short.json", &short.body);
    let expired = isledb(&["get", &format!("ticket:{file}"), "a"]).failed(9);
    assert!(expired.contains("ask whoever signed it"), "{expired}");
}

#[test]
fn a_tail_of_a_ticket_outlives_it_by_the_signer() {
    const LIFE: Duration = Duration::from_secs(3);
    let place = Place::filled();
    let serving = serve(&place.url(), &[]);
    let life_ms = u64::try_from(LIFE.as_millis()).unwrap();
    let ticket = post(&serving, "/v1/ticket", &json!({"prefix": "db", "ttl_ms": life_ms}));
    let address = format!("ticket:{}", place.file("view.json", &ticket.body));
    let token = place.file("token.txt", TOKEN.as_bytes());
    let begun = Instant::now();
    let arguments = ["tail", &address, "--from", "begin", "--follow", "--json", "--signer-token", &token];
    let mut following = spawn(&arguments);
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["key"].clone();
    assert_eq!([next(), next(), next(), next()], ["a", "b", "c", "b"]);
    std::thread::sleep((LIFE + Duration::from_millis(100)).saturating_sub(begun.elapsed()));
    isledb(&["put", &place.url(), "d", "4"]).ok();
    assert_eq!(next(), "d");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn a_hostile_client_gets_nothing_but_refusals_and_a_line_each() {
    let place = Place::filled();
    std::fs::create_dir_all(place.path("db2/manifest")).unwrap();
    place.file("db2/manifest/CURRENT", "another database");
    place.file("secret", "beside the database");
    let serving = serve(&place.url(), &["--rate", "1000/s"]);
    let paths = [
        "",
        "/",
        "db",
        "db/",
        "db/manifest",
        "/db/manifest/CURRENT",
        "db2/manifest/CURRENT",
        "d/manifest/CURRENT",
        "db/../db2/manifest/CURRENT",
        "db/../secret",
        "../secret",
        "db//manifest/CURRENT",
        "db/./manifest/CURRENT",
        "db/manifest/CURRENT/",
        "db/manifest/CURRENT\0",
        "db/manifest/CURRENT\n",
        "db/manifest%2FCURRENT",
        "db/%2e%2e/db2/manifest/CURRENT",
        "db%2f..%2fsecret",
        "db\\manifest\\CURRENT",
        "db/sstable/..\\..\\secret",
        "db/sstable/../../secret",
        "db/sstable/x/../../../secret",
        "db/sstable/..",
        "db/sstable/.hidden",
        "db/manifest/CURRENT?versionId=1",
        "db/manifest/CURRENT#",
        "DB/manifest/CURRENT",
        "db/manifest/current",
        "db/manifest/CURRENT.attrs",
        "db/.isledb-lock",
        "db/manifest/gc/checkpoint.json",
        "db/manifest/probe/x",
        "http://127.0.0.1/db/manifest/CURRENT",
        "file:///etc/passwd",
        "db/manifest/log/1.json",
        "db/blobs/00/00.blob",
    ];
    for path in paths {
        let answer = sign(&serving, "GET", path);
        assert_eq!(answer.status, 403, "{path:?}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.json()["error"]["kind"], "forbidden", "{path:?}");
    }
    let methods = ["PUT", "DELETE", "HEAD", "POST", "get", "GET ", "LIST", ""];
    for method in methods {
        assert_eq!(sign(&serving, method, "db/manifest/CURRENT").status, 403, "{method:?}");
    }
    let queries = ["list-type=2", "uploads", "versionId=1", "?", "delete"];
    for query in queries {
        let asked = json!({"requests": [{"method": "GET", "path": "db/manifest/CURRENT", "query": query}]});
        assert_eq!(post(&serving, "/v1/sign", &asked).status, 403, "{query}");
    }
    // One bad request spoils the call.
    let good = json!({"method": "GET", "path": "db/manifest/CURRENT"});
    let bad = json!({"method": "GET", "path": "db2/manifest/CURRENT"});
    assert_eq!(post(&serving, "/v1/sign", &json!({"requests": [good, bad]})).status, 403);
    let forbidden = paths.len() + methods.len() + queries.len() + 1;

    let call_with = |headers: &[(&str, &str)], body: &[u8]| {
        call(&serving.host(), "POST", "/v1/sign", headers, body).status
    };
    let good = br#"{"requests":[{"method":"GET","path":"db/manifest/CURRENT"}]}"#;
    let token = format!("Bearer {TOKEN}");
    assert_eq!(call_with(&[("authorization", &token)], good), 200);
    for wrong in [
        "",
        "Bearer",
        "Bearer x",
        "Basic abc",
        TOKEN,
        &format!("Bearer {TOKEN}0"),
        &format!("Bearer {}", &TOKEN[1..]),
    ] {
        assert_eq!(call_with(&[("authorization", wrong)], good), 401, "{wrong}");
    }
    assert_eq!(call_with(&[], good), 401);
    for wrong in [
        &b""[..],
        b"{",
        b"[]",
        b"{\"requests\":[]}",
        b"{\"requests\":7}",
        b"\xff",
        b"{\"requests\":[{\"method\":\"GET\"}]}",
    ] {
        assert_eq!(call_with(&[("authorization", &token)], wrong), 400, "{wrong:?}");
    }
    let many: Vec<Value> =
        (0..1001).map(|_| json!({"method": "GET", "path": "db/manifest/CURRENT"})).collect();
    assert_eq!(post(&serving, "/v1/sign", &json!({"requests": many})).status, 400);
    assert_eq!(call_with(&[("authorization", &token)], &vec![b' '; (1 << 20) + 1]), 413);
    assert_eq!(call(&serving.host(), "GET", "/v1/sign", &[("authorization", &token)], b"").status, 405);
    for path in ["/", "/v1", "/v1/sign/", "/o/0/", "/manifest/CURRENT", "/db/manifest/CURRENT", "/../secret"]
    {
        assert_eq!(
            call(&serving.host(), "GET", path, &[("authorization", &token)], b"").status,
            404,
            "{path}"
        );
    }

    let ran = serving.stop();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines =
        |kind: &str| ran.stderr.lines().filter(|line| line.contains(&format!("kind=\"{kind}\""))).count();
    assert_eq!(lines("forbidden"), forbidden, "{}", ran.stderr);
    assert_eq!(lines("unauthorized"), 8, "{}", ran.stderr);
    assert!(!ran.stderr.contains(TOKEN) && !ran.stderr.contains('\0'), "{}", ran.stderr);
}

#[test]
fn a_flood_is_stopped() {
    let place = Place::filled();
    let serving = serve(&place.url(), &["--rate", "3/s"]);
    let answers: Vec<Answer> = (0..12).map(|_| sign(&serving, "GET", "db/manifest/CURRENT")).collect();
    assert!(answers.iter().take(3).all(|answer| answer.status == 200));
    let stopped = answers.iter().find(|answer| answer.status == 429).expect("a flood of twelve calls");
    assert_eq!(stopped.json()["error"]["kind"], "rate_limited");
    assert_eq!(stopped.header("retry-after"), Some("1"));
    // Who has no token cannot use up the allowance of those who have one.
    let strangers = (0..12).map(|_| call(&serving.host(), "POST", "/v1/sign", &[], b"{}").status);
    assert!(strangers.collect::<Vec<_>>().contains(&429));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(sign(&serving, "GET", "db/manifest/CURRENT").status, 200);
    assert!(serving.stop().stderr.contains("kind=\"rate_limited\""));
}

#[test]
fn writing_is_given_out_only_on_request_and_never_for_marks() {
    let place = Place::filled();
    let serving = serve(&place.url(), &["--write"]);
    let log = "db/manifest/log/00000000000000000099.json";
    let url = link(&serving, "PUT", log);
    let (host, path) = parts(&url);
    let put = |headers: &[(&str, &str)], body: &[u8]| call(&host, "PUT", &path, headers, body);
    let first = put(&[("if-none-match", "*")], b"one");
    assert_eq!(first.status, 200, "{}", String::from_utf8_lossy(&first.body));
    let etag = first.header("etag").unwrap().to_owned();
    assert_eq!(put(&[("if-none-match", "*")], b"two").status, 412);
    assert_eq!(put(&[("if-match", "\"another\"")], b"two").status, 412);
    assert_eq!(put(&[("if-match", &etag)], b"two").status, 200);
    assert_eq!(put(&[("if-match", "*")], b"three").status, 400);
    let (host, large) = parts(&link(&serving, "PUT", "db/sstable/large.sst"));
    assert_eq!(call(&host, "PUT", &large, &[], &vec![7; 3 << 20]).status, 200, "more than a call may have");
    assert_eq!(std::fs::read(place.path(log)).unwrap(), b"two");
    assert_eq!(call(&host, "GET", &path, &[], b"").status, 403, "it is a link to write with");
    // A writer reads what maintenance is about to delete, and cannot change it.
    assert_eq!(sign(&serving, "GET", "db/manifest/gc/blobs.json").status, 200);
    for mark in ["gc/blobs.json", "gc/checkpoint.json", "gc/pending-sst/pending.json", "gc/clock"] {
        assert_eq!(sign(&serving, "PUT", &format!("db/manifest/{mark}")).status, 403, "{mark}");
    }
    assert_eq!(sign(&serving, "DELETE", log).status, 403);
    assert_eq!(sign(&serving, "PUT", "db/../secret").status, 403);
}

#[test]
fn what_cannot_be_served_is_said_at_once() {
    let place = Place::filled();
    let url = place.url();
    let tokens = place.file("tokens", "# none\n");
    let short = place.file("short", "abc\n");
    for arguments in [
        vec!["serve", &url, "--token", "/no/such/file"],
        vec!["serve", &url, "--token", &tokens],
        vec!["serve", &url, "--token", &short],
        vec!["serve", &url, "--allow-origin", "app.example"],
        vec!["serve", &url, "--listen", "0.0.0.0:0"],
        vec!["serve", &url, &url],
        vec!["serve", &url, "--rate", "0/s"],
        vec!["serve"],
    ] {
        assert_eq!(isledb(&arguments).code, 2, "{arguments:?}");
    }
    // Without any token one is made.
    let serving = Serving::start(&["serve", &url, "--listen", "127.0.0.1:0"], &[]);
    assert_eq!(serving.said["token"].as_str().unwrap().len(), 64);
}
