//! Claiming a role: one published entry whose cover sets the fence.

use std::sync::Arc;

use super::draft::Draft;
use super::lsn::LsnExtractor;
use super::publish::{Attempt, Phase, Published, Publisher, Step};
use super::storage::ManifestStorage;
use super::view::ManifestView;
use crate::error::{Error, Result, within};
use crate::format::ksuid::Ksuid;
use crate::format::manifest::{Effect, Effects, FenceToken, LogEntry, Op, Role};
use crate::host::Host;
use crate::mutation::{Mutation, mutated};

/// `max_view_age_ms` of a database that we make.
pub const NEW_DATABASE_MAX_VIEW_AGE_MS: u64 = 3_600_000;

/// How to claim a role.
#[derive(Debug, Clone)]
pub struct ClaimOptions {
    /// Name of the owner; a random part is always appended, so that a restarted process is a new owner.
    pub owner: String,
    /// False: refuse (`Fenced`) where the role has another owner.
    pub takeover: bool,
    /// A process of the original may hold or take this role while we run: repeat the own claim after each snapshot.
    pub beside_original: bool,
    /// Sets the database's `max_view_age_ms`; `None` leaves it (1 h in a new database).
    pub max_view_age_ms: Option<u64>,
    /// Sets the database's `change_retention_ms`; `None` leaves it (1 h where it is not set).
    pub change_retention_ms: Option<u64>,
    /// How long one publication tries before its outcome is reported as unknown, in milliseconds.
    pub deadline_ms: u64,
    /// Reads LSNs from keys: what this owner publishes moves `max_committed_lsn` and `low_watermark_lsn`. `None` leaves them.
    pub lsn: Option<Arc<dyn LsnExtractor>>,
}

impl Default for ClaimOptions {
    fn default() -> ClaimOptions {
        ClaimOptions {
            owner: "isledb".to_owned(),
            takeover: true,
            beside_original: false,
            max_view_age_ms: None,
            change_retention_ms: None,
            deadline_ms: 60_000,
            lsn: None,
        }
    }
}

impl ClaimOptions {
    /// Errors: `InvalidArgument` with the first option out of its bounds. The deadline is bounded under the names that the
    /// owners of a role give it.
    pub fn validate(&self) -> Result<()> {
        const DAY_MS: u64 = 86_400_000;
        if let Some(age_ms) = self.max_view_age_ms {
            within("max_view_age (ms)", age_ms, 1_000..=7 * DAY_MS)?;
        }
        if let Some(retention_ms) = self.change_retention_ms {
            within("change_retention (ms)", retention_ms, 0..=3_653 * DAY_MS)?;
        }
        within("owner (bytes)", self.owner.len() as u64, 1..=128)?;
        if !self.owner.bytes().all(|b| b.is_ascii_graphic()) {
            let what = format!("owner {:?}: only printable ASCII without spaces", self.owner);
            return Err(Error::invalid(what));
        }
        Ok(())
    }
}

/// What a claim entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimStep {
    /// The claim: its cover sets the fence.
    Claim,
    /// Beside an original: the predecessor's claim once more, so that the window has one.
    Predecessor,
    /// Beside an original: the claim entry for a fence that was set first.
    Second,
    /// Beside an original: the own claim once more, after a snapshot.
    Repeat,
}

/// Our owner names end in `~` and a KSUID; the original's do not.
pub(super) fn is_ours(owner: &str) -> bool {
    owner.rsplit_once('~').is_some_and(|(_, id)| id.parse::<Ksuid>().is_ok())
}

