//! A scan: an iterator over one view, in key order and against it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::blob_queue::BlobQueue;
use super::cursor::{Cursor, MAX_READ_AHEAD};
use super::direction::Direction;
use super::fetch::Loader;
use super::merge::{At, Merge, Sorted, Step};
use super::pinned::Pinned;
use super::range::{KeyRange, successor};
use super::reader::Reader;
use super::scan_options::ScanOptions;
use super::version::{Entry, Meaning, meaning};
use crate::concurrent::try_all;
use crate::error::{Error, ErrorKind, Result};
use crate::format::blob::BlobId;
use crate::host::{Begun, Event};

/// So many sources of one scan are loaded at once.
const LOADS_AT_ONCE: usize = 64;

/// Keys are copied into pieces of this size, so that one costs an allocation for dozens of entries.
const KEY_ARENA: usize = 4096;

/// Entries that are looked at beyond one whose blob is being fetched.
const MAX_ENTRIES_AHEAD: usize = 256;

/// What [`Scan::try_next`] and [`Scan::try_prev`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryNext {
    /// The next entry.
    Entry(Entry),
    /// Bytes must be fetched first: call [`Scan::next`], or [`Scan::prev`].
    Wait,
    /// There is no further entry.
    End,
}

/// An iterator over one view: the live entries of a key range, in both directions.
///
/// It stands between two entries, at first in front of the range: [`Scan::next`] shows the entry above and goes behind it,
/// [`Scan::prev`] shows the entry below and goes in front of it. So `prev` after `next` shows the same entry again. With
/// `reverse` it stands at first behind the range, and the two change places: `next` goes down, `prev` up.
///
/// The view is pinned: writes that are committed meanwhile do not show. Whether an entry has expired is decided by the
/// time at which the scan began. Deletes and expired entries are not shown. Where a value is a blob, it and those behind it
/// are fetched together: up to 6, and 16 MiB beside the one that is waited for.
///
/// Turning round costs what a [`Scan::seek`] to the same place costs; blocks that are still cached are not fetched again.
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
    /// Where `next` goes.
    onward: Direction,
    /// Where the merge goes.
    direction: Direction,
    /// The merge began in front of this key; `None`: behind everything.
    begun_at: Option<Bytes>,
    /// Entries that the merge has passed and that were not shown yet: one with a blob, and some behind it.
    ahead: VecDeque<Ahead>,
    /// The blobs of `ahead`, in its order.
    blobs: BlobQueue,
    failed: Option<Error>,
    begun: Begun,
    keys: BytesMut,
}

/// A live entry that waits for its turn.
struct Ahead {
    key: Bytes,
    value: Value,
    sequence: u64,
    expires_at_ms: Option<u64>,
}

enum Value {
    Here(Bytes),
    /// It is the next one of the queue.
    Blob(BlobId),
}

/// Where the merge has come to.
enum Reached {
    /// A live entry.
    Entry { value: Value, sequence: u64, expires_at_ms: Option<u64> },
    /// Sources must be loaded first.
    Load,
    /// The end of the range.
    End,
}

impl Scan {
    pub(crate) fn new(reader: Reader, pinned: Arc<Pinned>, options: &ScanOptions, now_ms: u64) -> Scan {
        let range = options.keys();
        let onward = Direction::backward_if(options.reverse);
        let mut scan = Scan {
            merge: Merge::new(Scan::cursors(&reader, &pinned, &range), onward),
            begun: reader.requests().begin(),
            reader,
            pinned,
            limit: options.limit,
            shown: 0,
            now_ms,
            fixed: false,
            onward,
            direction: onward,
            begun_at: None,
            ahead: VecDeque::new(),
            blobs: BlobQueue::default(),
            failed: None,
            keys: BytesMut::new(),
            range,
        };
        scan.begin_at(match onward {
            Direction::Forward => Some(scan.range.start.clone()),
            Direction::Backward => scan.range.end.clone(),
        });
        scan
    }

    /// A scan of this view and of no newer one.
    pub(crate) fn pinned(reader: Reader, pinned: Arc<Pinned>, options: &ScanOptions, now_ms: u64) -> Scan {
        let mut scan = Scan::new(reader, pinned, options, now_ms);
        scan.fixed = true;
        scan
    }

    fn cursors(reader: &Reader, pinned: &Pinned, range: &KeyRange) -> Vec<Cursor> {
        let sources = pinned.tables.sources(range);
        let read_ahead = (reader.read_ahead_bytes() / (sources.len() as u64).max(1)).min(MAX_READ_AHEAD);
        sources.into_iter().map(|tables| Cursor::new(tables, range, read_ahead)).collect()
    }

