//! From slots of the log to changes: which tables come next, reading them, and what it means when one is gone.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{join, join_all};

use super::change::{Change, ChangeOp};
use super::cursor::Cursor;
use super::feed;
use super::gathered::{Read, Source};
use super::pass::{Kept, Pass};
use super::tailer::Tailer;
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::format::manifest::{LogEntry, Op, SstMeta};
use crate::format::sst::Kind;
use crate::format::value::Value;
use crate::manifest::ManifestView;
use crate::maybe::BoxFuture;
use crate::mutation::{Mutation, mutated};
use crate::read::blob;
use crate::read::cache::ObjectName;
use crate::read::fetch::Loader;
use crate::read::range::KeyRange;
use crate::read::tables::TableRef;

/// Log entries that CURRENT does not carry are fetched so many at once.
const LOG_READS_AT_ONCE: u64 = 8;
/// How far the log is searched for the oldest cursor that works, where CURRENT does not say.
const SEARCH_SLOTS: u64 = 256;

/// The table of `cursor.slot`.
pub(super) struct Flushed {
    table: Arc<TableRef>,
    /// The epochs behind the slot.
    epochs: [u64; 2],
    /// When the flush was decided, by its author's clock.
    unix_ms: u64,
    /// The reading under way.
    pass: Option<Pass>,
    /// What it gave, oldest first.
    ready: VecDeque<Kept>,
    /// Nothing follows `ready` in this table.
    complete: bool,
}

impl Tailer {
    /// The next change within what CURRENT said last.
    pub(super) async fn known(&mut self) -> Result<Option<Read>> {
        if let Some(bootstrap) = &mut self.bootstrap {
            if let Some(entry) = bootstrap.next(&self.reader, &self.range, &mut self.cursor).await? {
                let op = ChangeOp::Put { value: entry.value, expires_at_ms: entry.expires_at_ms };
                let (sequence, key) = (entry.sequence, entry.key);
                let change = Change { cursor: self.cursor.clone(), sequence, key, op };
                return Ok(Some(Read { change, source: Source::View }));
            }
            self.bootstrap = None;
        }
        loop {
            if let Some(read) = self.emit().await? {
                return Ok(Some(read));
            }
            if !self.load().await? {
                return Ok(None);
            }
        }
    }

    /// The next change of the table at hand, if it has one in memory.
    async fn emit(&mut self) -> Result<Option<Read>> {
        loop {
            let Some(flushed) = &mut self.flushed else { return Ok(None) };
            let Some(kept) = flushed.ready.front() else {
                if flushed.complete {
                    self.leave_slot();
                }
                return Ok(None);
            };
            if self.cursor.holds(self.cursor.slot, &kept.key) {
                self.cursor.sequence = kept.sequence;
                flushed.ready.pop_front();
                continue;
            }
            let object = flushed.table.name.clone();
            let value = match kept.kind {
                Kind::Delete => Value::Delete { expire_at_ms: None },
                Kind::Set => Value::decode(object.as_str(), None, kept.value.clone())?,
            };
            let op = match value {
                Value::Inline { value, expire_at_ms } => ChangeOp::Put { value, expires_at_ms: expire_at_ms },
                Value::Delete { .. } => ChangeOp::Delete,
                Value::Blob { id, expire_at_ms } => {
                    ChangeOp::Put { value: self.blob(&id).await?, expires_at_ms: expire_at_ms }
                }
            };
            let Some(flushed) = &mut self.flushed else { return Ok(None) };
            let Some(kept) = flushed.ready.pop_front() else { return Ok(None) };
            self.cursor.sequence = kept.sequence;
            let source = Source::Commit { unix_ms: flushed.unix_ms };
            if flushed.complete && flushed.ready.is_empty() {
                self.leave_slot();
            }
            let (sequence, key) = (kept.sequence, kept.key);
            let change = Change { cursor: self.cursor.clone(), sequence, key, op };
            return Ok(Some(Read { change, source }));
        }
    }

