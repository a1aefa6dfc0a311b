//! Follows the change feed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, join_all};
use futures::stream;

use super::bootstrap::Bootstrap;
use super::cursor::Cursor;
use super::feed;
use super::pass::{Kept, Pass};
use crate::error::{Error, ErrorKind, Result};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::format::manifest::{Current, LogEntry, Op, SstMeta};
use crate::format::sst::Kind;
use crate::format::value::Value;
use crate::host::{Event, Host, Moment};
use crate::manifest::{ManifestStorage, ManifestView};
use crate::maybe::{BoxFuture, BoxStream};
use crate::read::cache::ObjectName;
use crate::read::fetch::Loader;
use crate::read::tables::TableRef;
use crate::read::{BlockCache, ReadSource, Reader, ReaderOptions, blob};

/// Parts of tables that a tailer keeps: each is read once, so it needs no more than the index around its place.
const CACHE_BYTES: u64 = 8 << 20;
/// Log entries that CURRENT does not carry are fetched so many at once.
const LOG_READS_AT_ONCE: u64 = 8;
/// How far the log is searched for the oldest cursor that works, where CURRENT does not say.
const SEARCH_SLOTS: u64 = 256;

/// Where a tailer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailStart {
    /// At the oldest change that is kept.
    Begin,
    /// Behind all that is committed now.
    Now,
    /// Behind the change that this cursor came with.
    Cursor(Cursor),
    /// With the present state, key by key, and then the changes since.
    Bootstrap,
}

/// How to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailOptions {
    /// Where to begin.
    pub start: TailStart,
    /// How long [`Tailer::next`] waits between two looks at CURRENT while changes come, in milliseconds (give or take a
    /// quarter, so that tailers do not look all at once).
    pub poll_ms: u64,
    /// How long it waits in the end when none come; each look that finds nothing makes the wait half as long again.
    pub idle_poll_ms: u64,
    /// How many bytes of entries of one table are in memory. A larger table is read several times. One entry is always held.
    pub max_buffer_bytes: u64,
}

impl Default for TailOptions {
    fn default() -> TailOptions {
        TailOptions { start: TailStart::Now, poll_ms: 500, idle_poll_ms: 5_000, max_buffer_bytes: 64 << 20 }
    }
}

/// One committed write, or one entry of the state that a bootstrap begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Goes on behind this change.
    pub cursor: Cursor,
    /// The sequence number of the write. Ascends along the feed; during a bootstrap the keys ascend instead.
    pub sequence: u64,
    /// The key.
    pub key: Bytes,
    /// What was written.
    pub op: ChangeOp,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOp {
    /// The key has this value.
    Put {
        /// The value. That of a blob was fetched and verified.
        value: Bytes,
        /// When it stops to exist, in milliseconds since the Unix epoch. A put that has expired meanwhile comes like any
        /// other; its expiry is no change of its own.
        expires_at_ms: Option<u64>,
    },
    /// The key is gone.
    Delete,
}

/// Follows the change feed of a database: each committed write once, in the order of commits, from where it was told to
/// begin.
///
/// Every method may be dropped at any await and called again: nothing is lost or repeated. After an error of
/// [`ErrorKind::Retry`] the call may be repeated too. It reads named objects alone and lists nothing.
pub struct Tailer {
    reader: Reader,
    storage: Arc<dyn ManifestStorage>,
    layout: Layout,
    options: TailOptions,
    cursor: Cursor,
    bootstrap: Option<Bootstrap>,
    /// Entries from `cursor.slot` on that were fetched ahead.
    entries: VecDeque<LogEntry>,
    flushed: Option<Flushed>,
    last_poll: Option<Moment>,
    poll_ms: u64,
}

/// The table of `cursor.slot`.
struct Flushed {
    table: Arc<TableRef>,
    /// The epochs behind the slot.
    epochs: [u64; 2],
    /// The reading under way.
    pass: Option<Pass>,
    /// What it gave, oldest first.
    ready: VecDeque<Kept>,
    /// Nothing follows `ready` in this table.
    complete: bool,
}

