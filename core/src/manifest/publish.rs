//! Publishing one entry: the numbered slot is the decision, CURRENT is the visibility.
//!
//! The steps and their names follow the protocol's description: a slot is put if absent; whoever finds a decided slot that
//! CURRENT does not cover yet covers it for its author (helps); a slot whose put was not answered is *unsettled*, and its
//! author asks for no other before it knows whose it is. Every phase below is one request, and what is known so far lies in
//! [`Pending`], so that a cancelled or failed call goes on where it was.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::claim::ClaimStep;
use super::draft::Draft;
use super::lsn::LsnExtractor;
use super::storage::ManifestStorage;
use super::view::ManifestView;
use crate::error::{Error, Result};
use crate::format::ksuid::Ksuid;
use crate::format::manifest::{Effects, FenceToken, LogEntry, Role};
use crate::format::time::Timestamp;
use crate::host::{Backoff, Host, Moment};
use crate::mutation::{Mutation, mutated};

/// Pause between tries: full jitter, doubling.
const FIRST_PAUSE_MS: u64 = 20;
const MAX_PAUSE_MS: u64 = 2_000;

/// A committed entry.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its slot in the log.
    pub slot: u64,
    /// The entry as it stands in the slot. Its table may be an earlier upload of the same flush.
    pub entry: LogEntry,
}

/// How a call of [`Publisher::publish`] ended, when it did not fail.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// Committed.
    Committed(Box<Published>),
    /// Not committed yet, and something the entry relies on is too old: make it again, give it to
    /// [`Publisher::renew`], then [`Publisher::resume`].
    Stale,
}

/// An entry that is being published. It says at every await what is known, so that a dropped future loses nothing.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: Ksuid,
    pub(super) ts: Timestamp,
    pub(super) draft: Draft,
    /// Claims only: what the entry is for.
    pub(super) claim: Option<ClaimStep>,
    /// The entry and its bytes, as made for `slot`.
    pub(super) encoded: Option<(LogEntry, Bytes)>,
    /// The slot that was asked for, while it is not known to be somebody else's.
    pub(super) slot: Option<u64>,
    /// The slot is known to be ours.
    pub(super) placed: bool,
    /// The last refusal of a put of the slot.
    pub(super) refusal: Option<Error>,
    pub(super) phase: Phase,
}

/// Where a pending entry stands.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Read CURRENT; begin, or begin again.
    Base,
    /// Check the fence, make the entry for the next slot.
    Build,
    /// Set the fence in CURRENT before the claim entry (only to take a role from an original).
    FenceFirst,
    /// Put the slot if absent.
    Put,
    /// The put was not answered "created": read the slot.
    ReadSlot,
    /// The slot is somebody else's: read CURRENT again.
    Regard(Decided),
    /// CURRENT does not cover that slot yet: cover it for its author.
    Help(Decided),
    /// The slot is ours: cover it.
    Cover,
    /// The cover was not done, or the base is new: whose is the slot?
    Recheck,
    /// The slot lies below the window: what can still be told of it?
    Settle,
}

/// An entry as it stands in its slot.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) entry: Box<LogEntry>,
    pub(super) raw: Bytes,
}

/// How one phase ended.
pub(super) enum Step {
    Go(Phase),
    /// The same after a pause: somebody else is at work, or the store refused.
    Pause(Phase),
    Done(Attempt),
    /// The outcome is decided, and it is not a commit.
    Failed(Error),
}

/// One role of one owner: its token, the newest base it knows, and the entry that it is publishing, if any.
pub struct Publisher {
    pub(super) storage: Arc<dyn ManifestStorage>,
    pub(super) host: Arc<dyn Host>,
    pub(super) role: Role,
    pub(super) owner: String,
    pub(super) epoch: u64,
    pub(super) beside_original: bool,
    /// Settings that the next claim entry carries into CURRENT.
    pub(super) settings: Effects,
    pub(super) deadline_ms: u64,
    /// What reads LSNs from keys, where the database has such keys.
    pub(super) lsn: Option<Arc<dyn LsnExtractor>>,
    /// The base: CURRENT, its version and the state that it stands for.
    pub(super) view: ManifestView,
    pub(super) pending: Option<Pending>,
    pub(super) previous: Option<FenceToken>,
}

