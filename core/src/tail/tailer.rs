//! Follows the change feed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use futures::stream;

use super::bootstrap::Bootstrap;
use super::change::Change;
use super::cursor::Cursor;
use super::feed;
use super::gathered::{Gathered, Source};
use super::options::{TailOptions, TailStart};
use super::pace::Due;
use super::slots::Flushed;
use crate::error::{ErrorKind, Result, within};
use crate::format::manifest::LogEntry;
use crate::host::{Event, Host, Moment};
use crate::manifest::ManifestView;
use crate::maybe::{BoxFuture, BoxStream};
use crate::read::range::KeyRange;
use crate::read::{BlockCache, ReadSource, Reader, ReaderOptions, View};

/// Parts of tables that a tailer keeps: each is read once, so it needs no more than the index around its place.
const CACHE_BYTES: u64 = 8 << 20;
/// The largest batch.
const MAX_BATCH_ENTRIES: u64 = 1 << 20;
const MAX_BATCH_BYTES: u64 = 1 << 30;

/// Follows the change feed of a database: each committed write once, in the order of commits, from where it was told to
/// begin.
///
/// Every method may be dropped at any await and called again: nothing is lost or repeated. After an error of
/// [`ErrorKind::Retry`] the call may be repeated too. It reads named objects alone and lists nothing.
///
/// It reads only while one of its methods is being awaited, so a slow consumer holds it up and nothing piles up: in memory
/// are at most `max_buffer_bytes` of the table at hand, 2 MiB of its blocks, 8 MiB of indexes and of small tables that
/// follow, and the batch that is being gathered.
pub struct Tailer {
    /// Views are shared with everybody who came from the same coordinator; the cache is its own.
    pub(super) reader: Reader,
    /// What it goes by: the cursor was checked against it.
    pub(super) view: View,
    pub(super) range: KeyRange,
    pub(super) options: TailOptions,
    pub(super) cursor: Cursor,
    pub(super) bootstrap: Option<Bootstrap>,
    /// Entries from `cursor.slot` on that were fetched ahead.
    pub(super) entries: VecDeque<LogEntry>,
    pub(super) flushed: Option<Flushed>,
    gathered: Gathered,
    due: Option<Due>,
    /// The last look of its own, be it that it failed.
    tried: Option<Moment>,
}

impl Tailer {
    /// Opens the feed of the database at `source`, which need not exist yet. The cache of `source` is not used: a feed reads
    /// each table once.
    ///
    /// Cost: one GET of CURRENT, and one round more where its window is not inline.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds, and for a cursor of another database; `CursorExpired` for
    /// one to which the feed no longer reaches back, with the oldest that works.
    pub async fn open(source: ReadSource, options: TailOptions) -> Result<Tailer> {
        options.validate()?;
        let reader = Reader::open(source, ReaderOptions::default()).await?;
        Tailer::on(&reader, options)
    }

