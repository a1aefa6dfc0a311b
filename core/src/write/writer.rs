//! The writer: one handle for puts, deletes, batches and the flushes that make them durable.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{self, Either};

use super::batch::{Write, WriteBatch};
use super::context::Context;
use super::flush::Flusher;
use super::memtable::Slot;
use super::options::WriterOptions;
use super::state::{Buffer, Place, is_transient};
use crate::error::{Error, Result, millis};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::format::manifest::FenceToken;
use crate::host::{Backoff, Event, Moment, Requests};
use crate::manifest::Publisher;
use crate::maybe::BoxFuture;

/// Writes to one database, as the one owner of its writer role.
///
/// A write is in memory when its call returns, with its sequence number; it is **acknowledged** (durable, and visible to
/// readers) once [`Writer::flush`], [`Writer::close`] or [`Writer::wait_committed`] for it returned `Ok`. Nothing runs by
/// itself: a flush is driven by whoever waits for one, all waiters drive the same one, and a dropped waiter stalls nobody.
/// A host that wants flushes by size and time keeps [`Writer::run`] going.
///
/// Every future may be dropped at any time. A dropped write was either not accepted, or is in memory as a whole; a
/// dropped flush goes on with the next call.
///
/// Errors that end the writer come back from every later call: `Fenced` (another owner took the role) and
/// `OutcomeUnknown` without `retry`. After any other error of the store nothing is lost: the same call, made again, goes on
/// where it was, and nothing is uploaded or published twice. Clones are one writer; when the last one is dropped without
/// [`Writer::close`], what was not acknowledged may be lost.
#[derive(Clone)]
pub struct Writer(Arc<Handle>);

/// A writer that may be gone.
#[derive(Clone)]
pub struct WeakWriter(Weak<Handle>);

struct Handle {
    context: Arc<Context>,
    buffer: Arc<Buffer>,
    previous: Option<FenceToken>,
    /// The step that runs, or the last one. It owns the flusher meanwhile, and not this handle, so that a writer that is
    /// dropped takes its requests with it.
    step: Mutex<Option<Step>>,
}

impl WeakWriter {
    /// True while there is a clone of the writer, and it is not finished.
    pub fn is_open(&self) -> bool {
        self.upgrade().is_some_and(|writer| !writer.is_finished())
    }

    /// The writer, if there still is a clone of it.
    pub fn upgrade(&self) -> Option<Writer> {
        self.0.upgrade().map(Writer)
    }
}

type Step = future::Shared<BoxFuture<'static, Result<()>>>;

impl Writer {
    /// A writer for the role that `publisher` holds, whose tables and blobs go through `requests`. No request. The options
    /// are those that [`WriterOptions::validate`] accepted before the role was claimed.
    pub fn new(requests: Requests, layout: Layout, publisher: Publisher, options: WriterOptions) -> Writer {
        let next_sequence = publisher.next_sequence().max(1);
        let previous = publisher.previous().cloned();
        let context = Arc::new(Context::new(requests, layout, options, publisher.next_table_epoch()));
        let buffer = Arc::new(Buffer::new(Flusher::new(context.clone(), publisher), next_sequence));
        Writer(Arc::new(Handle { context, buffer, previous, step: Mutex::default() }))
    }

    /// Sets a key. Returns the sequence number of the write.
    ///
    /// No request, unless `max_pending_memtables` wait: then it drives their commits itself until there is room. A value that
    /// becomes a blob is hashed in this call.
    ///
    /// Errors: `InvalidArgument` (empty or too long key, too large value); `Backpressure` after `put_deadline` at the
    /// bound; what ended the writer; `Closed`. After any error the write was not accepted.
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<u64> {
        self.write_one(Write { key, value: Some(value), ttl: None }).await
    }

    /// Sets a key for a time: it is gone `ttl` (rounded up to a millisecond) after this call. Otherwise as [`Writer::put`].
    ///
    /// Errors: also `InvalidArgument` for a `ttl` of zero, or beyond what 63 bits of milliseconds hold.
    pub async fn put_with_ttl(&self, key: &[u8], value: &[u8], ttl: Duration) -> Result<u64> {
        self.write_one(Write { key, value: Some(value), ttl: Some(ttl) }).await
    }

    /// Deletes a key, whether it exists or not. Cost and errors as [`Writer::put`].
    pub async fn delete(&self, key: &[u8]) -> Result<u64> {
        self.write_one(Write { key, value: None, ttl: None }).await
    }

    /// Writes a batch: all of it becomes visible in one commit, or nothing. Returns the sequence number of its last
    /// operation (of the last write, where it is empty). Cost as [`Writer::put`].
    ///
    /// Errors: as [`Writer::put`], and `InvalidArgument` for more than `max_batch` bytes; nothing of it was accepted then.
    pub async fn write(&self, batch: WriteBatch) -> Result<u64> {
        let result = self.write_all(&batch).await;
        self.tell(&result, || {
            let puts = batch.iter().filter(|write| write.value.is_some()).count();
            (puts as u64, (batch.len() - puts) as u64, batch.bytes())
        });
        result
    }