    /// The next entry upwards, or downwards with `reverse`; `None` at the end of the range or of the limit, which counts
    /// what is shown either way.
    ///
    /// Cost: nothing within what is loaded; else one round for the next blocks of the sources that have run dry (at the
    /// beginning three: tails, index partitions, blocks), and one for up to 6 blobs. Reads ahead from two blocks up to
    /// 1 MiB a source ([`super::ReaderOptions::read_ahead_bytes`] for all together), and as much again is under way
    /// meanwhile. Downwards it costs the same.
    ///
    /// Errors: `ViewExpired` when the view has become too old to load from; go on with a new scan from the last key.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        self.go(self.onward).await
    }

    /// Like [`Scan::next`], the other way.
    pub async fn prev(&mut self) -> Result<Option<Entry>> {
        self.go(self.onward.turned()).await
    }

    /// The next entry, if it can be had without waiting. A loop of this and, at [`TryNext::Wait`], one
    /// [`Scan::next`] is the fastest way to read much.
    #[inline]
    pub fn try_next(&mut self) -> Result<TryNext> {
        self.try_go(self.onward)
    }

    /// Like [`Scan::try_next`], the other way.
    pub fn try_prev(&mut self) -> Result<TryNext> {
        self.try_go(self.onward.turned())
    }

    /// Goes to the place in front of `key`, or to the end of the range that is nearest to it: upwards the first entry at or
    /// above `key` follows, downwards the last one below it. With `reverse` too, so there [`Scan::next`] shows the last
    /// entry below `key`; append a zero byte to `key` to have it as well. Cost: none now; the next entry is loaded like the
    /// first one. The limit counts on.
    pub fn seek(&mut self, key: &[u8]) {
        self.direction = self.onward;
        self.begin_at(self.range.clamp(Some(Bytes::copy_from_slice(key))));
    }

    /// The sequence number up to which this scan sees everything.
    pub fn sequence(&self) -> u64 {
        self.pinned.manifest.next_sequence().saturating_sub(1)
    }

    async fn go(&mut self, direction: Direction) -> Result<Option<Entry>> {
        if !self.ahead.is_empty() {
            // Bodies that have come are read on, and those that were found since are asked for.
            let _ = futures::poll!(std::future::poll_fn(|cx| self.blobs.poll_front(cx)));
        }
        loop {
            match self.try_go(direction)? {
                TryNext::Entry(entry) => return Ok(Some(entry)),
                TryNext::End => return Ok(None),
                TryNext::Wait if self.ahead.is_empty() => self.load().await?,
                TryNext::Wait => self.wait_for_blob().await?,
            }
        }
    }

    #[inline]
    fn try_go(&mut self, direction: Direction) -> Result<TryNext> {
        if direction != self.direction {
            let gap = self.gap();
            self.direction = direction;
            self.begin_at(gap);
        }
        if !self.ahead.is_empty() {
            return Ok(self.take_ahead());
        }
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.limit.is_some_and(|limit| self.shown >= limit) {
            return Ok(TryNext::End);
        }
        Ok(match self.reach()? {
            Reached::Entry { value: Value::Here(value), sequence, expires_at_ms } => {
                self.shown += 1;
                TryNext::Entry(Entry { key: self.key(), value, sequence, expires_at_ms })
            }
            Reached::Entry { value, sequence, expires_at_ms } => {
                self.put_ahead(value, sequence, expires_at_ms);
                self.look_ahead();
                TryNext::Wait
            }
            Reached::Load => TryNext::Wait,
            Reached::End => TryNext::End,
        })
    }

    /// The place in which it stands: in front of this key, or behind everything.
    fn gap(&self) -> Option<Bytes> {
        let passed = |key: &[u8], shown: bool| match (self.direction, shown) {
            (Direction::Forward, true) | (Direction::Backward, false) => successor(key),
            _ => Bytes::copy_from_slice(key),
        };
        let gap = match (self.ahead.front(), self.merge.last_key()) {
            (Some(waiting), _) => Some(passed(&waiting.key, false)),
            (None, Some(key)) => Some(passed(key, true)),
            (None, None) => self.begun_at.clone(),
        };
        self.range.clamp(gap)
    }

    /// Begins in front of the key `gap`, or behind everything, in the present direction.
    fn begin_at(&mut self, gap: Option<Bytes>) {
        let direction = self.direction;
        self.merge.sources_mut().iter_mut().for_each(|cursor| cursor.seek(direction, gap.clone()));
        self.merge.reset(direction);
        self.ahead.clear();
        self.blobs.clear();
        self.begun_at = gap;
    }

    /// Moves the merge to the next live entry of the range.
    #[inline]
    fn reach(&mut self) -> Result<Reached> {
        let reached = self.reach_or_fail();
        if let Err(error) = &reached {
            self.failed = Some(error.clone());
        }
        reached
    }

    #[inline]
    fn reach_or_fail(&mut self) -> Result<Reached> {
        loop {
            match self.merge.step()? {
                Step::Entry => {}
                Step::Load => return Ok(Reached::Load),
                Step::End => return Ok(Reached::End),
            }
            let Some(cursor) = self.merge.current() else { return Ok(Reached::End) };
            let outside = match self.direction {
                Direction::Forward => self.range.ends_before(cursor.key()),
                Direction::Backward => cursor.key() < &self.range.start[..],
            };
            if outside {
                return Ok(Reached::End);
            }
            let sequence = cursor.sequence();
            let (value, expires_at_ms) =
                match meaning(cursor.object(), cursor.kind(), cursor.value(), self.now_ms)? {
                    Meaning::Nothing => continue,
                    Meaning::Value { value, expires_at_ms } => (Value::Here(value), expires_at_ms),
                    Meaning::Blob { id, expires_at_ms } => (Value::Blob(id), expires_at_ms),
                };
            return Ok(Reached::Entry { value, sequence, expires_at_ms });
        }
    }

    /// A copy of the key that the merge stands on.
    #[inline]
    fn key(&mut self) -> Bytes {
        let key = self.merge.current().map(Sorted::key).unwrap_or_default();
        if self.keys.capacity() < key.len() {
            self.keys = BytesMut::with_capacity(KEY_ARENA.max(key.len()));
        }
        self.keys.extend_from_slice(key);
        self.keys.split().freeze()
    }

    /// Keeps the entry that the merge stands on, and asks for its blob.
    fn put_ahead(&mut self, value: Value, sequence: u64, expires_at_ms: Option<u64>) {
        if let Value::Blob(id) = &value {
            self.blobs.push(self.reader.loader().requests(), self.reader.layout(), *id);
        }
        let key = self.key();
        self.ahead.push_back(Ahead { key, value, sequence, expires_at_ms });
    }

    /// Looks for further blobs to ask for, as far as entries are loaded. An error is shown when its turn comes.
    fn look_ahead(&mut self) {
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.shown));
        while self.failed.is_none()
            && self.ahead.len() < MAX_ENTRIES_AHEAD
            && (self.ahead.len() as u64) < left
            && !self.blobs.is_full()
        {
            match self.reach() {
                Ok(Reached::Entry { value, sequence, expires_at_ms }) => {
                    self.put_ahead(value, sequence, expires_at_ms);
                }
                _ => return,
            }
        }
    }

    /// The first entry that waits, if its value is here.
    fn take_ahead(&mut self) -> TryNext {
        let Some(Ahead { key, value: Value::Here(value), sequence, expires_at_ms }) =
            self.ahead.pop_front_if(|waiting| matches!(waiting.value, Value::Here(_)))
        else {
            return TryNext::Wait;
        };
        self.shown += 1;
        if !self.ahead.is_empty() && self.blobs.runs_low() {
            self.look_ahead();
        }
        TryNext::Entry(Entry { key, value, sequence, expires_at_ms })
    }

    /// Brings the blob of the first entry that waits.
    async fn wait_for_blob(&mut self) -> Result<()> {
        let Some(Value::Blob(id)) = self.ahead.front().map(|waiting| &waiting.value) else { return Ok(()) };
        std::future::poll_fn(|cx| self.blobs.poll_front(cx)).await;
        let value = match self.blobs.front() {
            Some(value) => value,
            None => self.reader.blob(&self.pinned, id).await?,
        };
        self.blobs.pop();
        if let Some(waiting) = self.ahead.front_mut() {
            waiting.value = Value::Here(value);
        }
        Ok(())
    }

    /// Loads every source that has run dry, all at once.
    async fn load(&mut self) -> Result<()> {
        let Err(error) = self.load_blocked().await else { return Ok(()) };
        let error = match self.reader.after_missing(&self.pinned, error).await {
            // Nothing has been shown, so a newer view serves as well.
            Ok(newer) if self.shown == 0 && !self.fixed => {
                self.merge = Merge::new(Scan::cursors(&self.reader, &newer, &self.range), self.direction);
                self.pinned = newer;
                self.begin_at(self.begun_at.clone());
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
        for (i, at) in try_all(LOADS_AT_ONCE, loads).await? {
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