    /// The slot is done.
    fn leave_slot(&mut self) {
        if let Some(flushed) = self.flushed.take() {
            self.cursor.epochs = flushed.epochs;
        }
        self.entries.pop_front();
        self.cursor.move_to(self.cursor.slot.saturating_add(1));
    }

    /// Brings what `emit` needs next: the next table, or more of the one at hand. False where no further slot is covered.
    async fn load(&mut self) -> Result<bool> {
        if self.flushed.is_none() {
            let Some(next) = self.next_table().await? else { return Ok(false) };
            self.flushed = Some(next);
        }
        loop {
            self.keep_fresh().await?;
            let Some(flushed) = &mut self.flushed else { return Ok(true) };
            let (after, limit) = (self.cursor.sequence, self.options.max_buffer_bytes);
            let pass = flushed
                .pass
                .get_or_insert_with(|| Pass::new(flushed.table.clone(), &self.range, after, limit));
            let (loader, layout) = (self.reader.loader(), self.reader.layout());
            // A tailer that is behind finds the next tables open when it comes to them; small ones are then read already.
            let behind = self.entries.iter().skip(1).filter_map(flush_of);
            let wanted = behind.filter(|table| may_hold(table, &self.range));
            let ahead: Vec<_> =
                wanted.map(|table| open_ahead(loader, named(table.clone(), layout))).collect();
            match join(pass.round(loader), join_all(ahead)).await.0 {
                Ok(false) => {}
                Ok(true) => {
                    if let Some(pass) = flushed.pass.take() {
                        (flushed.ready, flushed.complete) = pass.finish()?;
                    }
                    return Ok(true);
                }
                Err(error) => return Err(self.after_missing(error).await),
            }
        }
    }

    /// The table of the next slot that has one to read; the cursor moves to that slot.
    async fn next_table(&mut self) -> Result<Option<Flushed>> {
        loop {
            if self.cursor.slot >= self.view.manifest().current.next_slot() {
                return Ok(None);
            }
            self.keep_fresh().await?;
            if self.entries.front().is_none_or(|entry| entry.seq != self.cursor.slot) {
                self.entries = self.read_entries().await?;
            }
            let Some(entry) = self.entries.front() else { return Ok(None) };
            let mut epochs = self.cursor.epochs;
            let start = self.view.manifest().current.log_seq_start;
            let skips = mutated(Mutation::FeedSkipsAtSnapshot) && start > 1 && entry.seq == start;
            let table = feed::flushed(entry, &mut epochs).filter(|_| !skips);
            let unix_ms = u64::try_from(entry.ts.unix_ms()).unwrap_or(0);
            let table = table.filter(|table| may_hold(table, &self.range));
            // From the first key that is wanted on, the views of a bootstrap only become newer.
            let first = |table: &SstMeta| table.min_key.clone().max(self.range.start.clone());
            let table = table.filter(|table| !self.cursor.holds(self.cursor.slot, &first(table)));
            match table {
                Some(table) => {
                    let table = Arc::new(named(table, self.reader.layout()));
                    let (pass, ready, complete) = (None, VecDeque::new(), false);
                    return Ok(Some(Flushed { table, epochs, unix_ms, pass, ready, complete }));
                }
                None => {
                    self.cursor.epochs = epochs;
                    self.leave_slot();
                }
            }
        }
    }

