//! Loads what reads will need before they come: the index of a range, or its data.

use std::sync::Arc;

use super::cache::Cached;
use super::direction::Direction;
use super::fetch::{Loader, Want};
use super::gather::{Ask, MAX_REQUESTS_AT_ONCE};
use super::pinned::Pinned;
use super::range::KeyRange;
use super::reader::{MAX_NEW_VIEWS, Reader};
use super::scan_options::ScanOptions;
use super::table::beside_index;
use super::tables::TableRef;
use super::view::View;
use super::walk::{Loaded, Walk};
use crate::concurrent::try_all;
use crate::error::Result;
use crate::format::sst::{FullFilter, PartitionAt, Table};
use bytes::Bytes;

/// What all sources of one [`Reader::prefetch`] fetch at once, in stored bytes, and at least one block each.
const PREFETCH_AT_ONCE: u64 = 32 * 1024 * 1024;

/// What one source fetches at once.
const PREFETCH_STEP: u64 = 4 * 1024 * 1024;

/// What [`Reader::prefetch`] has brought into the cache, or found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefetched {
    /// Data blocks.
    pub blocks: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// These are all blocks of the range.
    pub complete: bool,
}

/// What [`Reader::warm`] has brought into the cache, or found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Warmed {
    /// Tables that may hold a key of the range.
    pub tables: u64,
    /// Stored bytes of their tails, and of their index partitions and filters for the range.
    pub bytes: u64,
}

impl Reader {
    /// Loads data blocks of a range into the cache, from its start on (from its end with `reverse`) until `byte_budget`
    /// stored bytes of them are there, or a block a source more. The limit of `range` means nothing here; blobs are not loaded. Nothing is pinned: a
    /// budget beyond the bound of the cache is cut to it, and what others read may push the blocks out.
    ///
    /// Cost: the rounds of a scan, of up to 32 MiB each; nothing for what is cached.
    ///
    /// Errors: those of [`Reader::get`].
    pub async fn prefetch(&self, range: &ScanOptions, byte_budget: u64) -> Result<Prefetched> {
        let mut pinned = self.fresh().await?;
        for _ in 0..MAX_NEW_VIEWS {
            match prefetch(self.loader(), &pinned, range, byte_budget).await {
                Err(error) => pinned = self.after_missing(&pinned, error).await?,
                done => return done,
            }
        }
        prefetch(self.loader(), &pinned, range, byte_budget).await
    }

    /// Loads into the cache what tells where the keys of a range are: tails, index partitions and filters. After it a `get`
    /// takes one round, for its block. The limit of `range` means nothing here.
    ///
    /// Cost: two rounds, with neighbours in one request; a round has at most 256 requests and 32 MiB, and 256 tables are
    /// done at once. Nothing for what is cached. Indexes take a thousandth of their tables, with filters one in sixty.
    ///
    /// Errors: those of [`Reader::get`].
    pub async fn warm(&self, range: &ScanOptions) -> Result<Warmed> {
        let mut pinned = self.fresh().await?;
        for _ in 0..MAX_NEW_VIEWS {
            match warm(self.loader(), &pinned, &range.keys()).await {
                Err(error) => pinned = self.after_missing(&pinned, error).await?,
                done => return done,
            }
        }
        warm(self.loader(), &pinned, &range.keys()).await
    }
}

impl View {
    /// As [`Reader::prefetch`], but never a refresh. Errors: `ViewExpired`; those of [`Reader::get`].
    pub async fn prefetch(&self, range: &ScanOptions, byte_budget: u64) -> Result<Prefetched> {
        let (reader, pinned) = self.parts();
        pinned.check_age(&**reader.host())?;
        match prefetch(reader.loader(), pinned, range, byte_budget).await {
            Ok(done) => Ok(done),
            Err(error) => Err(reader.after_missing_pinned(pinned, error).await),
        }
    }

    /// As [`Reader::warm`], but never a refresh. Errors: `ViewExpired`; those of [`Reader::get`].
    pub async fn warm(&self, range: &ScanOptions) -> Result<Warmed> {
        let (reader, pinned) = self.parts();
        pinned.check_age(&**reader.host())?;
        match warm(reader.loader(), pinned, &range.keys()).await {
            Ok(done) => Ok(done),
            Err(error) => Err(reader.after_missing_pinned(pinned, error).await),
        }
    }
}

/// How far a source has been loaded.
struct Source {
    walk: Walk,
    /// The last key up to which it is loaded; `None` at the beginning.
    reached: Option<Bytes>,
}