    /// Commits everything written so far, and returns the sequence number up to which all is committed.
    ///
    /// Cost: nothing where nothing waits; otherwise, for each memtable, three requests in three rounds (table, slot, CURRENT),
    /// and with blobs one put each and one conditional GET more. Uploads of several memtables overlap.
    ///
    /// Errors: `OutcomeUnknown` with `retry`: the store went silent at the wrong moment; the flush keeps its identity and the next call
    /// settles it. `Unavailable`, `Timeout`, `Permission`: nothing is lost, the next call goes on. What ended the writer; `Closed`.
    pub async fn flush(&self) -> Result<u64> {
        let target = {
            let state = self.0.buffer.lock();
            state.check_not_failed()?;
            if state.is_closed() {
                return Err(Error::Closed { what: "the writer" });
            }
            state.last_sequence()
        };
        self.commit_up_to(target).await?;
        Ok(target)
    }

    /// Returns when the write of that sequence number is committed.
    ///
    /// It gathers others: a write that is still in the active memtable waits until `flush_interval` has passed since the
    /// first write there, then one flush commits all. [`Writer::flush`] does not wait. Cost and errors as there;
    /// `InvalidArgument` for a sequence number that no write has yet.
    pub async fn wait_committed(&self, sequence: u64) -> Result<()> {
        let Handle { context, buffer, .. } = &*self.0;
        loop {
            let seen = buffer.signal.seen();
            let left = {
                let state = buffer.lock();
                match state.place(sequence, context) {
                    Place::Committed => return Ok(()),
                    Place::Pending => 0,
                    // Closing, too, does not wait.
                    Place::Active(_) if state.check_open().is_err() => 0,
                    Place::Active(age_ms) => context.flush_interval_ms().saturating_sub(age_ms),
                    Place::Future => {
                        state.check_not_failed()?;
                        let last = state.last_sequence();
                        return Err(Error::invalid(format!(
                            "sequence {sequence} is not written yet, the last is {last}"
                        )));
                    }
                }
            };
            if left == 0 {
                return self.commit_up_to(sequence).await;
            }
            let due = context.host.sleep(Duration::from_millis(left));
            future::select(due, pin!(buffer.signal.changed(seen))).await;
        }
    }

    /// Commits everything and ends the writer. From the first call on no write is accepted. Once it returned `Ok` it does
    /// so again; after an error it may be called again and goes on.
    ///
    /// Cost and errors as [`Writer::flush`]. The role is not given back: the next owner takes it.
    pub async fn close(&self) -> Result<()> {
        let buffer = &self.0.buffer;
        let target = {
            let mut state = buffer.lock();
            if state.is_closed() {
                return Ok(());
            }
            state.check_not_failed()?;
            state.begin_close();
            state.last_sequence()
        };
        self.commit_up_to(target).await?;
        buffer.lock().end_close();
        buffer.signal.notify();
        Ok(())
    }

    /// Sequence number of the last write that was accepted; of the last one in the database, before the first.
    pub fn last_sequence(&self) -> u64 {
        self.0.buffer.lock().last_sequence()
    }

    /// Everything up to this sequence number is committed.
    pub fn committed_sequence(&self) -> u64 {
        self.0.buffer.lock().committed_sequence()
    }

    /// Bytes in memtables that are not committed: what a crash would lose.
    pub fn uncommitted_bytes(&self) -> u64 {
        self.0.buffer.lock().uncommitted_bytes()
    }

    /// True after `close` returned `Ok`, or after an error that ended the writer.
    pub fn is_finished(&self) -> bool {
        self.0.buffer.lock().is_finished()
    }

    /// Who held the role before this writer took it.
    pub fn previous_owner(&self) -> Option<&FenceToken> {
        self.0.previous.as_ref()
    }

    /// A handle that does not keep the writer alive.
    pub fn downgrade(&self) -> WeakWriter {
        WeakWriter(Arc::downgrade(&self.0))
    }

    pub(super) fn context(&self) -> &Context {
        &self.0.context
    }

    pub(super) fn buffer(&self) -> &Arc<Buffer> {
        &self.0.buffer
    }

    async fn write_one(&self, write: Write<'_>) -> Result<u64> {
        let result = match self.slot(write) {
            Ok(slot) => self.append(std::iter::once((write.key, slot))).await,
            Err(error) => Err(error),
        };
        self.tell(&result, || {
            let puts = u64::from(write.value.is_some());
            (puts, 1 - puts, (write.key.len() + write.value.map_or(0, <[u8]>::len)) as u64)
        });
        result
    }

    async fn write_all(&self, batch: &WriteBatch) -> Result<u64> {
        self.0.context.options.check_batch(batch.bytes())?;
        let writes =
            batch.iter().map(|write| Ok((write.key, self.slot(write)?))).collect::<Result<Vec<_>>>()?;
        self.append(writes.into_iter()).await
    }