    /// The entry of `cursor.slot` and some that follow it.
    async fn read_entries(&mut self) -> Result<VecDeque<LogEntry>> {
        let current = &self.view.manifest().current;
        let (slot, storage, layout) = (self.cursor.slot, self.reader.manifest(), self.reader.layout());
        let until = current.next_slot().min(slot.saturating_add(LOG_READS_AT_ONCE));
        let reads = (slot..until)
            .map(|slot| -> BoxFuture<'_, Result<Result<LogEntry>>> {
                let inline = current.inline(slot).cloned();
                Box::pin(async move {
                    let bytes = match inline {
                        Some(bytes) => Ok(bytes),
                        None => storage.read_log(slot).await,
                    };
                    Ok(bytes.and_then(|bytes| LogEntry::decode(&layout.log(slot), slot, &bytes)))
                })
            })
            .collect();
        // An error is an entry of its own here: those in front of it count.
        let read = try_all(usize::MAX, reads).await?;
        let mut entries = VecDeque::new();
        for entry in read {
            match entry {
                Ok(entry) => entries.push_back(entry),
                Err(error) if entries.is_empty() => return Err(self.after_missing(error).await),
                // It comes up again when it is its turn.
                Err(_) => break,
            }
        }
        Ok(entries)
    }

    async fn blob(&mut self, id: &BlobId) -> Result<Bytes> {
        self.keep_fresh().await?;
        match blob::fetch(self.reader.loader().requests(), self.reader.layout(), id).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.after_missing(error).await),
        }
    }

    /// What the failure of a read means. A missing object, or one that may not be read, is no surprise where the feed's
    /// floor has risen above it, or where there is no floor and anybody may have deleted it. A store may answer 403 for a
    /// missing name to whoever may not list.
    async fn after_missing(&mut self, error: Error) -> Error {
        let (Error::NotFound { object } | Error::Permission { object, .. }) = &error else { return error };
        if let Err(error) = self.look().await {
            return error;
        }
        let ManifestView { current, replay, .. } = self.view.manifest();
        let layout = self.reader.layout();
        let live = replay.state.tables().any(|table| layout.sst(&table.id) == *object);
        if current.feed_floor_seq.is_none() && !live {
            return match self.oldest_without_floor().await {
                Ok(oldest) => feed::expired(&self.cursor, &oldest),
                Err(error) => error,
            };
        }
        match error {
            Error::NotFound { object } => {
                Error::corrupt(&object, None, "an object that the change feed refers to", "no such object")
            }
            error => error,
        }
    }

    /// A cursor from which on every table is live, found backwards from the end of the log.
    async fn oldest_without_floor(&self) -> Result<Cursor> {
        let ManifestView { current, replay, .. } = self.view.manifest();
        let mut oldest = feed::end(current, replay);
        let first = self.cursor.slot.saturating_add(1).max(oldest.slot.saturating_sub(SEARCH_SLOTS));
        for slot in (first..oldest.slot).rev() {
            let bytes = match current.inline(slot) {
                Some(bytes) => bytes.clone(),
                None => self.reader.manifest().read_log(slot).await?,
            };
            let entry = LogEntry::decode(&self.reader.layout().log(slot), slot, &bytes)?;
            let gone = |table: Arc<SstMeta>| replay.state.table(&table.id).is_none();
            // Epochs that were active before a claim are not known; the claim itself is read again.
            if feed::flushed(&entry, &mut oldest.epochs.clone()).is_some_and(gone)
                || entry.epoch < oldest.epochs[entry.role as usize]
            {
                break;
            }
            oldest.slot = slot;
        }
        Ok(oldest)
    }
}

fn named(meta: Arc<SstMeta>, layout: &Layout) -> TableRef {
    TableRef { name: ObjectName::new(&layout.sst(&meta.id)), meta, rank: 0 }
}

fn flush_of(entry: &LogEntry) -> Option<&Arc<SstMeta>> {
    match &entry.op {
        Op::AddSstable(table) => Some(table),
        _ => None,
    }
}

/// Whether a table may have a key of the range. One that does not say which keys it has may.
fn may_hold(table: &SstMeta, range: &KeyRange) -> bool {
    table.max_key.is_empty() || range.overlaps(&table.min_key, &table.max_key)
}

/// Brings the tail of a table into the cache. What fails now comes up again when it is its turn.
fn open_ahead<'a>(loader: &'a Loader, table: TableRef) -> BoxFuture<'a, ()> {
    Box::pin(async move { drop(loader.table(&table).await) })
}