impl Tailer {
    /// Opens the feed of the database at `source`, which need not exist yet. The cache of `source` is not used: a feed reads
    /// each table once.
    ///
    /// Cost: one GET of CURRENT, and one round more where its window is not inline.
    ///
    /// Errors: `CursorExpired` for a cursor to which the feed no longer reaches back, with the oldest that works.
    pub async fn open(source: ReadSource, options: TailOptions) -> Result<Tailer> {
        if options.poll_ms == 0 || options.idle_poll_ms < options.poll_ms {
            return Err(Error::invalid(format!(
                "poll_ms {} and idle_poll_ms {}: the first is at least 1 and at most the second",
                options.poll_ms, options.idle_poll_ms
            )));
        }
        let (storage, layout) = (source.manifest.clone(), source.layout.clone());
        let source = ReadSource { cache: Arc::new(BlockCache::new(CACHE_BYTES)), ..source };
        let reader = Reader::open(source, ReaderOptions::default()).await?;
        let view = reader.view();
        let ManifestView { current, replay, .. } = view.manifest();
        let mut bootstrap = None;
        let cursor = match &options.start {
            TailStart::Begin => feed::begin(current, replay),
            TailStart::Now => feed::end(current, replay),
            TailStart::Cursor(cursor) if !cursor.is_bootstrapping() => {
                feed::check(cursor, current, replay)?;
                cursor.clone()
            }
            start => {
                let earlier = if let TailStart::Cursor(cursor) = start { Some(cursor.clone()) } else { None };
                let (begun, cursor) = Bootstrap::begin(&reader, earlier)?;
                bootstrap = Some(begun);
                cursor
            }
        };
        let poll_ms = options.poll_ms;
        let (entries, flushed, last_poll) = (VecDeque::new(), None, None);
        Ok(Tailer {
            reader,
            storage,
            layout,
            options,
            cursor,
            bootstrap,
            entries,
            flushed,
            last_poll,
            poll_ms,
        })
    }

    /// Where it stands: behind the last change that was returned.
    pub fn cursor(&self) -> Cursor {
        self.cursor.clone()
    }

    /// The next change; waits until there is one.
    ///
    /// Cost: for a flush one GET of its table (two rounds and one for each MiB of it where it is larger than 64 KiB; again
    /// for each `max_buffer_bytes` of it), one for each blob; while it waits, a conditional GET of CURRENT each `poll_ms`
    /// to `idle_poll_ms`.
    pub async fn next(&mut self) -> Result<Change> {
        loop {
            if let Some(change) = self.known().await? {
                return Ok(change);
            }
            self.wait().await;
            self.poll().await?;
        }
    }

    /// The next change, if one is committed already; looks at CURRENT at most once.
    pub async fn try_next(&mut self) -> Result<Option<Change>> {
        if let Some(change) = self.known().await? {
            return Ok(Some(change));
        }
        if !self.poll().await? {
            return Ok(None);
        }
        self.known().await
    }

