//! Commits pending memtables, oldest first, while the tables of younger ones are on their way.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hashbrown::HashSet;

use super::blob::{MAX_INLINE_INSTEAD_BYTES, MAX_TRUST_MS};
use super::context::Context;
use super::memtable::Memtable;
use super::state::{Buffer, Pending};
use super::table::{self, Uploaded};
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::manifest::Op;
use crate::host::{Event, Flushed, Moment};
use crate::manifest::{Attempt, Draft, Published, Publisher};
use crate::maybe::BoxFuture;

/// A table whose upload began longer ago is made again under a new name: half an hour before the publisher refuses it (12 h),
/// since from a day on garbage collection may take it for an orphan.
const MAX_UPLOAD_AGE_MS: u64 = 23 * 30 * 60_000;

/// Between two looks at a level 0 that is full.
const L0_PAUSE: Duration = Duration::from_millis(200);

/// The publisher and the uploads in flight. It lies in the writer's state while nobody flushes, and in the one future that
/// flushes otherwise; so nothing here needs a lock, and what a failed or forgotten call left behind is found again.
pub(super) struct Flusher {
    context: Arc<Context>,
    publisher: Publisher,
    tables: VecDeque<Table>,
    uploads: FuturesUnordered<BoxFuture<'static, (u64, Result<Uploaded>)>>,
}

/// A pending memtable on its way.
struct Table {
    /// Identifies it: its first sequence number.
    first_sequence: u64,
    memtable: Arc<Memtable>,
    closed_at_ms: u64,
    /// Blobs that GC is about to delete: written into the table instead.
    inline: Arc<HashSet<BlobId>>,
    stage: Stage,
}

enum Stage {
    Waiting,
    Uploading,
    Uploaded(Uploaded),
    Failed(Error),
}

impl Flusher {
    pub(super) fn new(context: Arc<Context>, publisher: Publisher) -> Flusher {
        Flusher { context, publisher, tables: VecDeque::new(), uploads: FuturesUnordered::new() }
    }

    /// Commits the oldest pending memtable, if there is one: three requests in three rounds
    /// (table, slot, CURRENT) where nobody interferes; with blobs one put each beside the table, and one more round.
    pub(super) async fn step(mut self: Box<Self>, buffer: Arc<Buffer>) -> Result<()> {
        let begun = self.context.requests.begin();
        let committed = self.commit_oldest(&buffer).await;
        if let Ok(Some(_)) = committed {
            self.tables.pop_front();
        }
        let result = committed.as_ref().map(|published| published.as_deref().map(flushed)).transpose();
        if let Some(result) = result {
            self.context.requests.ended(begun, |elapsed| Event::Flush { result, elapsed });
        }
        let committed_one = match committed {
            Ok(None) => self.look_for_merges().await.map(|()| false),
            committed => committed.map(|published| published.is_some()),
        };
        buffer.finish_step(self, &committed_one);
        committed_one.map(drop)
    }

    /// `None`: there was nothing to commit.
    async fn commit_oldest(&mut self, buffer: &Buffer) -> Result<Option<Box<Published>>> {
        for table in &mut self.tables {
            if matches!(table.stage, Stage::Failed(_)) {
                table.stage = Stage::Waiting;
            }
        }
        if self.publisher.is_pending() {
            // What an earlier call left unsettled goes on as it is; the publisher says if that is no longer possible.
            if let Attempt::Committed(published) = self.publish(None, buffer).await? {
                return Ok(Some(published));
            }
        }
        self.keep_window_short(buffer).await;
        loop {
            let Some(draft) = self.fresh_draft(buffer).await? else { return Ok(None) };
            if let Attempt::Committed(published) = self.publish(Some(draft), buffer).await? {
                return Ok(Some(published));
            }
            // Stale: too much time passed on the way. What is too old is made new, under the same identity.
        }
    }

    /// Tables in level 0, as of the base.
    pub(super) fn l0_tables(&self) -> u64 {
        self.publisher.view().state().l0.len() as u64
    }

    /// With nothing to commit, where puts wait because level 0 is full: a pause, and a look whether it still is (one
    /// conditional GET).
    async fn look_for_merges(&mut self) -> Result<()> {
        let limit = self.context.options.l0_limit;
        if limit.is_none_or(|limit| self.l0_tables() < u64::from(limit)) {
            return Ok(());
        }
        self.context.host.sleep(L0_PAUSE).await;
        self.publisher.refresh().await
    }

    /// Writes a snapshot where the window has grown enough: two requests in series, while the tables of this flush are on
    /// their way. It may fail: the window is a little longer then, and the next flush tries again.
    async fn keep_window_short(&mut self, buffer: &Buffer) {
        let Flusher { context, publisher, tables, uploads } = self;
        if !publisher.snapshot_due() || publisher.is_pending() {
            return;
        }
        let mut snapshot = pin!(publisher.write_snapshot());
        let written = poll_fn(|cx| {
            drive_uploads(context, tables, uploads, cx, buffer);
            snapshot.as_mut().poll(cx)
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "a snapshot of the manifest could not be written; the next flush tries again");
        }
    }

    /// The oldest table, uploaded and fit to be published; `None` if nothing is pending.
    async fn fresh_draft(&mut self, buffer: &Buffer) -> Result<Option<Draft>> {
        while poll_fn(|cx| self.poll_oldest(cx, buffer)).await? {
            if let Some(draft) = self.check().await? {
                return Ok(Some(draft));
            }
        }
        Ok(None)
    }

