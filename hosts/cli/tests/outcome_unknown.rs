//! A store that falls silent at the worst moment: the flush may be committed or not, and the command says so.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use support::{Ran, command, lines};

/// As much of S3 as one `put` needs, in memory. The second change of CURRENT (the first is the claim's) is the last request
/// that it takes: that one is never answered, and neither is anything after it.
#[derive(Default)]
struct Store {
    objects: HashMap<String, (Vec<u8>, u64)>,
    versions: u64,
    changes_of_current: u64,
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |n| n.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

impl Store {
    /// Status, ETag and body; `None`: silence.
    fn answer(&mut self, request: Request) -> Option<(&'static str, Option<u64>, Vec<u8>)> {
        if self.changes_of_current == 2 {
            return None;
        }
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let held = self.objects.get(&path).cloned();
        match request.method.as_str() {
            "GET" if request.path.contains("list-type") => Some((
                "200 OK",
                None,
                b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".into(),
            )),
            "GET" => Some(match held {
                Some((body, version)) => ("200 OK", Some(version), body),
                None => ("404 Not Found", None, b"<Error><Code>NoSuchKey</Code></Error>".into()),
            }),
            "PUT" => {
                let if_absent = request.headers.contains_key("if-none-match");
                let if_match = request.headers.get("if-match").map(|tag| tag.trim_matches('"').to_owned());
                let version = held.as_ref().map(|(_, version)| version.to_string());
                if (if_absent && held.is_some()) || (if_match.is_some() && if_match != version) {
                    return Some(("412 Precondition Failed", None, Vec::new()));
                }
                self.changes_of_current += u64::from(path.ends_with("/CURRENT"));
                self.versions += 1;
                self.objects.insert(path, (request.body, self.versions));
                (self.changes_of_current < 2).then_some(("200 OK", Some(self.versions), Vec::new()))
            }
            _ => Some(("204 No Content", None, Vec::new())),
        }
    }
}

fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = Arc::new(Mutex::new(Store::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let store = store.clone();
            std::thread::spawn(move || {
                let Some(request) = read(&stream) else { return };
                let answer = store.lock().unwrap().answer(request);
                let Some((status, tag, body)) = answer else { return };
                let tag = tag.map(|tag| format!("etag: \"{tag}\"\r\n")).unwrap_or_default();
                let head = format!(
                    "HTTP/1.1 {status}\r\n{tag}last-modified: Mon, 23 Nov 2026 10:00:00 GMT\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = (&stream).write_all(&[head.as_bytes(), &body].concat());
            });
        }
    });
    endpoint
}

#[test]
fn eight_the_outcome_of_a_flush_is_unknown() {
    let endpoint = serve();
    let mut command = command(&["put", "s3://bucket/db", "a", "1", "--no-probe", "--json"]);
    command.args(["--endpoint", &endpoint, "--allow-http", "--region", "us-east-1", "--timeout", "2s"]);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let ran = Ran::of(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.stdout, "", "nothing is called committed");
    let error = lines(&ran.failed(8)).remove(0)["error"].clone();
    assert_eq!(error["kind"], "outcome_unknown");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("sequences 1 to 1") && message.contains("flush "), "{message}");
}
