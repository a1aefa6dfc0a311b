//! The phases of a publication: each is at most one request (reading CURRENT may bring a replay with it).

use bytes::Bytes;

use super::cover::cover;
use super::lsn::lsn_effects;
use super::publish::{Attempt, Decided, Pending, Phase, Published, Publisher, Step, unknown};
use super::view::ManifestView;
use crate::error::{Error, Result};
use crate::format::manifest::{Current, Effects, LogEntry, Op};
use crate::host::Moment;
use crate::mutation::{Mutation, mutated};

/// A base read longer ago than this is read again before a slot is put: with the life of a request (15 minutes) it stays
/// below the shortest wait of GC (one hour).
const MAX_BASE_AGE_MS: u64 = 30 * 60_000;

impl Publisher {
    pub(super) async fn step(&mut self) -> Result<Step> {
        match self.pending()?.phase.clone() {
            Phase::Base => self.read_base().await,
            Phase::Build => self.build(),
            Phase::FenceFirst => self.fence_first().await,
            Phase::Put => self.put().await,
            Phase::ReadSlot => self.read_slot().await,
            Phase::Regard(theirs) => self.regard(theirs).await,
            Phase::Help(theirs) => self.help(theirs).await,
            Phase::Cover => self.cover_own().await,
            Phase::Recheck => self.recheck().await,
            Phase::Settle => self.settle().await,
        }
    }

    pub(super) fn pending(&mut self) -> Result<&mut Pending> {
        self.pending.as_mut().ok_or_else(|| Error::invalid("no entry is being published"))
    }

    /// True if the fence in the base is this publisher's token, epoch and owner.
    pub(super) fn owns(&self, current: &Current) -> bool {
        current.fence(self.role).is_some_and(|fence| fence.epoch == self.epoch && fence.owner == self.owner)
    }

    pub(super) fn fenced(&self) -> Error {
        let fence = self.view.current.fence(self.role).cloned();
        let (holder, epoch) = fence.map_or((String::new(), 0), |fence| (fence.owner, fence.epoch));
        Error::Fenced { role: self.role.name(), holder, epoch }
    }

    /// Reads the base again if it changed: one conditional GET. What depends on the state is planned from it.
    pub async fn refresh(&mut self) -> Result<()> {
        (self.view, _) = self.view.refresh(self.storage.as_ref(), self.host.as_ref()).await?;
        Ok(())
    }

    async fn read_base(&mut self) -> Result<Step> {
        let unsettled = self.pending()?.slot.is_some();
        if unsettled {
            return Ok(Step::Go(Phase::Recheck));
        }
        self.refresh().await?;
        Ok(Step::Go(Phase::Build))
    }

    /// Steps 1 and 2: the fence in the base must be ours; then the entry is made for the base's next slot.
    fn build(&mut self) -> Result<Step> {
        if self.pending()?.claim.is_some() {
            return self.build_claim();
        }
        if !self.owns(&self.view.current) && !mutated(Mutation::FenceIsNotChecked) {
            return self.lost_role();
        }
        if self.beside_original && !self.view.replay.window_has_claim(self.role) {
            return self.build_repeated_claim();
        }
        let state = self.view.replay.clone();
        let draft = self.pending()?.draft.clone();
        if let Err(stale) = draft.check_inputs(&state.state) {
            return Ok(Step::Failed(stale));
        }
        if !draft.is_fresh(self.host.as_ref()) {
            return Ok(Step::Done(Attempt::Stale));
        }
        let next_sequence = self.next_sequence().max(draft.sequences().1.saturating_add(1));
        let effects = Effects { next_sequence: Some(next_sequence), ..self.lsn_effects(&draft.op)? };
        self.encode(draft.op, self.epoch, effects)
    }

    /// Makes the entry for the base's next slot.
    pub(super) fn encode(&mut self, op: Op, epoch: u64, effects: Effects) -> Result<Step> {
        let (slot, role) = (self.view.current.next_slot(), self.role);
        let pending = self.pending()?;
        let entry =
            LogEntry { id: pending.id, seq: slot, role, epoch, ts: pending.ts, op, effects: Some(effects) };
        let raw = entry.encode();
        pending.encoded = Some((entry, raw));
        pending.placed = false;
        pending.refusal = None;
        Ok(Step::Go(Phase::Put))
    }