    /// Tells the observer how a call that writes ended; `size` says its puts, deletes and bytes.
    fn tell(&self, result: &Result<u64>, size: impl FnOnce() -> (u64, u64, u64)) {
        self.0.context.requests.observe(|| match result {
            Ok(_) => {
                let (puts, deletes, bytes) = size();
                Event::Write { puts, deletes, bytes }
            }
            Err(error) => Event::WriteRefused { error },
        });
    }

    /// Checks the limits and hashes what becomes a blob.
    fn slot<'a>(&self, write: Write<'a>) -> Result<Slot<'a>> {
        let options = &self.0.context.options;
        options.check_key(write.key)?;
        let Some(value) = write.value else { return Ok(Slot::Delete) };
        options.check_value(value)?;
        let expire_at_ms = write.ttl.map(|ttl| self.expiry(ttl)).transpose()?;
        if (value.len() as u64) < options.blob_threshold {
            return Ok(Slot::Inline { value, expire_at_ms });
        }
        Ok(Slot::Blob { id: BlobId::of(value), value: Bytes::copy_from_slice(value), expire_at_ms })
    }

    fn expiry(&self, ttl: Duration) -> Result<u64> {
        let now_ms = self.0.context.host.now_unix_ns() / 1_000_000;
        let ttl_ms = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let at = now_ms.checked_add(ttl_ms).filter(|at| ttl_ms > 0 && i64::try_from(*at).is_ok());
        at.ok_or_else(|| {
            Error::invalid(format!("ttl is {ttl:?}: above zero, and an end within 63 bits of milliseconds"))
        })
    }

    async fn append<'a, W>(&self, writes: W) -> Result<u64>
    where
        W: ExactSizeIterator<Item = (&'a [u8], Slot<'a>)>,
    {
        let Handle { context, .. } = &*self.0;
        let mut writes = Some(writes);
        let mut since = None;
        let mut backoff = Backoff::new(20, 1_000);
        loop {
            if let Some(sequence) = self.try_append(&mut writes)? {
                return Ok(sequence);
            }
            let since = *since.get_or_insert_with(|| {
                let pending_bytes = self.uncommitted_bytes();
                context.requests.observe(|| Event::Backpressure { pending_bytes });
                Moment::now(context.host.as_ref())
            });
            let waited_ms = since.elapsed_ms(context.host.as_ref());
            let left_ms = millis(context.options.put_deadline).saturating_sub(waited_ms);
            if left_ms == 0 {
                let pending_bytes = self.uncommitted_bytes();
                return Err(Error::Backpressure { pending_bytes, waited_ms });
            }
            let deadline = context.host.sleep(Duration::from_millis(left_ms));
            let step = async {
                let result = self.step().await;
                if result.as_ref().is_err_and(is_transient) {
                    backoff.pause(context.host.as_ref()).await;
                }
                result
            };
            match future::select(pin!(step), deadline).await {
                Either::Left((Err(error), _)) if !is_transient(&error) => return Err(error),
                _ => {}
            }
        }
    }

    /// `None`: at the bound; the writes are still there.
    fn try_append<'a, W>(&self, writes: &mut Option<W>) -> Result<Option<u64>>
    where
        W: ExactSizeIterator<Item = (&'a [u8], Slot<'a>)>,
    {
        let Handle { context, buffer, .. } = &*self.0;
        let mut state = buffer.lock();
        let count = writes.as_ref().map_or(0, |writes| writes.len() as u64);
        if !state.has_room(count, context)? {
            return Ok(None);
        }
        let (last, look) = state.append(writes.take().into_iter().flatten(), context);
        drop(state);
        if look {
            buffer.signal.notify();
        }
        Ok(Some(last))
    }

    async fn commit_up_to(&self, target: u64) -> Result<()> {
        let Handle { context, buffer, .. } = &*self.0;
        loop {
            {
                let mut state = buffer.lock();
                if state.place(target, context) == Place::Committed {
                    return Ok(());
                }
                state.check_not_failed()?;
                if let Place::Active(_) = state.place(target, context) {
                    // At the bound it stays active until an older one is committed.
                    state.rotate(context);
                }
            }
            self.step().await?;
        }
    }

    /// The step that runs, or a new one: the commit of the oldest pending memtable.
    pub(super) fn step(&self) -> Step {
        let mut slot = self.0.step.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = slot.as_ref().filter(|step| step.peek().is_none()) {
            return running.clone();
        }
        let step: BoxFuture<'static, Result<()>> = match self.0.buffer.take_flusher() {
            Some(flusher) => Box::pin(flusher.step(self.0.buffer.clone())),
            // Only where a step panicked.
            None => Box::pin(future::ready(Err(Error::Closed { what: "the writer (a flush panicked)" }))),
        };
        let step = step.shared();
        *slot = Some(step.clone());
        step
    }
}
