//! The phases, in their order: what each does.

use std::time::Instant;

use futures::stream::{self, StreamExt, TryStreamExt};
use isledb::read::{Reader, ScanOptions};
use isledb::tail::{TailOptions, TailStart};
use isledb::write::Writer;

use super::Args;
use super::data::Data;
use super::measure::{Measure, header};
use crate::args::Role;
use crate::command::Context;
use crate::connection::Connection;
use crate::exit::{Code, Failure, Outcome};
use crate::output;
use crate::progress::Progress;
use crate::writing;

/// Keys that are read together in the phase of many.
const GROUP: u64 = 64;

/// A run of all phases.
pub(super) struct Bench<'a> {
    pub(super) args: &'a Args,
    /// The database that is measured.
    pub(super) place: &'a Connection,
    pub(super) data: Data,
}

impl Bench<'_> {
    pub(super) async fn run(&self, context: &mut Context) -> Outcome {
        header(&mut context.out)?;
        self.write(context).await?;
        self.gets_cold(context).await?;
        let reader = self.place.cold()?.reader().await?;
        self.gets("get first", &reader, context).await?;
        self.gets("get warm", &reader, context).await?;
        self.gets_many(context).await?;
        self.scan(context).await?;
        self.scan_reverse(context).await?;
        self.tail(context).await
    }

    /// Ingest; then small commits, and how long the change feed takes to show each.
    async fn write(&self, context: &mut Context) -> Outcome {
        let role = Role { no_takeover: false, dry_run: false, no_probe: false };
        let writer = self.place.writer(&role, writing::options(context)).await?;
        let background = writing::run_in_background(&writer);
        self.ingest(&writer, context).await?;
        drop(background);

        let mut tailer =
            self.place.tailer(TailOptions { start: TailStart::Now, ..TailOptions::default() }).await?;
        let mut commit = Measure::begin("commit", self.place)?;
        let mut seen = Vec::new();
        for i in 0..self.args.commits {
            let number = self.args.count + i;
            let begun = Instant::now();
            writer.put(&self.data.key(number), &self.data.value(number)).await?;
            writer.flush().await?;
            commit.record(begun.elapsed(), self.data.entry_bytes());
        }
        commit.end().print(&mut context.out)?;
        // Caught up with those: from here on each commit is waited for.
        for _ in 0..self.args.commits {
            tailer.next().await?;
        }
        let mut follow = Measure::begin("follow", self.place)?;
        for i in 0..self.args.commits {
            let number = self.args.count + self.args.commits + i;
            writer.put(&self.data.key(number), &self.data.value(number)).await?;
            writer.flush().await?;
            let committed = Instant::now();
            let change = tailer.next().await?;
            follow.record(committed.elapsed(), self.data.entry_bytes());
            seen.push(change.sequence);
        }
        follow.end().print(&mut context.out)?;
        writer.close().await?;
        if seen.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(unexpected("the change feed did not show the commits in their order"));
        }
        Ok(())
    }

    async fn ingest(&self, writer: &Writer, context: &mut Context) -> Outcome {
        let mut progress = Progress::rows(context.global.progress, self.args.count);
        let mut ingest = Measure::begin("ingest", self.place)?;
        for i in 0..self.args.count {
            let (key, value) = (self.data.key(i), self.data.value(i));
            let begun = Instant::now();
            writer.put(&key, &value).await?;
            ingest.record(begun.elapsed(), self.data.entry_bytes());
            if i % 1024 == 0 {
                progress.set(i, || format!("{} put", output::count(i)));
                // Others, the flushes of this very writer among them, must get their turn.
                tokio::task::yield_now().await;
            }
        }
        writer.flush().await?;
        progress.finish();
        ingest.end().print(&mut context.out)
    }

    async fn gets_cold(&self, context: &mut Context) -> Outcome {
        let mut cold = Measure::begin("get cold", self.place)?;
        for n in 0..self.args.cold {
            let key = self.data.key(self.data.pick(n, self.args.count));
            let begun = Instant::now();
            let reader = self.place.cold()?.reader().await?;
            let bytes = found(&reader, &key).await?;
            cold.record(begun.elapsed(), bytes);
        }
        cold.end().print(&mut context.out)
    }

    async fn gets(&self, phase: &'static str, reader: &Reader, context: &mut Context) -> Outcome {
        let mut gets = Measure::begin(phase, self.place)?;
        let mut answers = stream::iter(0..self.args.reads)
            .map(|n| async move {
                let key = self.data.key(self.data.pick(n, self.args.count));
                let begun = Instant::now();
                let bytes = found(reader, &key).await?;
                Outcome::Ok((begun.elapsed(), bytes))
            })
            .buffer_unordered(self.args.concurrency as usize);
        while let Some((took, bytes)) = answers.try_next().await? {
            gets.record(took, bytes);
        }
        gets.end().print(&mut context.out)
    }

    /// Keys in groups: an operation is a group, all of it read in the rounds of one get.
    async fn gets_many(&self, context: &mut Context) -> Outcome {
        let mut groups = Measure::begin("get many", self.place)?;
        let reader = self.place.cold()?.reader().await?;
        for group in 0..self.args.reads.div_ceil(GROUP) {
            let numbers = group * GROUP..((group + 1) * GROUP).min(self.args.reads);
            let keys: Vec<_> =
                numbers.map(|n| self.data.key(self.data.pick(n, self.args.count)).into()).collect();
            let begun = Instant::now();
            let values = reader.get_many(&keys).await?;
            let took = begun.elapsed();
            let there = values.iter().flatten().count();
            if there != keys.len() {
                return Err(unexpected("a key that was written is not there"));
            }
            let bytes =
                keys.iter().map(|key| key.len()).chain(values.iter().flatten().map(|value| value.len()));
            groups.record(took, bytes.sum::<usize>() as u64);
        }
        groups.end().print(&mut context.out)
    }

    async fn scan(&self, context: &mut Context) -> Outcome {
        let mut scanned = Measure::begin("scan", self.place)?;
        let mut scan = self.place.cold()?.reader().await?.view().scan(&ScanOptions::default());
        loop {
            let begun = Instant::now();
            let Some(entry) = scan.next().await? else { break };
            scanned.record(begun.elapsed(), (entry.key.len() + entry.value.len()) as u64);
        }
        self.all(scanned, context)
    }

    async fn scan_reverse(&self, context: &mut Context) -> Outcome {
        let mut scanned = Measure::begin("scan reverse", self.place)?;
        let mut scan = self.place.cold()?.reader().await?.view().scan(&ScanOptions::default().reversed());
        loop {
            let begun = Instant::now();
            let Some(entry) = scan.next().await? else { break };
            scanned.record(begun.elapsed(), (entry.key.len() + entry.value.len()) as u64);
        }
        self.all(scanned, context)
    }

    async fn tail(&self, context: &mut Context) -> Outcome {
        let mut tailed = Measure::begin("tail", self.place)?;
        let options = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
        let mut tailer = self.place.cold()?.tailer(options).await?;
        loop {
            let begun = Instant::now();
            if tailer.try_next().await?.is_none() {
                break;
            }
            tailed.record(begun.elapsed(), self.data.entry_bytes());
        }
        self.all(tailed, context)
    }

    /// A phase that must have come by every entry.
    fn all(&self, phase: Measure, context: &mut Context) -> Outcome {
        let (wanted, seen) = (self.args.count + 2 * self.args.commits, phase.operations());
        phase.end().print(&mut context.out)?;
        if seen != wanted {
            return Err(unexpected(&format!("{wanted} entries were written, {seen} were seen")));
        }
        Ok(())
    }
}

/// Bytes of the value, which must be there.
async fn found(reader: &Reader, key: &[u8]) -> Outcome<u64> {
    match reader.get(key).await? {
        Some(value) => Ok((key.len() + value.len()) as u64),
        None => Err(unexpected("a key that was written is not there")),
    }
}

/// What a benchmark must never come to.
fn unexpected(what: &str) -> Failure {
    Failure::new(Code::Corrupt, "corrupt", what).advise("keep the database with --keep, and report it")
}