    /// Step 3. The slot is unsettled from the moment the put is sent.
    async fn put(&mut self) -> Result<Step> {
        let host = self.host.clone();
        if self.view.age_ms(host.as_ref()) >= MAX_BASE_AGE_MS {
            return Ok(Step::Go(Phase::Base));
        }
        let pending = self.pending()?;
        if !pending.draft.is_fresh(host.as_ref()) {
            return Ok(Step::Done(Attempt::Stale));
        }
        let Some((entry, raw)) = pending.encoded.clone() else {
            return Ok(Step::Go(Phase::Build));
        };
        pending.slot = Some(entry.seq);
        let put = self.storage.clone();
        match put.write_log(entry.seq, raw).await {
            Ok(()) => {
                self.pending()?.placed = true;
                Ok(Step::Go(Phase::Cover))
            }
            Err(_) if mutated(Mutation::LostPutTakesNewSlot) => self.forget_slot(),
            Err(refusal) => {
                self.pending()?.refusal = Some(refusal);
                Ok(Step::Go(Phase::ReadSlot))
            }
        }
    }

    async fn read_slot(&mut self) -> Result<Step> {
        let Some(slot) = self.pending()?.slot else { return Ok(Step::Go(Phase::Base)) };
        let decided = self.read_decided(slot).await?;
        let owns = self.owns(&self.view.current);
        let pending = self.pending()?;
        match decided {
            Some(decided) if decided.entry.id == pending.id && !mutated(Mutation::OwnEntryIsNotKnown) => {
                pending.placed = true;
                pending.encoded = Some((*decided.entry, decided.raw));
                Ok(Step::Go(Phase::Cover))
            }
            Some(theirs) => Ok(Step::Go(Phase::Regard(theirs))),
            // Only an original moves the fence past an undecided slot; our put may still land behind it.
            None if pending.claim.is_none() && !owns => self.lost_role(),
            None => match pending.refusal.take() {
                // Trying again cannot help, and the caller must know why.
                Some(refusal @ (Error::Permission { .. } | Error::Unsupported { .. })) => Err(refusal),
                // The same slot again, with the entry as it was; a stale upload is replaced first.
                _ => Ok(Step::Pause(if pending.encoded.is_some() { Phase::Put } else { Phase::Build })),
            },
        }
    }