/// Everything that decides what it does next: two that show the same, over the same objects, go on alike.
impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("role", &self.role)
            .field("owner", &self.owner)
            .field("epoch", &self.epoch)
            .field("beside_original", &self.beside_original)
            .field("settings", &self.settings)
            .field("deadline_ms", &self.deadline_ms)
            .field("view", &self.view)
            .field("pending", &self.pending)
            .field("previous", &self.previous)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// Publishes one entry: two requests in series (slot, CURRENT) where nobody interferes.
    ///
    /// Errors: `Fenced`: not committed, and this publisher is finished. `OutcomeUnknown` with `retry`: the store stayed
    /// unreachable past the deadline; the entry keeps its identity and [`Publisher::resume`] settles it. Without `retry`:
    /// unknown for good. `Precondition`: an input is no longer in the state. Everything else: not committed.
    pub async fn publish(&mut self, draft: Draft) -> Result<Attempt> {
        if self.pending.is_some() {
            return Err(Error::invalid("an earlier entry is not settled: resume it first"));
        }
        self.begin(draft, None);
        self.drive().await
    }

    /// Goes on with the entry that is not settled; `None` if there is none.
    pub async fn resume(&mut self) -> Result<Option<Attempt>> {
        match self.pending {
            Some(_) => self.drive().await.map(Some),
            None => Ok(None),
        }
    }

    /// True while an entry is not settled.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Replaces what the pending entry relies on: the same flush, uploaded again. The entry keeps its id.
    pub fn renew(&mut self, draft: Draft) {
        if let Some(pending) = &mut self.pending {
            pending.draft = draft;
            pending.encoded = None;
        }
    }

    /// `Fenced` where the base shows another owner of the role: this publisher is finished. No request; see
    /// [`Publisher::refresh`].
    pub fn check_role(&self) -> Result<()> {
        if self.owns(&self.view.current) { Ok(()) } else { Err(self.fenced()) }
    }

    /// The base that the next entry starts from.
    pub fn view(&self) -> &ManifestView {
        &self.view
    }

    /// The lowest sequence number above every committed one, as of the base.
    pub fn next_sequence(&self) -> u64 {
        self.view.next_sequence()
    }

    /// The epoch for the id of the next table.
    pub fn next_table_epoch(&self) -> u64 {
        self.view.current.next_epoch.max(self.view.state().next_epoch).max(1)
    }

    /// This publisher's fence token epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// This publisher's owner name, with its random part.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Who held the role before it was claimed.
    pub fn previous(&self) -> Option<&FenceToken> {
        self.previous.as_ref()
    }

    pub(super) fn begin(&mut self, draft: Draft, claim: Option<ClaimStep>) {
        let (id, ts) = self.new_id();
        self.pending = Some(Pending {
            id,
            ts,
            draft,
            claim,
            encoded: None,
            slot: None,
            placed: false,
            refusal: None,
            phase: Phase::Build,
        });
    }

    pub(super) fn new_id(&self) -> (Ksuid, Timestamp) {
        let mut random = [0; 16];
        self.host.fill_random(&mut random);
        let now = self.host.now_unix_ns();
        (Ksuid::new(now, random), Timestamp::from_unix_ns(now))
    }

    pub(super) async fn drive(&mut self) -> Result<Attempt> {
        let started = Moment::now(self.host.as_ref());
        let mut backoff = Backoff::new(FIRST_PAUSE_MS, MAX_PAUSE_MS);
        loop {
            match self.step().await {
                Ok(Step::Go(phase)) => self.go(phase),
                Ok(Step::Pause(phase)) => {
                    self.go(phase);
                    if started.elapsed_ms(self.host.as_ref()) >= self.deadline_ms {
                        let what = "publishing an entry".to_owned();
                        return Err(self.give_up(Error::Timeout { what, limit_ms: self.deadline_ms }));
                    }
                    backoff.pause(self.host.as_ref()).await;
                }
                Ok(Step::Done(Attempt::Stale)) => return Ok(Attempt::Stale),
                Ok(Step::Done(done)) => {
                    self.pending = None;
                    return Ok(done);
                }
                Ok(Step::Failed(error)) => {
                    self.pending = None;
                    return Err(error);
                }
                Err(error) => return Err(self.give_up(error)),
            }
        }
    }

    fn go(&mut self, phase: Phase) {
        if let Some(pending) = &mut self.pending {
            pending.phase = phase;
        }
    }

    /// The call ends without a decision. A slot that was asked for stays pending; else nothing was committed.
    fn give_up(&mut self, error: Error) -> Error {
        match self.pending.take() {
            Some(pending) if pending.slot.is_some() && !mutated(Mutation::ForgetsOpenOutcome) => {
                let unknown = unknown(&pending.draft, error.to_string(), true);
                self.pending = Some(pending);
                unknown
            }
            _ => error,
        }
    }
}

pub(super) fn unknown(draft: &Draft, message: String, retry: bool) -> Error {
    let (first_sequence, last_sequence) = draft.sequences();
    Error::OutcomeUnknown { what: draft.name(), first_sequence, last_sequence, message, retry }
}