    /// Drives the uploads until that of the oldest table is there. False: nothing is pending.
    fn poll_oldest(&mut self, cx: &mut TaskContext<'_>, buffer: &Buffer) -> Poll<Result<bool>> {
        drive_uploads(&self.context, &mut self.tables, &mut self.uploads, cx, buffer);
        match self.tables.front().map(|table| &table.stage) {
            None => Poll::Ready(Ok(false)),
            Some(Stage::Uploaded(_)) => Poll::Ready(Ok(true)),
            Some(Stage::Failed(error)) => Poll::Ready(Err(error.clone())),
            Some(Stage::Waiting | Stage::Uploading) => Poll::Pending,
        }
    }

    /// Publishes the draft, under the identity of an unsettled entry where there is one; `None` goes on with that entry.
    /// Uploads go on meanwhile.
    async fn publish(&mut self, draft: Option<Draft>, buffer: &Buffer) -> Result<Attempt> {
        let Flusher { context, publisher, tables, uploads } = self;
        let mut publish = pin!(async {
            if let Some(draft) = &draft {
                publisher.renew(draft.clone());
            }
            match (publisher.resume().await?, draft) {
                (Some(attempt), _) => Ok(attempt),
                (None, Some(draft)) => publisher.publish(draft).await,
                (None, None) => Ok(Attempt::Stale),
            }
        });
        poll_fn(|cx| {
            drive_uploads(context, tables, uploads, cx, buffer);
            publish.as_mut().poll(cx)
        })
        .await
    }

    /// Is the oldest table still what may be published? Uploads grow old, and GC may have named one of its blobs.
    ///
    /// `None`: it has to be built again, or looked at again. No request without blobs; otherwise one conditional GET, and a
    /// put of each blob that was put too long ago.
    async fn check(&mut self) -> Result<Option<Draft>> {
        let host = self.context.host.as_ref();
        let Some(Table { stage, memtable, inline, .. }) = self.tables.front_mut() else {
            return Ok(None);
        };
        let Stage::Uploaded(uploaded) = stage else { return Ok(None) };
        if uploaded.began.elapsed_ms(host) >= MAX_UPLOAD_AGE_MS {
            *stage = Stage::Waiting;
            return Ok(None);
        }
        let draft = Draft::flush(uploaded.meta.clone(), uploaded.began);
        if uploaded.blobs.is_empty() {
            return Ok(Some(draft));
        }
        let old = uploaded.blobs.iter().filter(|(_, since)| since.elapsed_ms(host) >= MAX_TRUST_MS / 2);
        let old: Vec<_> = old.filter_map(|(id, _)| Some((*id, memtable.blobs().get(id)?.clone()))).collect();
        if !old.is_empty() {
            let again = self.context.clone().put_blobs(old).await?;
            uploaded.blobs.extend(again);
        }
        let read_at = Moment::now(host);
        if uploaded.blobs.values().any(|since| since.elapsed_ms(host) >= MAX_TRUST_MS) {
            return Ok(None);
        }
        let doomed = self.context.read_doomed().await?;
        let named: Vec<BlobId> =
            uploaded.blobs.keys().filter(|id| doomed.get(id).is_some()).copied().collect();
        if named.is_empty() {
            return Ok(Some(draft.relying_on(read_at, MAX_TRUST_MS)));
        }
        let size = |id: &BlobId| memtable.blobs().get(id).map_or(0, |value| value.len() as u64);
        if let Some(large) = named.iter().find(|id| size(id) > MAX_INLINE_INSTEAD_BYTES) {
            return Err(Error::Unavailable {
                object: self.context.layout.blob(large),
                message: "garbage collection is about to delete an equal value; it can be written again when that is \
                          done, within some hours"
                    .to_owned(),
            });
        }
        *inline = Arc::new(inline.iter().copied().chain(named).collect());
        *stage = Stage::Waiting;
        Ok(None)
    }
}

/// What the log says that was committed: the table of this flush, or an earlier upload of the same.
fn flushed(published: &Published) -> Flushed {
    match &published.entry.op {
        Op::AddSstable(meta) => Flushed { bytes: meta.size, entries: meta.entry_count.unwrap_or(0) },
        _ => Flushed { bytes: 0, entries: 0 },
    }
}

/// Takes over what became pending, starts uploads up to the bound, and notes those that ended. Called at every poll, so a
/// memtable that fills while an older one is being committed starts at once.
fn drive_uploads(
    context: &Arc<Context>,
    tables: &mut VecDeque<Table>,
    uploads: &mut FuturesUnordered<BoxFuture<'static, (u64, Result<Uploaded>)>>,
    cx: &mut TaskContext<'_>,
    buffer: &Buffer,
) {
    let known = tables.back().map(|table| table.first_sequence);
    tables.extend(buffer.pending_after(known).into_iter().map(|Pending { memtable, closed_at_ms }| Table {
        first_sequence: memtable.first_sequence(),
        memtable,
        closed_at_ms,
        inline: Arc::default(),
        stage: Stage::Waiting,
    }));
    loop {
        let room = (context.options.upload_concurrency as usize).saturating_sub(uploads.len());
        for table in tables.iter_mut().filter(|table| matches!(table.stage, Stage::Waiting)).take(room) {
            table.stage = Stage::Uploading;
            uploads.push(table.upload(context.clone()));
        }
        let Poll::Ready(Some((first_sequence, result))) = uploads.poll_next_unpin(cx) else { return };
        if let Some(table) = tables.iter_mut().find(|table| table.first_sequence == first_sequence) {
            table.stage = result.map_or_else(Stage::Failed, Stage::Uploaded);
        }
    }
}

impl Table {
    fn upload(&self, context: Arc<Context>) -> BoxFuture<'static, (u64, Result<Uploaded>)> {
        let (first_sequence, memtable) = (self.first_sequence, self.memtable.clone());
        let (inline, closed_at_ms) = (self.inline.clone(), self.closed_at_ms);
        Box::pin(async move { (first_sequence, table::build(context, memtable, inline, closed_at_ms).await) })
    }
}
