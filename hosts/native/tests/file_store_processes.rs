//! The folder as an object store, between processes. A child is this test binary again, told by an environment variable.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{GetOptions, ObjectStore, PutCondition, Version};
use isledb::{ErrorKind, FileStore};

const COUNTER: &str = "db/manifest/CURRENT";
const FOLDER: &str = "ISLEDB_TEST_FOLDER";
const TASK: &str = "ISLEDB_TEST_TASK";

fn child(task: &str, folder: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--nocapture"])
        .env(FOLDER, folder)
        .env(TASK, task)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn read(store: &FileStore) -> Option<(Vec<u8>, Version)> {
    match store.get(COUNTER, GetOptions::default()).await {
        Ok(got) => {
            let body = got.body.collect(COUNTER, got.range.end).await.unwrap();
            Some((body.to_vec(), got.meta.version.unwrap()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

/// Does nothing unless a test started it as a process of its own.
#[tokio::test]
async fn child_process() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else { return };
    let store = FileStore::new(folder);
    match task.as_str() {
        "count" => {
            for _ in 0..COUNTS {
                increment(&store).await;
            }
        }
        "rewrite" => loop {
            let next = read(&store).await.map_or(0, |(body, _)| content_number(&body) + 1);
            store.put(COUNTER, content(next), PutCondition::None).await.unwrap();
        },
        other => panic!("{other}"),
    }
}

const COUNTERS: u64 = 4;
const COUNTS: u64 = 50;

async fn increment(store: &FileStore) {
    loop {
        let (count, condition) = match read(store).await {
            None => (0, PutCondition::IfAbsent),
            Some((body, version)) => {
                (String::from_utf8(body).unwrap().parse::<u64>().unwrap(), PutCondition::IfMatch(version))
            }
        };
        match store.put(COUNTER, Bytes::from((count + 1).to_string()), condition).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

#[tokio::test]
async fn processes_that_count_together_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..COUNTERS).map(|_| child("count", folder.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let (body, _) = read(&FileStore::new(folder.path())).await.unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), (COUNTERS * COUNTS).to_string());
}

/// Content that shows whether it is whole: 50 kB of one number.
fn content(number: u64) -> Bytes {
    number.to_le_bytes().repeat(6_250).into()
}

fn content_number(body: &[u8]) -> u64 {
    let number = u64::from_le_bytes(body[..8].try_into().unwrap());
    assert_eq!(body, content(number), "a mixture of two contents");
    number
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_the_old_object_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    let mut last = 0;
    for kill in 0..20 {
        let mut writer = child("rewrite", folder.path());
        // Until it has written something, and then a little, different every time.
        let started = std::time::Instant::now();
        while read(&store).await.is_none_or(|(body, _)| content_number(&body) <= last) {
            assert!(started.elapsed() < Duration::from_secs(30), "the writer does not write");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(kill * 137)).await;
        writer.kill().unwrap();
        writer.wait().unwrap();
        let (body, version) = read(&store).await.unwrap();
        let found = content_number(&body);
        assert!(found > last);
        // Nobody holds the lock any more, and what is there can be replaced.
        store.put(COUNTER, content(found + 1), PutCondition::IfMatch(version)).await.unwrap();
        last = found + 1;
        let listed = store.list("", None).await.unwrap().objects;
        assert_eq!(listed.len(), 1, "half-written files are invisible");
    }
}