    /// The entry in a slot; `None` where there is none.
    pub(super) async fn read_decided(&self, slot: u64) -> Result<Option<Decided>> {
        let raw: Bytes = match self.view.current.inline(slot) {
            Some(raw) => raw.clone(),
            None => match self.storage.read_log(slot).await {
                Ok(raw) => raw,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let entry = Box::new(LogEntry::decode(&self.storage.layout().log(slot), slot, &raw)?);
        Ok(Some(Decided { entry, raw }))
    }

    /// The slot is somebody else's. Where the log below the floor was deleted meanwhile, what was read proves nothing.
    async fn regard(&mut self, theirs: Decided) -> Result<Step> {
        self.refresh().await?;
        let (slot, current) = (theirs.entry.seq, self.view.current.clone());
        if current.feed_floor_seq.is_some_and(|floor| floor > slot) {
            return Ok(Step::Go(Phase::Settle));
        }
        if current.next_seq > slot || mutated(Mutation::NobodyHelps) {
            return self.start_over();
        }
        Ok(Step::Go(Phase::Help(theirs)))
    }

    /// Covers a slot for its author.
    async fn help(&mut self, theirs: Decided) -> Result<Step> {
        self.settled_elsewhere()?;
        let Decided { mut entry, raw } = theirs;
        if mutated(Mutation::HelpWithoutEffects) {
            entry.effects = Some(Effects::default());
        }
        let lsns = self.cover_effects(&entry)?;
        match self.cas_cover(&entry, &raw, &lsns).await {
            Ok(()) => Ok(Step::Go(Phase::Build)),
            Err(_) => Ok(Step::Pause(Phase::Base)),
        }
    }

    /// Step 4.
    async fn cover_own(&mut self) -> Result<Step> {
        let Some((entry, raw)) = self.pending()?.encoded.clone() else { return Ok(Step::Go(Phase::Base)) };
        let lsns = self.cover_effects(&entry)?;
        match self.cas_cover(&entry, &raw, &lsns).await {
            Ok(()) => self.committed(entry),
            Err(_) if mutated(Mutation::LostCoverTakesNewSlot) => self.forget_slot(),
            Err(_) => Ok(Step::Go(Phase::Recheck)),
        }
    }

    /// CASes CURRENT to cover `entry`, and takes the result as the new base. The error says "not done", no more.
    pub(super) async fn cas_cover(&mut self, entry: &LogEntry, raw: &Bytes, lsns: &Effects) -> Result<()> {
        let mut next = cover(&self.view.current, self.view.exists(), entry, raw, lsns);
        let helps = self.pending.as_ref().is_none_or(|pending| pending.id != entry.id);
        if mutated(Mutation::HelpWithoutFence) && helps {
            next.set_fence(entry.role, self.view.current.fence(entry.role).cloned());
        }
        self.cas(next, std::slice::from_ref(entry)).await
    }

    /// What covering `entry` does to the LSNs where it does not say so itself, as those of the original.
    pub(super) fn cover_effects(&self, entry: &LogEntry) -> Result<Effects> {
        let counts = entry.epoch >= self.view.replay.active(entry.role);
        if entry.effects.is_none() && counts { self.lsn_effects(&entry.op) } else { Ok(Effects::default()) }
    }

    /// What `op`, decided on top of the base, does to the LSNs in CURRENT.
    pub(super) fn lsn_effects(&self, op: &Op) -> Result<Effects> {
        let effects = |lsn: &_| lsn_effects(lsn, &self.view.current, self.view.state(), op);
        self.lsn.as_deref().map_or(Ok(Effects::default()), effects)
    }

    /// CASes CURRENT from the base to `next`, which newly covers `entries`.
    pub(super) async fn cas(&mut self, next: Current, entries: &[LogEntry]) -> Result<()> {
        let sent = Moment::now(self.host.as_ref());
        let version = self.storage.write_current(next.encode(), self.view.version.clone()).await?;
        match self.view.advance(next, version, entries, sent)? {
            Some(view) => self.view = view,
            // The own write changed which entries count (a fence before its claim entry): replay anew.
            None => self.view = ManifestView::load(self.storage.as_ref(), self.host.as_ref()).await?,
        }
        Ok(())
    }

    /// Whose is the slot, by a CURRENT read now?
    async fn recheck(&mut self) -> Result<Step> {
        self.refresh().await?;
        let current = self.view.current.clone();
        let (placed, slot) = (self.pending()?.placed, self.pending()?.slot);
        let Some(slot) = slot else { return Ok(Step::Go(Phase::Build)) };
        if current.next_seq <= slot {
            if !placed {
                return Ok(Step::Go(Phase::ReadSlot));
            }
            let claim = self.pending()?.claim.is_some();
            if claim || self.owns(&current) {
                return Ok(Step::Pause(Phase::Cover));
            }
            // Only an original moves the fence while a slot is decided and not covered; it may have died half way.
            return self.lost_role();
        }
        if slot < current.log_seq_start {
            return Ok(Step::Go(Phase::Settle));
        }
        match self.read_decided(slot).await? {
            Some(decided) if decided.entry.id == self.pending()?.id => self.committed(*decided.entry),
            Some(_) => self.start_over(),
            None => {
                let object = self.storage.layout().log(slot);
                Err(Error::corrupt(&object, None, "the log entry of a covered slot", "no such object"))
            }
        }
    }

    /// The role is somebody else's. Nothing was committed, unless a slot of ours is unsettled: then nobody can tell.
    fn lost_role(&mut self) -> Result<Step> {
        let pending = self.pending()?;
        if pending.slot.is_none() {
            return Ok(Step::Failed(self.fenced()));
        }
        let message = "the role's fence moved before the slot was covered".to_owned();
        let unknown = unknown(&pending.draft, message, false);
        Ok(Step::Failed(unknown))
    }

    /// Our entry is committed. A claim has more to do.
    pub(super) fn committed(&mut self, entry: LogEntry) -> Result<Step> {
        if self.pending()?.claim.is_some() {
            return self.claim_committed(entry);
        }
        Ok(Step::Done(Attempt::Committed(Box::new(Published { slot: entry.seq, entry }))))
    }

    /// The slot is settled, and not ours: the same entry begins again from the base.
    pub(super) fn start_over(&mut self) -> Result<Step> {
        self.settled_elsewhere()?;
        Ok(Step::Pause(Phase::Build))
    }

    /// The slot is left, and nobody knows whose it is.
    fn forget_slot(&mut self) -> Result<Step> {
        self.settled_elsewhere()?;
        Ok(Step::Pause(Phase::Base))
    }

    fn settled_elsewhere(&mut self) -> Result<()> {
        let pending = self.pending()?;
        pending.slot = None;
        pending.placed = false;
        pending.encoded = None;
        Ok(())
    }
}
