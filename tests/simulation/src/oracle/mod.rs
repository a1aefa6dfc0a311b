//! The oracle: watches the bucket and what the processes are told, and names what must never happen.

mod ages;
mod check;
mod manifest;
mod model;

pub use check::{Check, Violation};
pub use manifest::{Flush, ManifestHistory, Removal};
pub use model::{Committed, Model, Written};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isledb_core::format::manifest::SstMeta;
use isledb_core::manifest::state::State;

use crate::executor::Handle;
use crate::replay::{PlainState, PlainTable};
use crate::store::{Objects, Watch};

/// Watches one run. The first violation ends it.
pub struct Oracle {
    handle: Handle,
    inner: Mutex<Inner>,
}

struct Inner {
    history: ManifestHistory,
    model: Model,
    /// Flushes and removals that the model has.
    modelled: (usize, usize),
    violation: Option<Violation>,
}

impl Inner {
    fn written(&mut self, objects: &Objects, key: &str, now_ms: u64) -> Result<(), Violation> {
        self.history.written(objects, key, now_ms)?;
        for flush in &self.history.flushes()[self.modelled.0..] {
            self.modelled.0 += 1;
            if let Some(owner) = self.history.owner_of(flush.epoch) {
                self.model.commit(owner, flush)?;
            }
        }
        for removal in &self.history.removals()[self.modelled.1..] {
            self.modelled.1 += 1;
            self.model.remove(removal.clone());
        }
        Ok(())
    }
}

impl Oracle {
    /// The oracle of the database under `prefix`.
    pub fn new(handle: &Handle, prefix: &str) -> Arc<Oracle> {
        let inner = Inner {
            history: ManifestHistory::new(prefix),
            model: Model::default(),
            modelled: (0, 0),
            violation: None,
        };
        Arc::new(Oracle { handle: handle.clone(), inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was violated first.
    pub fn violation(&self) -> Option<Violation> {
        self.inner().violation.clone()
    }

    /// Something that must never happen did.
    pub fn fail(&self, check: Check, detail: impl Into<String>) {
        self.note(Err(Violation::new(check, detail)));
    }

    fn note(&self, result: Result<(), Violation>) {
        let Err(violation) = result else { return };
        self.handle.line(format_args!("VIOLATION {violation}"));
        self.inner().violation.get_or_insert(violation);
        self.handle.halt();
    }

    fn with<T>(&self, look: impl FnOnce(&mut ManifestHistory) -> T) -> T {
        look(&mut self.inner().history)
    }

    /// Looks at the history of the manifest.
    pub fn look<T>(&self, look: impl FnOnce(&ManifestHistory) -> T) -> T {
        look(&self.inner().history)
    }

    /// Looks at the model of the data.
    pub fn look_at_data<T>(&self, look: impl FnOnce(&Model) -> T) -> T {
        look(&self.inner().model)
    }

    /// A writer accepted a write of `owner`, under this sequence number.
    pub fn accepted(&self, owner: &str, sequence: u64, written: Written) {
        let result = self.inner().model.accept(owner, sequence, written);
        self.note(result);
    }

    /// The writes of `owner` with these sequence numbers were one batch.
    pub fn accepted_batch(&self, owner: &str, first: u64, last: u64) {
        self.inner().model.accept_batch(owner, first, last);
    }

    /// `owner` was told that it holds the role of writers, having asked for it when CURRENT had that `next_seq`: its claim lies
    /// in no earlier slot.
    pub fn claimed(&self, owner: &str, asked_at: u64) {
        let slot = self.look(|history| history.claim_of(owner));
        if slot.is_none_or(|slot| slot < asked_at) {
            let detail = format!("{owner}: asked at {asked_at}, its claim is in slot {slot:?}");
            self.fail(Check::ClaimOutOfOrder, detail);
        }
    }

    /// `owner` was told that its sequence numbers `first..=last` are committed.
    pub fn acknowledged(&self, owner: &str, first: u64, last: u64) {
        self.handle.line(format_args!("{owner}: {first}..={last} acknowledged"));
        let result = self.with(|history| history.acknowledged(owner, first, last));
        self.note(result);
    }

    /// `owner` was told that nothing of `first..=last` is committed, and it will not try again.
    pub fn not_committed(&self, owner: &str, first: u64, last: u64) {
        self.handle.line(format_args!("{owner}: {first}..={last} reported as not committed"));
        let result = self.with(|history| history.reported_not_committed(owner, first, last));
        self.note(result);
    }

    /// An engine holds this state for the CURRENT with this `next_seq`.
    pub fn engine_state(&self, who: &str, next_seq: u64, state: &State) {
        let result = self.with(|history| match history.state_at(next_seq) {
            Some(theirs) if is_same(theirs, state) => Ok(()),
            theirs => {
                let detail = format!("{who} at next_seq {next_seq}: engine {state:?}; replay {theirs:?}");
                Err(Violation::new(Check::ReplayDiffers, detail))
            }
        });
        self.note(result);
    }
}

impl Watch for Oracle {
    fn written(&self, objects: &Objects, key: &str) {
        let now_ms = self.handle.now_ns() / 1_000_000;
        let result = self.inner().written(objects, key, now_ms);
        self.note(result);
    }

    fn deleted(&self, _: &Objects, key: &str) {
        let now_ms = self.handle.now_ns() / 1_000_000;
        let result = self.with(|history| history.deleted(key, now_ms));
        self.note(result);
    }
}

/// The engine's state is what the plain replay makes of the same CURRENT.
fn is_same(plain: &PlainState, state: &State) -> bool {
    let table = |(plain, meta): (&Arc<PlainTable>, &Arc<SstMeta>)| {
        plain.id == meta.id
            && (plain.epoch, plain.sequences) == (meta.epoch, (meta.seq_lo, meta.seq_hi))
            && (plain.keys.0 == meta.min_key && plain.keys.1 == meta.max_key)
            && (plain.size, plain.level) == (meta.size, i64::from(meta.level))
    };
    let tables = |plain: &[Arc<PlainTable>], ours: &[Arc<SstMeta>]| {
        plain.len() == ours.len() && plain.iter().zip(ours).all(table)
    };
    (plain.next_epoch, plain.log_seq) == (state.next_epoch, state.log_seq)
        && plain.next_run == u64::from(state.next_sorted_run_id)
        && tables(&plain.l0, &state.l0)
        && plain.runs.len() == state.runs.len()
        && plain
            .runs
            .iter()
            .zip(&state.runs)
            .all(|(plain, run)| plain.0 == u64::from(run.id) && tables(&plain.1, &run.ssts))
}
