//! The oracle: watches the bucket and what the processes are told, and names what must never happen.

mod check;
mod manifest;
mod model;

pub use check::{Check, Violation};
pub use manifest::{Flush, ManifestHistory, Removal};
pub use model::{Committed, Model, Written};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    fn written(&mut self, objects: &Objects, key: &str) -> Result<(), Violation> {
        self.history.written(objects, key)?;
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
        let ours = plain(state);
        let result = self.with(|history| match history.state_at(next_seq) {
            Some(theirs) if *theirs == ours => Ok(()),
            theirs => {
                let detail = format!("{who} at next_seq {next_seq}: engine {ours:?}; replay {theirs:?}");
                Err(Violation::new(Check::ReplayDiffers, detail))
            }
        });
        self.note(result);
    }
}

impl Watch for Oracle {
    fn written(&self, objects: &Objects, key: &str) {
        let result = self.inner().written(objects, key);
        self.note(result);
    }

    fn deleted(&self, objects: &Objects, key: &str) {
        let result = self.with(|history| history.deleted(objects, key));
        self.note(result);
    }
}

/// The engine's state in the words of the plain replay.
fn plain(state: &State) -> PlainState {
    let table = |meta: &Arc<SstMeta>| PlainTable {
        id: meta.id.clone(),
        epoch: meta.epoch,
        sequences: (meta.seq_lo, meta.seq_hi),
        keys: (STANDARD.encode(&meta.min_key), STANDARD.encode(&meta.max_key)),
        size: meta.size,
        level: i64::from(meta.level),
    };
    PlainState {
        next_epoch: state.next_epoch,
        log_seq: state.log_seq,
        l0: state.l0.iter().map(table).collect(),
        runs: state
            .runs
            .iter()
            .map(|run| (u64::from(run.id), run.ssts.iter().map(table).collect()))
            .collect(),
        next_run: u64::from(state.next_sorted_run_id),
    }
}