impl Publisher {
    /// Looks, where there is no CURRENT, whether there is a log: one entry is a first claim that died half way, which the
    /// claim will help; more is a database that lost its CURRENT, and an error. Returns the view to claim from.
    ///
    /// A store that cannot list is asked for the second entry, so there a log that was trimmed since is not seen.
    ///
    /// Cost: one LIST (or GET) without CURRENT, else nothing.
    pub async fn prepare_claim(
        storage: &dyn ManifestStorage,
        host: &dyn Host,
        view: ManifestView,
    ) -> Result<ManifestView> {
        if view.exists() {
            return Ok(view);
        }
        let slots = match storage.list_log(0).await {
            Err(Error::Unsupported { .. }) => match storage.read_log(2).await {
                Ok(_) => vec![2],
                Err(Error::NotFound { .. }) => Vec::new(),
                Err(error) => return Err(error),
            },
            listed => listed?,
        };
        let Some(last) = slots.last().filter(|slot| **slot > 1) else { return Ok(view) };
        // Somebody may have made the database while we looked.
        let (again, _) = view.refresh(storage, host).await?;
        if again.exists() {
            return Ok(again);
        }
        let object = storage.layout().current();
        let expected = format!("CURRENT, for the log has an entry at slot {last}");
        Err(Error::corrupt(&object, None, expected, "no such object"))
    }

    /// Claims `role` in the database that `view` (read just now, see [`Publisher::prepare_claim`]) shows.
    ///
    /// Cost: two requests in series; two or three more to take a role from an original. Afterwards [`Publisher::view`] is the state that counters are seeded from.
    ///
    /// Errors: `Fenced` without `takeover` where the role is held. A claim that fails for want of a store may still
    /// succeed later; that fences its predecessor and harms nothing else.
    pub async fn claim(
        storage: Arc<dyn ManifestStorage>,
        host: Arc<dyn Host>,
        role: Role,
        options: &ClaimOptions,
        view: ManifestView,
    ) -> Result<Publisher> {
        if options.owner.len() > 200 {
            return Err(Error::invalid(format!("owner name of {} bytes; at most 200", options.owner.len())));
        }
        let settings = Effects {
            max_view_age_ms: options.max_view_age_ms.map_or(Effect::Unchanged, Effect::Set),
            change_retention_ms: options.change_retention_ms.map_or(Effect::Unchanged, Effect::Set),
            ..Effects::default()
        };
        let mut publisher = Publisher {
            storage,
            host,
            role,
            owner: String::new(),
            epoch: 0,
            beside_original: options.beside_original,
            settings,
            deadline_ms: options.deadline_ms,
            lsn: options.lsn.clone(),
            view,
            pending: None,
            previous: None,
        };
        publisher.owner = format!("{}~{}", options.owner, publisher.new_id().0);
        if let Some(fence) = publisher.view.current.fence(role)
            && !options.takeover
        {
            let (holder, epoch) = (fence.owner.clone(), fence.epoch);
            return Err(Error::Fenced { role: role.name(), holder, epoch });
        }
        let claimed_at = publisher.new_id().1;
        let op = Op::FenceClaim { role, epoch: 0, owner: publisher.owner.clone(), claimed_at };
        publisher.begin(Draft { op, reliances: Vec::new(), moved: Vec::new() }, Some(ClaimStep::Claim));
        match publisher.drive().await? {
            Attempt::Committed(_) => Ok(publisher),
            Attempt::Stale => Err(Error::invalid("a claim relies on nothing")),
        }
    }

    pub(super) fn build_claim(&mut self) -> Result<Step> {
        let fence = self.view.current.fence(self.role).cloned();
        let step = self.pending()?.claim;
        match step {
            Some(ClaimStep::Second | ClaimStep::Repeat) if !self.owns(&self.view.current) => {
                if step == Some(ClaimStep::Repeat) {
                    return Ok(Step::Failed(self.fenced()));
                }
                self.next_claim(Some(ClaimStep::Claim))
            }
            Some(ClaimStep::Second | ClaimStep::Repeat) => self.encode_claim(self.epoch),
            _ => {
                let epoch = fence.as_ref().map_or(0, |fence| fence.epoch).saturating_add(1);
                match fence {
                    Some(old) if !is_ours(&old.owner) || mutated(Mutation::FenceBeforeEntry) => {
                        self.previous = Some(old.clone());
                        if self.view.replay.window_has_claim(self.role) {
                            return Ok(Step::Go(Phase::FenceFirst));
                        }
                        self.pending()?.claim = Some(ClaimStep::Predecessor);
                        let FenceToken { epoch, owner, claimed_at } = old;
                        let op = Op::FenceClaim { role: self.role, epoch, owner, claimed_at };
                        let next_sequence = Some(self.next_sequence());
                        self.encode(op, epoch, Effects { next_sequence, ..Effects::default() })
                    }
                    old => {
                        if old.as_ref().is_none_or(|old| old.owner != self.owner) {
                            self.previous = old;
                        }
                        self.pending()?.claim = Some(ClaimStep::Claim);
                        self.epoch = epoch;
                        self.encode_claim(epoch)
                    }
                }
            }
        }
    }

