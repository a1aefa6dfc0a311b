//! A scan: an iterator over one view, in key order.

use std::ops::Bound;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use super::cursor::{Cursor, MAX_READ_AHEAD};
use super::fetch::Loader;
use super::merge::{At, Merge, Sorted, Step};
use super::pinned::Pinned;
use super::range::KeyRange;
use super::reader::Reader;
use super::version::{Entry, Meaning, meaning};
use crate::error::{Error, ErrorKind, Result};
use crate::format::sst::BlockIter;
use crate::host::{Begun, Event};

/// What all sources of one scan may hold ahead together, in stored bytes, and once more under way. A source gets at least
/// one block of each.
const TOTAL_READ_AHEAD: u64 = 8 * 1024 * 1024;

/// So many sources of one scan are loaded at once.
const LOADS_AT_ONCE: usize = 64;

/// Keys are copied into pieces of this size, so that one costs an allocation for dozens of entries.
const KEY_ARENA: usize = 4096;

/// What to scan. The default is everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Where to begin.
    pub start: Bound<Bytes>,
    /// Where to end.
    pub end: Bound<Bytes>,
    /// Only keys that begin so; within the bounds too.
    pub prefix: Option<Bytes>,
    /// At most so many entries; `None`: all.
    pub limit: Option<u64>,
}

impl Default for ScanOptions {
    fn default() -> ScanOptions {
        ScanOptions { start: Bound::Unbounded, end: Bound::Unbounded, prefix: None, limit: None }
    }
}

impl ScanOptions {
    /// The keys of `start..end`.
    pub fn range(start: impl Into<Bytes>, end: impl Into<Bytes>) -> ScanOptions {
        let (start, end) = (Bound::Included(start.into()), Bound::Excluded(end.into()));
        ScanOptions { start, end, ..ScanOptions::default() }
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> ScanOptions {
        ScanOptions { prefix: Some(prefix.into()), ..ScanOptions::default() }
    }

    /// The same, but at most `limit` entries.
    pub fn limit(self, limit: u64) -> ScanOptions {
        ScanOptions { limit: Some(limit), ..self }
    }
}

/// What [`Scan::try_next`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryNext {
    /// The next entry.
    Entry(Entry),
    /// Bytes must be fetched first: call [`Scan::next`].
    Wait,
    /// There is no further entry.
    End,
}

/// An iterator over one view: the live entries of a key range, ascending.
///
/// The view is pinned: writes that are committed meanwhile do not show. Whether an entry has expired is decided by the
/// time at which the scan began. Deletes and expired entries are not shown; blobs are fetched as they come up.
///
/// Each call may be dropped at any await and repeated; nothing is lost or shown twice. After an error of
/// [`ErrorKind::Retry`] the call may be repeated too; any other error is the scan's last word, and comes again.
pub struct Scan {
    reader: Reader,
    pinned: Arc<Pinned>,
    merge: Merge<Cursor>,
    range: KeyRange,
    limit: Option<u64>,
    shown: u64,
    now_ms: u64,
    /// The view was given by the caller: no other one will do.
    fixed: bool,
    /// Where the last seek went.
    sought: Option<Bytes>,
    /// An entry was reached and not yet returned (its blob was being fetched).
    held: bool,
    failed: Option<Error>,
    begun: Begun,
    keys: BytesMut,
}

impl Scan {
    pub(crate) fn new(reader: Reader, pinned: Arc<Pinned>, options: &ScanOptions, now_ms: u64) -> Scan {
        let range = KeyRange::new(&options.start, &options.end, options.prefix.as_ref());
        Scan {
            merge: Merge::new(Scan::cursors(&pinned, &range)),
            begun: reader.requests().begin(),
            reader,
            pinned,
            range,
            limit: options.limit,
            shown: 0,
            now_ms,
            fixed: false,
            sought: None,
            held: false,
            failed: None,
            keys: BytesMut::new(),
        }
    }

    /// A scan of this view and of no newer one.
    pub(crate) fn pinned(reader: Reader, pinned: Arc<Pinned>, options: &ScanOptions, now_ms: u64) -> Scan {
        let mut scan = Scan::new(reader, pinned, options, now_ms);
        scan.fixed = true;
        scan
    }

    fn cursors(pinned: &Pinned, range: &KeyRange) -> Vec<Cursor> {
        let sources = pinned.tables.sources(range);
        let read_ahead = (TOTAL_READ_AHEAD / (sources.len() as u64).max(1)).min(MAX_READ_AHEAD);
        sources.into_iter().map(|tables| Cursor::new(tables, range, read_ahead)).collect()
    }

