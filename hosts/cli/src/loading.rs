//! Rows into the database: the loop of `load` and `demo`.

use std::time::{Duration, Instant};

use isledb::write::{WriteBatch, Writer};
use tokio::task::JoinHandle;

use crate::duration::now_ms;
use crate::exit::Outcome;
use crate::interrupt::Interrupt;
use crate::rows::{Feed, Row};

/// How a load commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    /// By size and by time, as the writer's options say.
    BySize,
    /// Exactly every so many rows, each commit all or nothing.
    EveryRows(u64),
}

/// What is loaded so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loaded {
    /// Rows handed to the writer.
    pub(crate) rows: u64,
    /// Bytes of their keys and values.
    pub(crate) bytes: u64,
    /// Rows left out because they had expired already.
    pub(crate) expired: u64,
    /// Rows of which it is known that they are committed.
    pub(crate) committed_rows: u64,
    /// The sequence number up to which all is committed; 0 before the first commit.
    pub(crate) sequence: u64,
    /// Commits that were seen.
    pub(crate) commits: u64,
    /// When the last of them was known to be done.
    pub(crate) committed_at: Option<Instant>,
}

/// How a load came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All rows are committed.
    Whole,
    /// Ctrl-C: all rows that were taken are committed, the input was not read to its end.
    Interrupted,
}

/// A load under way.
pub(crate) struct Loading<'a> {
    writer: &'a Writer,
    commits: Commits,
    batch: WriteBatch,
    /// Sequence number before the first row.
    before: u64,
    /// The commit of the batch before: it overlaps with the filling of the next one.
    flush: Option<JoinHandle<isledb::Result<Instant>>>,
    loaded: Loaded,
}

/// A batch larger than this is committed although it has too few rows: the engine's bound is 64 MiB.
const BATCH_BYTES: u64 = 48 << 20;
/// How often the display is brought up to date while rows flow.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl<'a> Loading<'a> {
    /// Nothing is loaded yet.
    pub(crate) fn new(writer: &'a Writer, commits: Commits) -> Loading<'a> {
        let before = writer.last_sequence();
        Loading { writer, commits, batch: WriteBatch::new(), before, flush: None, loaded: Loaded::default() }
    }

    /// Takes all rows of `feed`. `tell` is called after every commit, and about ten times a second in between.
    ///
    /// After an error of the input or of the writer, what had been taken before is still committed where that is possible;
    /// the error comes after that.
    pub(crate) async fn run(
        mut self,
        feed: &mut Feed,
        interrupt: &Interrupt,
        mut tell: impl FnMut(&Loaded) -> Outcome,
    ) -> (Loaded, Outcome<Ended>) {
        let taken = self.take(feed, interrupt, &mut tell).await;
        let finished = self.finish(&mut tell).await;
        // The first thing that went wrong is the cause of the others.
        let outcome = taken.and_then(|ended| finished.map(|()| ended));
        (self.loaded, outcome)
    }

    async fn take(
        &mut self,
        feed: &mut Feed,
        interrupt: &Interrupt,
        tell: &mut impl FnMut(&Loaded) -> Outcome,
    ) -> Outcome<Ended> {
        let mut told = Instant::now();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            let piece = tokio::select! {
                biased;
                () = interrupt.asked() => return Ok(Ended::Interrupted),
                piece = feed.next() => piece,
                // An input that is slow does not hide that rows were committed meanwhile.
                _ = tick.tick() => {
                    if self.look() {
                        tell(&self.loaded)?;
                    }
                    continue;
                }
            };
            let Some(piece) = piece else { return Ok(Ended::Whole) };
            for row in piece? {
                if self.row(row).await? {
                    tell(&self.loaded)?;
                }
            }
            if self.look() || told.elapsed() >= LOOK_EVERY {
                told = Instant::now();
                tell(&self.loaded)?;
            }
        }
    }

    /// True where a commit became known.
    async fn row(&mut self, row: Row) -> Outcome<bool> {
        let ttl = match row.expires_at_ms.map(|at| at.saturating_sub(now_ms())) {
            Some(0) => {
                self.loaded.expired += 1;
                return Ok(false);
            }
            left => left.map(Duration::from_millis),
        };
        self.loaded.rows += 1;
        self.loaded.bytes += (row.key.len() + row.value.len()) as u64;
        match (self.commits, ttl) {
            (Commits::BySize, None) => self.writer.put(&row.key, &row.value).await.map(drop)?,
            (Commits::BySize, Some(ttl)) => {
                self.writer.put_with_ttl(&row.key, &row.value, ttl).await.map(drop)?
            }
            (Commits::EveryRows(rows), ttl) => {
                match ttl {
                    None => self.batch.put(&row.key, &row.value),
                    Some(ttl) => self.batch.put_with_ttl(&row.key, &row.value, ttl),
                };
                if self.batch.len() as u64 >= rows || self.batch.bytes() >= BATCH_BYTES {
                    return self.commit_batch().await;
                }
            }
        }
        Ok(false)
    }

    /// Hands the batch over and starts its commit, behind that of the batch before. True where that one became known.
    async fn commit_batch(&mut self) -> Outcome<bool> {
        let known = self.settle().await?;
        self.writer.write(std::mem::take(&mut self.batch)).await?;
        let writer = self.writer.clone();
        self.flush = Some(tokio::spawn(async move { writer.flush().await.map(|_| Instant::now()) }));
        Ok(known)
    }

    /// Waits for the commit under way. True where it became known.
    async fn settle(&mut self) -> Outcome<bool> {
        let Some(flush) = self.flush.take() else { return Ok(false) };
        // A panic of the task is a defect of ours and has been printed; the writer's own state tells the rest.
        let done = flush.await.ok().transpose()?;
        let known = self.look();
        if known {
            self.loaded.committed_at = done;
        }
        Ok(known)
    }

    /// Commits everything that was taken.
    async fn finish(&mut self, tell: &mut impl FnMut(&Loaded) -> Outcome) -> Outcome {
        if self.settle().await? {
            tell(&self.loaded)?;
        }
        if !self.batch.is_empty() {
            self.writer.write(std::mem::take(&mut self.batch)).await?;
        }
        let closed = self.writer.close().await;
        if self.look() {
            tell(&self.loaded)?;
        }
        Ok(closed?)
    }

    /// Looks how far the commits are; true if they went on.
    fn look(&mut self) -> bool {
        let committed = self.writer.committed_sequence();
        if committed <= self.before.max(self.loaded.sequence) {
            return false;
        }
        // Each row took one sequence number, in order.
        self.loaded.committed_rows = committed - self.before;
        self.loaded.sequence = committed;
        self.loaded.commits += 1;
        self.loaded.committed_at = Some(Instant::now());
        true
    }
}