    /// Beside an original: the own claim goes first, then the entry that waits.
    pub(super) fn build_repeated_claim(&mut self) -> Result<Step> {
        self.pending()?.claim = Some(ClaimStep::Repeat);
        self.encode_claim(self.epoch)
    }

    fn encode_claim(&mut self, epoch: u64) -> Result<Step> {
        let claimed_at = self.pending()?.ts;
        let op = Op::FenceClaim { role: self.role, epoch, owner: self.owner.clone(), claimed_at };
        let Effects { max_committed_lsn, low_watermark_lsn, .. } = self.lsn_effects(&op)?;
        let next_sequence = Some(self.next_sequence());
        let mut effects = Effects { next_sequence, max_committed_lsn, low_watermark_lsn, ..self.settings };
        if !self.view.exists() && effects.max_view_age_ms == Effect::Unchanged {
            effects.max_view_age_ms = Effect::Set(NEW_DATABASE_MAX_VIEW_AGE_MS);
        }
        self.encode(op, epoch, effects)
    }

    /// The original fences by CURRENT alone: set the fence first, so that it cannot commit behind our claim.
    pub(super) async fn fence_first(&mut self) -> Result<Step> {
        let mut next = (*self.view.current).clone();
        let epoch = next.fence(self.role).map_or(0, |fence| fence.epoch).saturating_add(1);
        let claimed_at = self.pending()?.ts;
        next.set_fence(self.role, Some(FenceToken { epoch, owner: self.owner.clone(), claimed_at }));
        match self.cas(next, &[]).await {
            Ok(()) => {
                self.epoch = epoch;
                self.next_claim(Some(ClaimStep::Second))
            }
            Err(_) => Ok(Step::Pause(Phase::Base)),
        }
    }

    /// A claim entry is covered; the claim holds if CURRENT shows it.
    pub(super) fn claim_committed(&mut self, entry: LogEntry) -> Result<Step> {
        let step = self.pending()?.claim;
        match step {
            Some(ClaimStep::Predecessor) => self.next_claim(Some(ClaimStep::Claim)),
            Some(ClaimStep::Repeat) => self.next_claim(None),
            _ if self.owns(&self.view.current) => {
                Ok(Step::Done(Attempt::Committed(Box::new(Published { slot: entry.seq, entry }))))
            }
            _ => self.next_claim(Some(ClaimStep::Claim)),
        }
    }

    /// A claim whose slot lies below the window: the fence in CURRENT tells.
    pub(super) fn settle_claim(&mut self) -> Result<Step> {
        match self.pending()?.encoded.clone() {
            Some((entry, _)) => self.claim_committed(entry),
            None => self.next_claim(Some(ClaimStep::Claim)),
        }
    }

    /// A new entry, with an id of its own, from the base.
    fn next_claim(&mut self, claim: Option<ClaimStep>) -> Result<Step> {
        let (id, ts) = self.new_id();
        let pending = self.pending()?;
        (pending.id, pending.ts, pending.claim) = (id, ts, claim);
        pending.slot = None;
        pending.placed = false;
        pending.encoded = None;
        Ok(Step::Go(Phase::Build))
    }
}