impl Source {
    /// True where it is not loaded up to the end of the lot.
    fn is_behind(&self, lot_end: Option<&Bytes>, direction: Direction) -> bool {
        match (&self.reached, lot_end) {
            (Some(reached), Some(end)) => direction.order(reached, end).is_lt(),
            _ => true,
        }
    }
}

async fn prefetch(
    loader: &Loader,
    pinned: &Pinned,
    range: &ScanOptions,
    byte_budget: u64,
) -> Result<Prefetched> {
    let direction = Direction::backward_if(range.reverse);
    let keys = range.keys();
    let mut sources: Vec<Source> = Vec::new();
    for tables in pinned.tables.sources(&keys) {
        let mut walk = Walk::new(tables, &keys);
        if range.reverse {
            walk.seek(direction, keys.end.clone());
        }
        sources.push(Source { walk, reached: None });
    }
    let budget = byte_budget.min(loader.cache().stats().capacity_bytes);
    let mut done = Prefetched::default();
    // In lots up to the key that the furthest source has reached, so that a budget which ends early covers a range.
    let mut lot_end: Option<Bytes> = None;
    loop {
        sources.retain(|source| !source.walk.is_done());
        if sources.is_empty() {
            return Ok(Prefetched { complete: true, ..done });
        }
        if done.bytes >= budget {
            return Ok(done);
        }
        let mut now: Vec<usize> =
            (0..sources.len()).filter(|i| sources[*i].is_behind(lot_end.as_ref(), direction)).collect();
        let new_lot = now.is_empty() || lot_end.is_none();
        if new_lot {
            now = (0..sources.len()).collect();
        }
        let share = (PREFETCH_AT_ONCE.min(budget - done.bytes) / now.len() as u64).min(PREFETCH_STEP);
        let mut steps = Vec::with_capacity(now.len());
        for i in now {
            steps.push(step(i, sources[i].walk.clone().step(loader.clone(), share)));
        }
        for (i, loaded) in try_all(usize::MAX, steps).await? {
            done.blocks += loaded.blocks.len() as u64;
            done.bytes += loaded.bytes;
            sources[i].reached = last_key(&loaded, direction)?;
            sources[i].walk = loaded.rest;
        }
        if new_lot {
            let reached = sources.iter().filter_map(|source| source.reached.clone());
            lot_end = reached.max_by(|a, b| direction.order(a, b));
        }
    }
}

async fn step(i: usize, step: impl Future<Output = Result<Loaded>>) -> Result<(usize, Loaded)> {
    Ok((i, step.await?))
}

/// The last key on the way that the blocks hold.
fn last_key(loaded: &Loaded, direction: Direction) -> Result<Option<Bytes>> {
    let Some(last) = loaded.blocks.last() else { return Ok(None) };
    let mut entries = last.block.iter();
    match direction {
        Direction::Forward => entries.seek_to_last()?,
        Direction::Backward => entries.seek_to_first()?,
    };
    Ok(Some(Bytes::copy_from_slice(entries.user_key())))
}

async fn warm(loader: &Loader, pinned: &Pinned, keys: &KeyRange) -> Result<Warmed> {
    let sources = pinned.tables.sources(keys);
    let tables: Vec<&Arc<TableRef>> = sources.iter().flatten().collect();
    let mut done = Warmed { tables: tables.len() as u64, bytes: 0 };
    for tables in tables.chunks(MAX_REQUESTS_AT_ONCE) {
        let mut asks = Vec::new();
        for (table, open) in tables.iter().zip(loader.tables(tables).await?) {
            let tail = Table::tail_range(table.meta.meta_offset, table.meta.size);
            done.bytes += tail.end - tail.start;
            for want in index_of(&open, keys) {
                done.bytes += want.stored().end - want.stored().start;
                asks.push(Ask { name: table.name.clone(), table: open.clone(), want });
            }
        }
        loader.gather(&asks, |_, _: Cached| Ok(())).await?;
    }
    Ok(done)
}

/// The parts of a table's index, and its filter, that keys of the range need and the tail did not bring.
fn index_of(table: &Table, keys: &KeyRange) -> Vec<Want> {
    let mut wants = Vec::new();
    if let Some(FullFilter::Stored(handle)) = beside_index(table) {
        wants.push(Want::Filter(handle));
    }
    let first = table.find_partition(&keys.start).unwrap_or(table.partitions());
    for i in first..table.partitions() {
        if i > first && keys.ends_before(table.partition_separator(i - 1)) {
            break;
        }
        if let PartitionAt::Stored(range) = table.partition(i) {
            wants.push(Want::Partition(i, range));
        }
    }
    wants
}