    /// A tailer that shares the views of `reader`, whose latest one is new enough to begin with.
    pub(crate) fn on(reader: &Reader, options: TailOptions) -> Result<Tailer> {
        let reader = reader.with_cache(Arc::new(BlockCache::new(CACHE_BYTES)));
        let (view, range) = (reader.view(), options.range());
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
                let (begun, cursor) = Bootstrap::begin(&view, &range, earlier)?;
                bootstrap = Some(begun);
                cursor
            }
        };
        Ok(Tailer {
            reader,
            view,
            range,
            options,
            cursor,
            bootstrap,
            entries: VecDeque::new(),
            flushed: None,
            gathered: Gathered::default(),
            due: None,
            tried: None,
        })
    }

    /// Where it stands: behind the last change that was returned, and behind what followed it without a change for this
    /// tailer.
    pub fn cursor(&self) -> Cursor {
        self.gathered.before().unwrap_or(&self.cursor).clone()
    }

    /// The next change; waits until there is one.
    ///
    /// Cost: for a flush one GET of its table (two rounds and one for each MiB of it where it is larger than 64 KiB; again
    /// for each `max_buffer_bytes` of it), none where its keys are not wanted; one for each blob; while it waits, a
    /// conditional GET of CURRENT each `poll_ms` to `idle_poll_ms`.
    pub async fn next(&mut self) -> Result<Change> {
        loop {
            if let Some(change) = self.take().await? {
                return Ok(change);
            }
            self.follow().await?;
        }
    }

    /// The next change, if one is committed already; looks at CURRENT at most once.
    pub async fn try_next(&mut self) -> Result<Option<Change>> {
        let mut looked = false;
        loop {
            if let Some(change) = self.take().await? {
                return Ok(Some(change));
            }
            if self.is_behind() {
                self.adopt()?;
            } else if looked {
                return Ok(None);
            } else {
                looked = true;
                self.look().await?;
            }
        }
    }

    /// The next changes, at least one: waits until there is one, and takes what is committed behind it, up to `max_entries`
    /// (1 to 1,048,576) and up to the one that brings keys and values to `max_bytes` (1 to 1 GiB) or above.
    ///
    /// Cost: as [`Tailer::next`].
    ///
    /// Errors: those of [`Tailer::next`], and only in front of the first change: behind it the batch ends, and the error
    /// comes up at the next call.
    pub async fn next_batch(&mut self, max_entries: usize, max_bytes: u64) -> Result<Vec<Change>> {
        within("max_entries", max_entries as u64, 1..=MAX_BATCH_ENTRIES)?;
        within("max_bytes", max_bytes, 1..=MAX_BATCH_BYTES)?;
        while !self.gathered.fills(max_entries, max_bytes) {
            let before = self.cursor.clone();
            match self.known().await {
                Ok(Some(read)) => self.gathered.push(read, before),
                Ok(None) if self.gathered.is_empty() => self.follow().await?,
                Err(error) if self.gathered.is_empty() => return Err(error),
                _ => break,
            }
        }
        let (mut batch, mut bytes, mut last) = (Vec::new(), 0, None);
        while batch.len() < max_entries && bytes < max_bytes {
            let Some(read) = self.gathered.pop() else { break };
            bytes += read.change.bytes();
            last = Some(read.source);
            batch.push(read.change);
        }
        self.tell(batch.len() as u64, last);
        Ok(batch)
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

    /// The next change without a look at CURRENT: one that a dropped batch left, or the next that is known.
    async fn take(&mut self) -> Result<Option<Change>> {
        let next = match self.gathered.pop() {
            Some(read) => Some(read),
            None => self.known().await?,
        };
        self.tell(next.is_some().into(), next.as_ref().map(|read| read.source));
        Ok(next.map(|read| read.change))
    }

    /// Tells the observer of changes that are about to be handed out, and where the last of them is from; of none where it has
    /// caught up.
    fn tell(&self, changes: u64, last: Option<Source>) {
        self.reader.requests().observe(|| {
            let now_ms = self.host().now_unix_ns() / 1_000_000;
            let lag_ms = match last {
                Some(Source::Commit { unix_ms }) => now_ms.saturating_sub(unix_ms),
                Some(Source::View) => self.view.age_ms(),
                None => 0,
            };
            let lag_slots = self.view.manifest().current.next_slot().saturating_sub(self.cursor().slot());
            Event::Delivered { changes, lag_ms, lag_slots }
        });
    }

    /// Waits until somebody has found another view, or until a look is due, and looks.
    async fn follow(&mut self) -> Result<()> {
        let changed = self.reader.refreshes().changed();
        if self.is_behind() {
            return self.adopt();
        }
        self.reader.check_open()?;
        let left_ms = self.left_ms();
        if left_ms > 0 {
            // Others may have looked meanwhile: then it is due later.
            select(changed, self.host().sleep(Duration::from_millis(left_ms))).await;
            return Ok(());
        }
        self.tried = Some(Moment::now(self.host()));
        self.reader.renew().await?;
        self.adopt()
    }

    /// How long until the next look is due, in milliseconds.
    fn left_ms(&mut self) -> u64 {
        let latest = self.reader.latest();
        let last = latest.manifest.read_at;
        let due = self.due.filter(|due| due.last == last).unwrap_or_else(|| {
            let mut random = [0; 8];
            self.host().fill_random(&mut random);
            Due::draw(&self.options, last, self.reader.quiet_ms(), u64::from_le_bytes(random))
        });
        self.due = Some(due);
        let since_ms = last.elapsed_ms(self.host());
        let tried_ms = self.tried.map_or(since_ms, |tried| tried.elapsed_ms(self.host()));
        due.after_ms.saturating_sub(since_ms.min(tried_ms))
    }

    /// Reads CURRENT: what was committed before is known then.
    pub(super) async fn look(&mut self) -> Result<()> {
        self.reader.refresh().await?;
        self.adopt()
    }

    /// True where a newer view is known than the one that it goes by.
    fn is_behind(&self) -> bool {
        self.reader.latest().manifest.version != self.view.manifest().version
    }

    /// Goes by the latest view.
    fn adopt(&mut self) -> Result<()> {
        self.view = self.reader.view();
        feed::check(&self.cursor, &self.view.manifest().current, &self.view.manifest().replay)
    }

    /// What CURRENT says holds for as long as a view may be used: after that it is read again.
    pub(super) async fn keep_fresh(&mut self) -> Result<()> {
        if self.view.expires_in_ms() > 0 {
            return Ok(());
        }
        if self.reader.view().expires_in_ms() == 0 {
            self.reader.refresh().await?;
        }
        self.adopt()
    }

    fn host(&self) -> &dyn Host {
        &**self.reader.host()
    }
}

impl std::fmt::Debug for Tailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tailer")
            .field("prefix", &self.reader.layout().prefix())
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