    /// The next entry; `None` at the end of the range or of the limit.
    ///
    /// Cost: nothing within what is loaded; else one round for the next blocks of the sources that have run dry (at the
    /// beginning three: tails, index partitions, blocks), and one for each blob. Reads ahead from two blocks up to 1 MiB
    /// a source, and as much again is under way meanwhile: 16 MiB for all sources.
    ///
    /// Errors: `ViewExpired` when the view has become too old to load from; go on with a new scan from the last key.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            match self.step()? {
                Step::Entry => {}
                Step::End => return Ok(None),
                Step::Load => {
                    self.load().await?;
                    continue;
                }
            }
            let Some((sequence, meaning)) = self.meaning()? else {
                self.held = false;
                continue;
            };
            let (value, expires_at_ms) = match meaning {
                Meaning::Nothing => {
                    self.held = false;
                    continue;
                }
                Meaning::Value { value, expires_at_ms } => (value, expires_at_ms),
                Meaning::Blob { id, expires_at_ms } => {
                    let value = self.reader.blob(&self.pinned, &id).await?;
                    (value, expires_at_ms)
                }
            };
            return Ok(Some(self.show(value, sequence, expires_at_ms)));
        }
    }

    /// The next entry, if it can be had without waiting. A loop of this and, at [`TryNext::Wait`], one
    /// [`Scan::next`] is the fastest way to read much.
    pub fn try_next(&mut self) -> Result<TryNext> {
        loop {
            match self.step()? {
                Step::Entry => {}
                Step::End => return Ok(TryNext::End),
                Step::Load => return Ok(TryNext::Wait),
            }
            match self.meaning()? {
                Some((sequence, Meaning::Value { value, expires_at_ms })) => {
                    return Ok(TryNext::Entry(self.show(value, sequence, expires_at_ms)));
                }
                Some((_, Meaning::Blob { .. })) => return Ok(TryNext::Wait),
                Some((_, Meaning::Nothing)) | None => self.held = false,
            }
        }
    }

    /// Goes to the first entry at or above `key`, forwards or backwards within the range of the scan. Cost: none now;
    /// the next entry is loaded like the first one. The limit counts on.
    pub fn seek(&mut self, key: &[u8]) {
        let key =
            if key > &self.range.start[..] { Bytes::copy_from_slice(key) } else { self.range.start.clone() };
        self.merge.sources_mut().iter_mut().for_each(|cursor| cursor.seek(key.clone()));
        self.merge.reset();
        self.held = false;
        self.sought = Some(key);
    }

    /// The sequence number up to which this scan sees everything.
    pub fn sequence(&self) -> u64 {
        self.pinned.manifest.next_sequence().saturating_sub(1)
    }

    /// Stands on the next newest version within range and limit.
    fn step(&mut self) -> Result<Step> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.held {
            return Ok(Step::Entry);
        }
        if self.limit.is_some_and(|limit| self.shown >= limit) || self.range.is_empty() {
            return Ok(Step::End);
        }
        let step = self.merge.step().inspect_err(|error| self.failed = Some(error.clone()))?;
        if step == Step::Entry {
            if self.merge.current().is_none_or(|cursor| self.range.ends_before(cursor.key())) {
                return Ok(Step::End);
            }
            self.held = true;
        }
        Ok(step)
    }

    /// What the version that it stands on says.
    fn meaning(&self) -> Result<Option<(u64, Meaning)>> {
        let Some((cursor, entries)) = self.current() else { return Ok(None) };
        let meaning = meaning(cursor.object(), entries.kind(), entries.value(), self.now_ms)?;
        Ok(Some((entries.sequence(), meaning)))
    }

    fn current(&self) -> Option<(&Cursor, &BlockIter)> {
        let cursor = self.merge.current()?;
        Some((cursor, cursor.entries()?))
    }

    /// The entry that it stands on has been read.
    fn show(&mut self, value: Bytes, sequence: u64, expires_at_ms: Option<u64>) -> Entry {
        self.held = false;
        self.shown += 1;
        let key = self.merge.current().map(Sorted::key).unwrap_or_default();
        if self.keys.capacity() < key.len() {
            self.keys = BytesMut::with_capacity(KEY_ARENA.max(key.len()));
        }
        self.keys.extend_from_slice(key);
        Entry { key: self.keys.split().freeze(), value, sequence, expires_at_ms }
    }

    /// Loads every source that has run dry, all at once.
    async fn load(&mut self) -> Result<()> {
        let Err(error) = self.load_blocked().await else { return Ok(()) };
        let error = match self.reader.after_missing(&self.pinned, error).await {
            // Nothing has been shown, so a newer view serves as well.
            Ok(newer) if self.shown == 0 && !self.fixed => {
                self.merge = Merge::new(Scan::cursors(&newer, &self.range));
                self.pinned = newer;
                if let Some(key) = self.sought.clone() {
                    self.seek(&key);
                }
                return Ok(());
            }
            Ok(_) => self.pinned.expired(&**self.reader.host()),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Retry {
            self.failed = Some(error.clone());
        }
        Err(error)
    }

    async fn load_blocked(&mut self) -> Result<()> {
        self.pinned.check_age(&**self.reader.host())?;
        let loader = self.reader.loader();
        // No closure: rustc could not show that its futures are `Send` for every lifetime.
        let mut loads = Vec::new();
        for (i, cursor) in self.merge.blocked_mut() {
            loads.push(load_source(loader, i, cursor));
        }
        let loaded: Vec<_> = stream::iter(loads).buffer_unordered(LOADS_AT_ONCE).try_collect().await?;
        for (i, at) in loaded {
            self.merge.loaded(i, at);
        }
        Ok(())
    }
}

async fn load_source(loader: &Loader, i: usize, cursor: &mut Cursor) -> Result<(usize, At)> {
    Ok((i, cursor.load(loader).await?))
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.reader.requests().ended(self.begun, |elapsed| Event::ScanEnd {
            entries: self.shown,
            limited: self.limit.is_some(),
            error: self.failed.as_ref(),
            elapsed,
        });
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan")
            .field("range", &self.range)
            .field("limit", &self.limit)
            .field("shown", &self.shown)
            .field("sources", &self.merge.len())
            .finish_non_exhaustive()
    }
}
