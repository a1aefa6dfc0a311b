//! The processes that are killed: writers and maintenance owners.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use isledb::Error;
use isledb::host::{Event, Observer};
use isledb::maintain::gc::GcOptions;
use isledb::maintain::plan::merge::MergePolicy;
use isledb::maintain::{MaintenanceOptions, MergeOptions};
use isledb::write::WriterOptions;

use crate::place::{DEADLINE, KEPT, Place};
use crate::writes::{BLOB_THRESHOLD, write};

const TASK: &str = "ISLEDB_TEST_TASK";
const SIGKILL: i32 = 9;
const DAY_MS: i64 = 86_400_000;
/// Longer than any run, shorter than the clocks are apart.
const TIME_TO_LIVE: Duration = Duration::from_secs(40 * 3_600);
/// What a maintenance clock may be wrong by.
pub(crate) const AHEAD_MS: [i64; 3] = [-2 * DAY_MS, 0, 2 * DAY_MS];

/// What this process was started for, if it was.
pub(crate) async fn live() {
    let Some(place) = Place::inherited() else { return };
    let task = std::env::var(TASK).unwrap();
    let (role, number) = task.split_once(' ').unwrap();
    match role {
        "write" => keep_writing(&place, number.parse().unwrap()).await,
        _ => maintain(&place, number.parse().unwrap()).await,
    }
}

/// Another owner took the role, or the store was too slow: the next life goes on.
fn is_the_end(error: &Error) -> bool {
    let open =
        matches!(error, Error::OutcomeUnknown { .. } | Error::Unavailable { .. } | Error::Timeout { .. });
    open || matches!(error, Error::Fenced { .. } | Error::Closed { .. } | Error::Backpressure { .. })
}

fn end(error: &Error) {
    match is_the_end(error) {
        true => println!("ended {error}"),
        false => println!("wrong {error}"),
    }
}

/// Writes and commits until it is killed; says how many of its writes are committed.
async fn keep_writing(place: &Place, life: u64) {
    let options = WriterOptions {
        blob_threshold: BLOB_THRESHOLD,
        max_view_age: Some(KEPT),
        change_retention: Some(KEPT),
        put_deadline: DEADLINE,
        flush_deadline: DEADLINE,
        ..WriterOptions::default()
    };
    let writer = match place.db(0, None).writer(options).await {
        Ok(writer) => writer,
        Err(error) => return end(&error),
    };
    println!("begun");
    for n in 0.. {
        let Some(written) = write_one(&writer, place.seed, life, n).await else { return };
        if written % 40 == 0 {
            match writer.flush().await {
                Ok(_) => println!("committed {written}"),
                Err(error) => return end(&error),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn write_one(writer: &isledb::write::Writer, seed: u64, life: u64, n: u64) -> Option<u64> {
    let one = write(seed, life, n);
    let accepted = match (&one.value, one.expires) {
        (None, _) => writer.delete(&one.key).await,
        (Some(value), false) => writer.put(&one.key, value).await,
        (Some(value), true) => writer.put_with_ttl(&one.key, value, TIME_TO_LIVE).await,
    };
    match accepted {
        Ok(_) => Some(n + 1),
        Err(error) => {
            end(&error);
            None
        }
    }
}

/// Says what was merged and what was deleted.
struct Told;

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::MergeEnd { result: Ok(bytes), .. } if *bytes > 0 => println!("merged 1"),
            Event::Collected { result: Ok(collected), .. } => {
                println!("deleted {}", collected.tables + collected.blobs + collected.documents);
            }
            _ => {}
        }
    }
}

async fn maintain(place: &Place, ahead_ms: i64) {
    let policy = MergePolicy { l0_tables: 4, min_runs: 2, table_size: 32 << 10, ..MergePolicy::default() };
    let gc = GcOptions {
        interval: Duration::from_secs(60),
        scan_interval: Duration::from_secs(600),
        ..GcOptions::default()
    };
    let options = MaintenanceOptions {
        merge: Some(MergeOptions { policy, ..MergeOptions::default() }),
        gc: Some(gc),
        check_interval: Duration::from_secs(10),
        deadline: DEADLINE,
        ..MaintenanceOptions::default()
    };
    let mut owner = loop {
        match place.db(ahead_ms, Some(Arc::new(Told))).maintenance(options.clone()).await {
            Ok(owner) => break owner,
            // Nobody holds the role by this process: it claims again.
            Err(
                Error::NoDatabase { .. }
                | Error::Unavailable { .. }
                | Error::Timeout { .. }
                | Error::OutcomeUnknown { .. },
            ) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return end(&error),
        }
    };
    println!("begun");
    loop {
        match owner.run_once().await {
            Ok(_) => {}
            Err(error) if owner.is_fenced() => return end(&error),
            Err(error) if is_the_end(&error) => {}
            Err(error) => return println!("wrong {error}"),
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// What the children of one role have said, over all their lives.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) merged: AtomicU64,
    pub(crate) deleted: AtomicU64,
    pub(crate) begun: AtomicU64,
}

/// A running child.
pub(crate) struct Running {
    process: Child,
    says: std::thread::JoinHandle<LastWords>,
}

/// What one life has said.
#[derive(Default)]
struct LastWords {
    /// How many of its writes are committed.
    committed: u64,
    /// Why it ended by itself.
    ended: Option<String>,
}

impl Running {
    /// Starts `write LIFE` or `maintain AHEAD_MS`.
    pub(crate) fn start(place: &Place, task: &str, said: &Arc<Said>) -> Running {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_process", "--nocapture"]).env(TASK, task);
        place.bequeath(&mut command);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let (lines, said) = (BufReader::new(process.stdout.take().unwrap()).lines(), said.clone());
        let task = task.to_owned();
        let says = std::thread::spawn(move || {
            let mut words = LastWords::default();
            // A number that was cut by the kill is too low, and asks for less.
            for line in lines.map_while(Result::ok) {
                let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
                let number = rest.parse().unwrap_or(0);
                match word {
                    "committed" => words.committed = words.committed.max(number),
                    "merged" => drop(said.merged.fetch_add(number, Ordering::Relaxed)),
                    "deleted" => drop(said.deleted.fetch_add(number, Ordering::Relaxed)),
                    "begun" => drop(said.begun.fetch_add(1, Ordering::Relaxed)),
                    "ended" => words.ended = Some(rest.to_owned()),
                    "wrong" => panic!("{task}: {rest}"),
                    _ => {}
                }
            }
            words
        });
        Running { process, says }
    }

    /// Kills it, unless it has ended by itself and said why. How many of its writes it had reported as committed.
    pub(crate) fn kill(mut self) -> u64 {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        let LastWords { committed, ended } = self.says.join().unwrap();
        let by_itself = status.success() && ended.is_some();
        assert!(by_itself || status.signal() == Some(SIGKILL), "it ended with {status}: {ended:?}");
        committed
    }

    /// Kills one that must not have ended before.
    pub(crate) fn kill_living(mut self) -> u64 {
        if let Some(status) = self.process.try_wait().unwrap() {
            let why = self.says.join().unwrap().ended;
            panic!("it was to live on, and ended with {status}: {why:?}");
        }
        self.kill()
    }
}
