//! The disk cache between processes: fifty of them die in the middle of using it. A child is this test binary again, told by an
//! environment variable.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

mod cached;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cached::{MAX_BYTES, Random, bytes_in, content, get, options, table};
use isledb::host::{GetOptions, ObjectStore, PutCondition};
use isledb::{CachedStore, DiskCache, FileStore};

const FOLDERS: &str = "ISLEDB_TEST_STORE_AND_CACHE";
const SEED: &str = "ISLEDB_TEST_SEED";
const TABLES: u64 = 12;
/// Together twice what the cache holds.
const TABLE_BYTES: u64 = 350_001;
const CHUNK: u64 = 16 << 10;
const PROCESSES: usize = 4;
const KILLS: usize = 50;

fn opened(folders: &Path) -> (Arc<CachedStore>, DiskCache) {
    let store = FileStore::new(folders.join("store"));
    let cache = DiskCache::open(&options(&folders.join("cache"), CHUNK)).unwrap();
    (Arc::new(cache.over(Arc::new(store), "the store of this test")), cache)
}

/// Does nothing unless a test started it as a process of its own: then it reads, all tables, at random, until it is killed. A
/// wrong answer ends it before.
#[tokio::test]
async fn child_process() {
    let Ok(folders) = std::env::var(FOLDERS) else { return };
    let (store, cache) = opened(Path::new(&folders));
    let seed: u64 = std::env::var(SEED).unwrap().parse().unwrap();
    let bare = FileStore::new(Path::new(&folders).join("store"));
    println!("begun");
    let readers = (0..3).map(|reader| {
        let mut random = Random(seed * 1_000 + reader);
        let (store, bare) = (store.clone(), bare.clone());
        tokio::spawn(async move {
            loop {
                let number = random.below(TABLES);
                let start = random.below(TABLE_BYTES);
                let end = TABLE_BYTES.min(start + 1 + random.below(100_000));
                let (name, options) =
                    (table(number), GetOptions { range: Some(start..end), if_none_match: None });
                let got = get(&store, &name, Some(start..end)).await.unwrap();
                let expected = bare.get(&name, options).await.unwrap().body;
                assert!(
                    got == expected.collect(&name, end - start).await.unwrap(),
                    "{number}: {start}..{end}"
                );
            }
        })
    });
    // Ends when one of them has seen a wrong answer.
    let (ended, ..) = futures::future::select_all(readers).await;
    println!("wrong: {ended:?} {:?}", cache.counters());
}

struct Reading {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Reading {
    fn start(folders: &Path, seed: usize) -> Reading {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(FOLDERS, folders)
            .env(SEED, seed.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        Reading { process, says }
    }

    /// Lets it read for a while, and kills it. It must not have found anything wrong.
    async fn kill(mut self, after: Duration) {
        let mut line = String::new();
        while !line.contains("begun") {
            line.clear();
            assert!(self.says.read_line(&mut line).unwrap() > 0, "it ended before it began");
        }
        tokio::time::sleep(after).await;
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let last_words = std::io::read_to_string(self.says).unwrap();
        assert_eq!(last_words, "");
    }
}

#[tokio::test]
async fn fifty_kills_give_no_wrong_answer_and_the_bound_holds() {
    let folders = tempfile::tempdir().unwrap();
    let bare = FileStore::new(folders.path().join("store"));
    for number in 0..TABLES {
        bare.put(&table(number), content(number, TABLE_BYTES), PutCondition::None).await.unwrap();
    }
    let mut random = Random(5);
    let mut reading: Vec<Reading> = (0..PROCESSES).map(|seed| Reading::start(folders.path(), seed)).collect();
    let within_bound = || {
        let bytes = bytes_in(&folders.path().join("cache"));
        assert!(bytes <= MAX_BYTES, "{bytes} bytes");
    };
    for kill in 0..KILLS {
        let dies = reading.remove(random.below(reading.len() as u64) as usize);
        dies.kill(Duration::from_micros(random.below(30_000))).await;
        within_bound();
        reading.push(Reading::start(folders.path(), PROCESSES + kill));
    }
    for dies in reading {
        dies.kill(Duration::from_millis(20)).await;
    }
    within_bound();

    // What they left is right, and some of it is of use.
    let (store, cache) = opened(folders.path());
    for number in 0..TABLES {
        for _ in 0..2 {
            let got = get(&store, &table(number), Some(0..TABLE_BYTES)).await.unwrap();
            assert!(got == content(number, TABLE_BYTES), "table {number}");
        }
    }
    cache.settled().await;
    within_bound();
    let counters = cache.counters();
    assert!(counters.hits > 0 && counters.errors == 0, "{counters:?}");
}
