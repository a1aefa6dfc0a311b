//! A loading process is killed, at any moment, again and again. Every row that it reported as committed is there, every
//! commit is whole, and the change feed, read afterwards or followed all along, has no gap and no repeat.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use isledb_test_servers::{Kind, NoServer, Server, in_ci};
use serde_json::Value;
use support::Place;

const KILLS: u64 = 20;
/// Rows of one commit.
const BATCH: u64 = 20;

/// Where the database is, and what a process needs to reach it.
struct Database {
    url: String,
    variables: Vec<(String, String)>,
    flags: &'static [&'static str],
}

impl Database {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::command(&[arguments, self.flags].concat());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        support::Ran::of(self.command(arguments).output().unwrap()).json()
    }

    /// Loads rows of its own without end, and kills the process after `delay`. The number of rows that it had reported.
    fn load_and_kill(&self, run: u64, delay: Duration) -> u64 {
        let started = Instant::now();
        let mut child = self
            .command(&["load", &self.url, "--batch", &BATCH.to_string(), "--json"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let feeder = std::thread::spawn(move || {
            // Until the process is gone.
            for row in 0.. {
                let line = format!("{{\"key\":\"{}\",\"value\":\"{}\"}}\n", key(run, row), value(run, row));
                if input.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let reports = std::thread::spawn(move || {
            // A line that was cut by the kill is no report.
            let lines = output.lines().map_while(Result::ok);
            lines
                .filter_map(|line| serde_json::from_str::<Value>(&line).ok()?["rows"].as_u64())
                .max()
                .unwrap_or(0)
        });
        std::thread::sleep(delay.saturating_sub(started.elapsed()));
        child.kill().unwrap();
        child.wait().unwrap();
        feeder.join().unwrap();
        reports.join().unwrap()
    }

    /// Rows of each run, by scan: contiguous from 0, whole commits, each with its value.
    fn rows(&self) -> BTreeMap<u64, u64> {
        let mut rows = BTreeMap::new();
        for entry in self.json(&["scan", &self.url, "--json"]) {
            let (run, row) = parse(&entry["key"]);
            assert_eq!(entry["value"], value(run, row));
            let next = rows.entry(run).or_insert(0);
            assert_eq!(row, *next, "run {run}: a row is missing before {row}");
            *next += 1;
        }
        for (run, rows) in &rows {
            assert_eq!(rows % BATCH, 0, "run {run}: a commit is there in part");
        }
        rows
    }
}

fn key(run: u64, row: u64) -> String {
    format!("run{run:03}/row{row:06}")
}

fn value(run: u64, row: u64) -> String {
    format!("{run} {row} {}", "some more bytes ".repeat((row % 7) as usize))
}

fn parse(key: &Value) -> (u64, u64) {
    let (run, row) = key.as_str().unwrap().split_once('/').unwrap();
    (run.strip_prefix("run").unwrap().parse().unwrap(), row.strip_prefix("row").unwrap().parse().unwrap())
}

/// A process that follows the feed all along.
struct Follower {
    child: Child,
    changes: mpsc::Receiver<Value>,
}

impl Follower {
    fn start(database: &Database) -> Follower {
        let arguments = ["tail", &database.url, "--from", "begin", "--follow", "--json"];
        let mut child = database.command(&arguments).spawn().unwrap();
        let (sender, changes) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Follower { child, changes }
    }

    /// So many changes, then none.
    fn take(mut self, count: usize) -> Vec<Value> {
        let mut changes = Vec::new();
        while changes.len() < count {
            match self.changes.recv_timeout(Duration::from_secs(60)) {
                Ok(change) => changes.push(change),
                Err(error) => panic!("the follower has {} of {count} changes: {error}", changes.len()),
            }
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        changes.extend(self.changes.iter());
        changes
    }
}

fn kill_again_and_again(database: &Database) {
    database.command(&["put", &database.url, "run000/row000000", &value(0, 0)]).output().unwrap();
    let follower = Follower::start(database);
    let mut reported = BTreeMap::new();
    // Kills fall on the start, on the claim, and on commits: a process needs some tens of milliseconds to begin.
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for run in 1..=KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let rows = database.load_and_kill(run, Duration::from_millis(20 + random % 900));
        reported.insert(run, rows);
    }
    database.json(&["del", &database.url, "run000/row000000", "--json"]);
    let rows = database.rows();
    for (run, reported) in &reported {
        let found = rows.get(run).copied().unwrap_or(0);
        assert!(
            found >= *reported,
            "run {run}: {reported} rows were reported as committed, {found} are there"
        );
    }
    let productive = reported.values().filter(|rows| **rows > 0).count();
    assert!(productive >= 3, "the processes were killed before they did anything: {reported:?}");

    let changes = database.json(&["tail", &database.url, "--from", "begin", "--json"]);
    let total: u64 = rows.values().sum();
    assert_eq!(changes.len() as u64, total + 2, "each row once, the first put and the delete");
    for pair in changes.windows(2) {
        assert!(pair[0]["sequence"].as_u64() < pair[1]["sequence"].as_u64(), "{} after {}", pair[1], pair[0]);
    }
    let mut seen = BTreeMap::<u64, u64>::new();
    for change in &changes[1..changes.len() - 1] {
        let (run, row) = parse(&change["key"]);
        let next = seen.entry(run).or_insert(0);
        assert_eq!(row, *next, "run {run}: a gap or a repeat in the feed");
        *next += 1;
    }
    assert_eq!(seen, rows, "the feed and the state");
    assert!(follower.take(changes.len()) == changes, "who followed all along saw something else");
}

#[test]
fn on_a_folder() {
    let place = Place::new();
    let database = Database { url: place.url(), variables: Vec::new(), flags: &[] };
    kill_again_and_again(&database);
    a_copy_goes_on(&place, &database);
}

/// The folder elsewhere, under another name.
fn a_copy_goes_on(place: &Place, original: &Database) {
    let before = original.rows();
    let to = place.path("some/where/else");
    copy(&place.path("db"), &to);
    let copied = Database { url: to.display().to_string(), variables: Vec::new(), flags: &[] };
    assert_eq!(copied.rows(), before);
    let reported = copied.load_and_kill(KILLS + 1, Duration::from_secs(2));
    assert!(reported > 0, "two seconds were too short to load anything");
    assert!(copied.rows()[&(KILLS + 1)] >= reported);
    assert_eq!(original.rows(), before, "the copy wrote into the original");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn on_s3() {
    let started = Server::start(Kind::Versitygw).or_else(|missing| match missing {
        NoServer::Cannot(_) => Server::start(Kind::Ministack),
        failed => Err(failed),
    });
    let server = match started {
        Ok(server) => server,
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: S3 is not on this machine: {reason}");
            return;
        }
        Err(missing) => panic!("S3: {missing}"),
    };
    let database = Database {
        url: format!("{}/some/db", server.variable("URL")),
        variables: server.variables().clone().into_iter().filter(|(name, _)| name != "URL").collect(),
        flags: &["--allow-http"],
    };
    kill_again_and_again(&database);
}
