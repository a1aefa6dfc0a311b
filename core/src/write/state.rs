//! What puts and flushes share: the active memtable, those that wait, and how far the commits are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Context;
use super::flush::Flusher;
use super::memtable::{Memtable, Slot, Spare};
use super::signal::Signal;
use crate::error::{Error, Result};
use crate::format::sst::MAX_SEQUENCE;
use crate::host::Moment;
use crate::mutation::{Mutation, mutated};

/// The writer's memory, and the signal that it changed. No lock is held over an await.
pub(super) struct Buffer {
    state: Mutex<State>,
    pub(super) signal: Signal,
}

pub(super) struct State {
    active: Memtable,
    /// When the active memtable got its first write.
    active_since: Option<Moment>,
    /// Full memtables that are not committed, oldest first; those on their way are among them.
    pending: VecDeque<Pending>,
    pending_bytes: u64,
    /// Of the memtable that was committed last.
    spare: Spare,
    committed: u64,
    /// Tables in level 0, as of the last commit or look.
    l0_tables: u64,
    /// Why no call can succeed any more.
    failed: Option<Error>,
    phase: Phase,
    /// Here while no step runs.
    flusher: Option<Box<Flusher>>,
}

/// A memtable that takes no more writes.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) memtable: Arc<Memtable>,
    /// No write in it is younger.
    pub(super) closed_at_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// `close` was called: no more writes, but flushes until all is committed.
    Closing,
    Closed,
}

/// Where the write of a sequence number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Committed,
    Pending,
    /// In the active memtable, since that many milliseconds at most.
    Active(u64),
    /// No write has it yet.
    Future,
}

/// What the background has to do.
pub(super) enum Due {
    /// Nothing, for good.
    Closed,
    Step,
    /// The active memtable, in that many milliseconds.
    In(u64),
    /// Nothing until something changes.
    Nothing,
}

