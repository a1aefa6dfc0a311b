//! The change feed, followed by a task of its own while rows are loaded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use isledb::tail::{Change, ChangeOp, TailOptions, TailStart};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::exit::{Code, Failure, Outcome};
use crate::keys::Encoding;
use crate::output::{FAINT, GOOD, KEY, Output};

/// One change in so many is shown.
const SAMPLE_EVERY: u64 = 5_000;
/// A folder may be asked often.
const POLL_MS: u64 = 20;
/// So much of a sample's value is shown.
const SAMPLE_CHARS: usize = 64;

/// A tailer at work.
pub(super) struct Follower {
    seen: Arc<Mutex<Seen>>,
    last: watch::Receiver<u64>,
    task: JoinHandle<isledb::Result<()>>,
}

#[derive(Default)]
struct Seen {
    changes: u64,
    samples: Vec<Sample>,
    /// When each sequence number arrived.
    arrivals: BTreeMap<u64, Instant>,
}

/// A change to be shown.
pub(super) struct Sample {
    sequence: u64,
    key: String,
    value: String,
}

/// What was seen in the end.
pub(super) struct Followed {
    pub(super) changes: u64,
    arrivals: BTreeMap<u64, Instant>,
}

/// How far the feed was behind the commits.
pub(super) struct Lags {
    pub(super) median: Duration,
    pub(super) slowest: Duration,
}

impl Follower {
    /// Follows from now on.
    pub(super) async fn start(connection: &Connection) -> Outcome<Follower> {
        let mut tailer = connection
            .tailer(TailOptions {
                start: TailStart::Now,
                poll_ms: POLL_MS,
                idle_poll_ms: POLL_MS,
                ..TailOptions::default()
            })
            .await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (reached, last) = watch::channel(0);
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                let change = tailer.next().await?;
                let sequence = change.sequence;
                lock(&shared).take(change);
                if reached.send(sequence).is_err() {
                    return Ok(());
                }
            }
        });
        Ok(Follower { seen, last, task })
    }

    /// Changes so far.
    pub(super) fn changes(&self) -> u64 {
        lock(&self.seen).changes
    }

    /// Samples that were not taken yet.
    pub(super) fn samples(&self) -> Vec<Sample> {
        std::mem::take(&mut lock(&self.seen).samples)
    }

    /// Waits until `sequence` has arrived.
    pub(super) async fn reach(&self, sequence: u64, at_most: Duration) -> Outcome<Followed> {
        let mut last = self.last.clone();
        let reached = tokio::time::timeout(at_most, last.wait_for(|last| *last >= sequence)).await;
        match reached {
            Ok(Ok(_)) => {}
            // The task ended, so it failed; it is asked why when nothing else is left to say.
            Ok(Err(_)) | Err(_) => {
                let message = format!("the change feed stands at {} of {sequence}", *self.last.borrow());
                return Err(
                    Failure::new(Code::Unreachable, "timeout", message).advise("run it with -v to see why")
                );
            }
        }
        let mut seen = lock(&self.seen);
        Ok(Followed { changes: seen.changes, arrivals: std::mem::take(&mut seen.arrivals) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn take(&mut self, change: Change) {
        self.arrivals.insert(change.sequence, Instant::now());
        if self.changes.is_multiple_of(SAMPLE_EVERY) {
            let value = match &change.op {
                ChangeOp::Put { value, .. } => Encoding::Utf8.show(value),
                ChangeOp::Delete => String::new(),
            };
            let key = Encoding::Utf8.show(&change.key);
            self.samples.push(Sample { sequence: change.sequence, key, value });
        }
        self.changes += 1;
    }
}

impl Sample {
    /// As `tail` shows it, cut off.
    pub(super) fn text(&self, out: &Output) -> String {
        let mut value: String = self.value.chars().take(SAMPLE_CHARS).collect();
        if value.len() < self.value.len() {
            value.push('…');
        }
        let (at, put) = (out.paint(FAINT, &format!("@{:<6}", self.sequence)), out.paint(GOOD, "put"));
        format!("{at} {put} {} {value}", out.paint(KEY, &self.key))
    }
}

impl Followed {
    /// `commits`: the last sequence number of each, and when it was done.
    pub(super) fn lags(&self, commits: &BTreeMap<u64, Instant>) -> Lags {
        let mut lags: Vec<Duration> = commits
            .iter()
            .filter_map(|(sequence, at)| Some(self.arrivals.get(sequence)?.saturating_duration_since(*at)))
            .collect();
        lags.sort_unstable();
        Lags {
            median: lags.get(lags.len() / 2).copied().unwrap_or_default(),
            slowest: lags.last().copied().unwrap_or_default(),
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
