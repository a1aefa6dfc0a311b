//! HTTP as it is written on the wire: a client that sends what no library would.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{Ran, command};

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends one request to `host:port`, with the path as it is.
pub(crate) fn call(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A server that refuses a body early may close before it is sent.
    let _ = stream.write_all(body);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(all.len());
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = all.get(end + 4..).unwrap_or_default().to_vec();
    Answer { status, head, body }
}

/// `http://host:port/path` as `host:port` and `/path`.
pub(crate) fn parts(url: &str) -> (String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap_or((&url[7..], ""));
    (host.to_owned(), format!("/{path}"))
}

/// A GET of a URL.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    let (host, path) = parts(url);
    call(&host, "GET", &path, headers, b"")
}

/// A command that serves, until it is stopped.
pub(crate) struct Serving {
    child: Option<Child>,
    /// The line that it began with.
    pub(crate) said: Value,
}

impl Serving {
    /// Starts it with `--json`, and waits until it says where it listens.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Serving {
        let mut command = command(arguments);
        command.arg("--json").envs(variables.iter().copied());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let ran = Ran::of(child.wait_with_output().unwrap());
            panic!("{arguments:?} did not start: {}", ran.stderr);
        }
        Serving { child: Some(child), said: serde_json::from_str(&line).unwrap() }
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> String {
        self.said["listening"].as_str().unwrap().to_owned()
    }

    /// Sends SIGTERM, and returns what the process came to.
    pub(crate) fn stop(mut self) -> Ran {
        let child = self.child.take().unwrap();
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
        Ran::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