impl Buffer {
    pub(super) fn new(flusher: Flusher, next_sequence: u64) -> Buffer {
        let l0_tables = flusher.l0_tables();
        let state = State {
            active: Memtable::new(next_sequence),
            active_since: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            spare: Spare::default(),
            committed: next_sequence - 1,
            l0_tables,
            failed: None,
            phase: Phase::Open,
            flusher: Some(Box::new(flusher)),
        };
        Buffer { state: Mutex::new(state), signal: Signal::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became pending after the memtable that begins at `known`.
    pub(super) fn pending_after(&self, known: Option<u64>) -> Vec<Pending> {
        let state = self.lock();
        let new =
            state.pending.iter().filter(|p| known.is_none_or(|known| p.memtable.first_sequence() > known));
        new.cloned().collect()
    }

    /// The flusher, if no step has it.
    pub(super) fn take_flusher(&self) -> Option<Box<Flusher>> {
        self.lock().flusher.take()
    }

    /// The end of a step: the flusher comes back, and the oldest memtable goes if it was committed.
    pub(super) fn finish_step(&self, flusher: Box<Flusher>, committed_one: &Result<bool>) {
        let mut state = self.lock();
        match committed_one {
            Ok(true) => {
                if let Some(done) = state.pending.pop_front() {
                    state.committed = done.memtable.next_sequence() - 1;
                    state.pending_bytes -= done.memtable.bytes();
                    if let Some(done) = Arc::into_inner(done.memtable) {
                        state.spare = done.into_spare();
                    }
                }
            }
            Ok(false) => {}
            Err(error) if is_final(error) => state.failed = Some(error.clone()),
            Err(_) => {}
        }
        state.l0_tables = flusher.l0_tables();
        state.flusher = Some(flusher);
        drop(state);
        self.signal.notify();
    }
}

impl State {
    /// True if `count` writes may go to the active memtable now. Makes room by rotating where that is possible; where level 0
    /// is full, only merges make it.
    ///
    /// Errors: what failed for good, `Closed`, `Unsupported` when the sequence numbers are used up.
    pub(super) fn has_room(&mut self, count: u64, context: &Context) -> Result<bool> {
        self.check_open()?;
        if count > MAX_SEQUENCE.saturating_sub(self.active.next_sequence()) {
            let object = context.layout.current();
            return Err(Error::Unsupported { object, what: "more than 2^56 writes".to_owned() });
        }
        if context.options.l0_limit.is_some_and(|limit| self.l0_tables >= u64::from(limit)) {
            return Ok(false);
        }
        Ok(self.active.bytes() < context.options.memtable_size || self.rotate(context))
    }

    /// Appends writes to the active memtable. Returns the last sequence number, and whether somebody who waits for
    /// something to do should look.
    pub(super) fn append<'a>(
        &mut self,
        writes: impl Iterator<Item = (&'a [u8], Slot<'a>)>,
        context: &Context,
    ) -> (u64, bool) {
        let was_empty = self.active.is_empty();
        for (key, slot) in writes {
            if mutated(Mutation::BatchIsSplit) && self.active.bytes() >= context.options.memtable_size {
                self.rotate(context);
            }
            self.active.push(key, slot);
        }
        if was_empty && !self.active.is_empty() {
            self.active_since = Some(Moment::now(context.host.as_ref()));
        }
        let last = self.last_sequence();
        let full = self.active.bytes() >= context.options.memtable_size && self.rotate(context);
        (last, was_empty || full)
    }

    /// Makes the active memtable a pending one. False: too many are pending already. An empty one stays.
    pub(super) fn rotate(&mut self, context: &Context) -> bool {
        if self.active.is_empty() {
            return true;
        }
        if self.pending.len() >= context.options.max_pending_memtables as usize {
            return false;
        }
        let next = Memtable::reusing(std::mem::take(&mut self.spare), self.active.next_sequence());
        let full = std::mem::replace(&mut self.active, next);
        self.active_since = None;
        self.pending_bytes += full.bytes();
        let closed_at_ms = context.host.now_unix_ns() / 1_000_000;
        self.pending.push_back(Pending { memtable: Arc::new(full), closed_at_ms });
        true
    }

    pub(super) fn place(&self, sequence: u64, context: &Context) -> Place {
        if sequence <= self.committed || mutated(Mutation::AcknowledgedTooEarly) {
            Place::Committed
        } else if sequence < self.active.first_sequence() {
            Place::Pending
        } else if sequence < self.active.next_sequence() {
            Place::Active(self.active_age_ms(context))
        } else {
            Place::Future
        }
    }

    /// What the background has to do now. Errors: what failed for good.
    pub(super) fn due(&mut self, context: &Context) -> Result<Due> {
        self.check_not_failed()?;
        if self.phase == Phase::Closed {
            return Ok(Due::Closed);
        }
        if self.pending.is_empty() && !self.active.is_empty() {
            let interval_ms = context.flush_interval_ms();
            if interval_ms == 0 {
                return Ok(Due::Nothing);
            }
            let left = interval_ms.saturating_sub(self.active_age_ms(context));
            if left > 0 {
                return Ok(Due::In(left));
            }
            self.rotate(context);
        }
        Ok(if self.pending.is_empty() { Due::Nothing } else { Due::Step })
    }

    pub(super) fn check_not_failed(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Errors: what failed for good; `Closed` from the first call of `close` on.
    pub(super) fn check_open(&self) -> Result<()> {
        self.check_not_failed()?;
        if self.phase == Phase::Open { Ok(()) } else { Err(Error::Closed { what: "the writer" }) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    pub(super) fn is_finished(&self) -> bool {
        self.is_closed() || self.failed.is_some()
    }

    pub(super) fn begin_close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    pub(super) fn end_close(&mut self) {
        self.phase = Phase::Closed;
    }

    pub(super) fn last_sequence(&self) -> u64 {
        self.active.next_sequence() - 1
    }

    pub(super) fn committed_sequence(&self) -> u64 {
        self.committed
    }

    /// Bytes that a crash would lose.
    pub(super) fn uncommitted_bytes(&self) -> u64 {
        self.pending_bytes + self.active.bytes()
    }

    fn active_age_ms(&self, context: &Context) -> u64 {
        self.active_since.map_or(0, |since| since.elapsed_ms(context.host.as_ref()))
    }
}

/// No later call can change it.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(error, Error::Fenced { .. } | Error::OutcomeUnknown { retry: false, .. })
}

/// A later call may well succeed.
pub(super) fn is_transient(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable { .. }
            | Error::Timeout { .. }
            | Error::Precondition { .. }
            | Error::OutcomeUnknown { retry: true, .. }
    )
}