    /// The feed as a stream without an end. An error that may be retried is an item, and the stream goes on behind it; any
    /// other error is its last item.
    pub fn into_stream(self) -> BoxStream<'static, Result<Change>> {
        Box::pin(stream::unfold(Some(self), |tailer| async move {
            let mut tailer = tailer?;
            let next: BoxFuture<'_, Result<Change>> = Box::pin(tailer.next());
            match next.await {
                Ok(change) => Some((Ok(change), Some(tailer))),
                Err(error) if error.kind() == ErrorKind::Retry => Some((Err(error), Some(tailer))),
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// The next change within what CURRENT said last.
    async fn known(&mut self) -> Result<Option<Change>> {
        if let Some(bootstrap) = &mut self.bootstrap {
            if let Some(entry) = bootstrap.next(&self.reader, &mut self.cursor).await? {
                let op = ChangeOp::Put { value: entry.value, expires_at_ms: entry.expires_at_ms };
                let (sequence, key) = (entry.sequence, entry.key);
                self.tell(1, |tailer| tailer.reader.view().manifest().age_ms(tailer.host()));
                return Ok(Some(Change { cursor: self.cursor.clone(), sequence, key, op }));
            }
            self.bootstrap = None;
        }
        loop {
            if let Some(change) = self.emit().await? {
                return Ok(Some(change));
            }
            if !self.load().await? {
                self.tell(0, |_| 0);
                return Ok(None);
            }
        }
    }

    /// The next change of the table at hand, if it has one in memory.
    async fn emit(&mut self) -> Result<Option<Change>> {
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
            let committed_ms = self.entries.front().and_then(|entry| u64::try_from(entry.ts.unix_ms()).ok());
            if flushed.complete && flushed.ready.is_empty() {
                self.leave_slot();
            }
            self.tell(1, |tailer| {
                let now_ms = tailer.host().now_unix_ns() / 1_000_000;
                committed_ms.map_or(0, |committed_ms| now_ms.saturating_sub(committed_ms))
            });
            let (sequence, key) = (kept.sequence, kept.key);
            return Ok(Some(Change { cursor: self.cursor.clone(), sequence, key, op }));
        }
    }

    /// Tells the observer of changes that are about to be handed out; of none where it has caught up.
    fn tell(&self, changes: u64, lag_ms: impl FnOnce(&Tailer) -> u64) {
        self.reader.requests().observe(|| {
            let lag_slots = self.current().next_slot().saturating_sub(self.cursor.slot);
            Event::Delivered { changes, lag_ms: lag_ms(self), lag_slots }
        });
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
            let Some((table, epochs)) = self.next_table().await? else { return Ok(false) };
            let table = Arc::new(named(table, &self.layout));
            self.flushed =
                Some(Flushed { table, epochs, pass: None, ready: VecDeque::new(), complete: false });
        }
        loop {
            self.keep_fresh().await?;
            let Some(flushed) = &mut self.flushed else { return Ok(true) };
            let (after, limit) = (self.cursor.sequence, self.options.max_buffer_bytes);
            let pass = flushed.pass.get_or_insert_with(|| Pass::new(flushed.table.clone(), after, limit));
            let (loader, layout) = (self.reader.loader(), &self.layout);
            // A tailer that is behind finds the next tables open when it comes to them; small ones are then read already.
            let behind = self.entries.iter().skip(1).filter_map(|entry| flush_of(entry, layout));
            let ahead = behind.map(|table| open_ahead(loader, table));
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

    /// The table of the next slot that has one to read, and the epochs behind it; the cursor moves to that slot.
    async fn next_table(&mut self) -> Result<Option<(Arc<SstMeta>, [u64; 2])>> {
        loop {
            if self.cursor.slot >= self.current().next_slot() {
                return Ok(None);
            }
            self.keep_fresh().await?;
            if self.entries.front().is_none_or(|entry| entry.seq != self.cursor.slot) {
                self.entries = self.read_entries().await?;
            }
            let Some(entry) = self.entries.front() else { return Ok(None) };
            let mut epochs = self.cursor.epochs;
            let table = feed::flushed(entry, &mut epochs);
            // From the table's first key on, the views of a bootstrap only become newer.
            let table = table.filter(|table| !self.cursor.holds(self.cursor.slot, &table.min_key));
            match table {
                Some(table) => return Ok(Some((table, epochs))),
                None => {
                    self.cursor.epochs = epochs;
                    self.leave_slot();
                }
            }
        }
    }

    /// The entry of `cursor.slot` and some that follow it.
    async fn read_entries(&mut self) -> Result<VecDeque<LogEntry>> {
        let current = self.current();
        let (slot, storage, layout) = (self.cursor.slot, &self.storage, &self.layout);
        let until = current.next_slot().min(slot.saturating_add(LOG_READS_AT_ONCE));
        let reads = (slot..until).map(|slot| -> BoxFuture<'_, Result<LogEntry>> {
            let inline = current.inline(slot).cloned();
            Box::pin(async move {
                let bytes = match inline {
                    Some(bytes) => bytes,
                    None => storage.read_log(slot).await?,
                };
                LogEntry::decode(&layout.log(slot), slot, &bytes)
            })
        });
        let read = join_all(reads).await;
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
        match blob::fetch(self.reader.loader().requests(), &self.layout, id).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.after_missing(error).await),
        }
    }

    fn current(&self) -> Arc<Current> {
        self.reader.view().manifest().current.clone()
    }

    fn host(&self) -> &dyn Host {
        &**self.reader.host()
    }

    /// What CURRENT says holds for as long as a view may be used: after that it is read again.
    async fn keep_fresh(&mut self) -> Result<()> {
        let view = self.reader.view();
        if view.manifest().age_ms(self.host()) > view.manifest().max_age_ms() {
            self.refresh().await?;
        }
        Ok(())
    }

    /// Reads CURRENT again; true if it changed.
    async fn refresh(&mut self) -> Result<bool> {
        let changed = self.reader.refresh().await?;
        let view = self.reader.view();
        feed::check(&self.cursor, &view.manifest().current, &view.manifest().replay)?;
        Ok(changed)
    }

    /// What the failure of a read means. A missing object, or one that may not be read, is no surprise where the feed's
    /// floor has risen above it, or where there is no floor and anybody may have deleted it.
    async fn after_missing(&mut self, error: Error) -> Error {
        let (Error::NotFound { object } | Error::Permission { object, .. }) = &error else { return error };
        if let Err(error) = self.refresh().await {
            return error;
        }
        if let Error::Permission { .. } = error {
            return error;
        }
        if self.current().feed_floor_seq.is_none() {
            return match self.oldest_without_floor().await {
                Ok(oldest) => feed::expired(&self.cursor, &oldest),
                Err(error) => error,
            };
        }
        Error::corrupt(object, None, "an object that the change feed refers to", "no such object")
    }

    /// A cursor from which on every table is live, found backwards from the end of the log.
    async fn oldest_without_floor(&self) -> Result<Cursor> {
        let view = self.reader.view();
        let ManifestView { current, replay, .. } = view.manifest();
        let mut oldest = feed::end(current, replay);
        let first = self.cursor.slot.saturating_add(1).max(oldest.slot.saturating_sub(SEARCH_SLOTS));
        for slot in (first..oldest.slot).rev() {
            let bytes = match current.inline(slot) {
                Some(bytes) => bytes.clone(),
                None => self.storage.read_log(slot).await?,
            };
            let entry = LogEntry::decode(&self.layout.log(slot), slot, &bytes)?;
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

    async fn poll(&mut self) -> Result<bool> {
        self.last_poll = Some(Moment::now(self.host()));
        let changed = self.refresh().await?;
        self.poll_ms = if changed {
            self.options.poll_ms
        } else {
            self.poll_ms.saturating_add(self.poll_ms / 2 + 1).min(self.options.idle_poll_ms)
        };
        Ok(changed)
    }

    /// Waits until the next look at CURRENT is due.
    async fn wait(&self) {
        let since = self.last_poll.map_or(0, |poll| poll.elapsed_ms(self.host()));
        let mut random = [0; 8];
        self.host().fill_random(&mut random);
        let spread = u64::from_le_bytes(random) % (self.poll_ms / 2 + 1);
        let due = (self.poll_ms - self.poll_ms / 4).saturating_add(spread);
        let left = if self.last_poll.is_none() { 0 } else { due.saturating_sub(since) };
        if left > 0 {
            self.host().sleep(Duration::from_millis(left)).await;
        }
    }
}

fn named(meta: Arc<SstMeta>, layout: &Layout) -> TableRef {
    TableRef { name: ObjectName::new(&layout.sst(&meta.id)), meta, rank: 0 }
}

fn flush_of(entry: &LogEntry, layout: &Layout) -> Option<TableRef> {
    match &entry.op {
        Op::AddSstable(table) => Some(named(table.clone(), layout)),
        _ => None,
    }
}

/// Brings the tail of a table into the cache. What fails now comes up again when it is its turn.
fn open_ahead<'a>(loader: &'a Loader, table: TableRef) -> BoxFuture<'a, ()> {
    Box::pin(async move { drop(loader.table(&table).await) })
}

impl std::fmt::Debug for Tailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tailer")
            .field("prefix", &self.layout.prefix())
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
