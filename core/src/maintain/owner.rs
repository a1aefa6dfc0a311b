//! The one owner of a database's maintenance.

use std::sync::Arc;

use super::clock::StoreClock;
use super::gc::{Gc, GcPlace};
use super::merge::Leftovers;
use super::merges::Wanted;
use super::options::MaintenanceOptions;
use super::plan::debt::debt;
use super::plan::merge::{Turn, plan};
use super::report::{DryRun, Report};
use super::retain::retain;
use crate::db::Db;
use crate::error::{Error, Result, millis};
use crate::format::manifest::{FenceToken, Op};
use crate::host::{Host, Requests};
use crate::manifest::{Attempt, Draft, ManifestView, Published, Publisher};

/// Keeps one database small and quick, as the one owner of its maintenance role. Claimed by [`Db::maintenance`].
///
/// Nothing runs by itself: a host calls [`Maintenance::run_once`] (a scheduled job), or drives [`Maintenance::run`] (a
/// service). Every future may be dropped at any time; what was under way costs its time, nothing else: no input goes before
/// the entry that replaces it is committed, and an entry whose outcome is open is settled by the next call.
///
/// Errors that end it come back from every later call: `Fenced` (a later claim took the role) and `OutcomeUnknown` without
/// `retry`. After any other error the next call begins a new pass.
pub struct Maintenance {
    pub(super) db: Db,
    /// Repeat what may be repeated, within `deadline`.
    pub(super) requests: Requests,
    options: MaintenanceOptions,
    pub(super) publisher: Publisher,
    clock: StoreClock,
    beside: Beside,
    gc: Option<Gc>,
    /// The last merge was one of level 0.
    pub(super) after_level0: bool,
    /// What a merge that was dropped has left in the store.
    pub(super) leftovers: Leftovers,
    /// Why no call can succeed any more.
    ended: Option<Error>,
    /// Lets go of the handle's one place when it is dropped.
    _lease: Arc<()>,
}

impl Maintenance {
    /// An owner for the role that `publisher` has just claimed. One request: CURRENT, for the store's clock.
    pub(crate) async fn new(
        db: Db,
        publisher: Publisher,
        options: MaintenanceOptions,
        lease: Arc<()>,
    ) -> Result<Maintenance> {
        let requests = db.requests().within(millis(options.deadline));
        let last_modified_ms = db.manifest().read_current(None).await?.last_modified_ms;
        let clock = StoreClock::new(last_modified_ms, requests.host.as_ref());
        // The claim itself is the first entry since the writer's last one.
        let gc = match &options.gc {
            Some(policy) => Some(Gc::new(place(&db, &options), policy.clone(), publisher.view())?),
            None => None,
        };
        let beside = Beside { next_slot: publisher.view().current.next_slot(), published: 1 };
        Ok(Maintenance {
            db,
            requests,
            options,
            publisher,
            clock,
            beside,
            gc,
            after_level0: false,
            leftovers: Leftovers::default(),
            ended: None,
            _lease: lease,
        })
    }

    /// One pass: everything that waits, once. Returns what was done.
    ///
    /// In this order: merges, retention, garbage collection (where its interval has passed: [`Gc::run`]). What the options
    /// or the user's filter refuse (a merge beyond the budget) is the pass's error, and the others have had their turn before.
    ///
    /// Cost where nothing waits: one conditional GET. Beyond it see [`Report`].
    ///
    /// Errors: what ended the owner; `OutcomeUnknown` with `retry`, where the store went silent at the wrong moment: the next
    /// call settles it; any error of the store, and `Corrupt` with the object's name: nothing was removed.
    pub async fn run_once(&mut self) -> Result<Report> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let result = self.pass(Wanted::Due).await;
        self.note_end(&result);
        result
    }

    /// As [`Maintenance::run_once`], but all tables are merged into one run, whatever the policy says: afterwards there are no
    /// deletes, expired entries or older versions left (what was flushed meanwhile apart).
    ///
    /// Cost: the whole database is read and written once, in ranges of half of `read_ahead`; more than once where
    /// more than `max_inputs` tables overlap.
    pub async fn merge_everything(&mut self) -> Result<Report> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let result = self.pass(Wanted::Everything).await;
        self.note_end(&result);
        result
    }

    fn note_end(&mut self, result: &Result<Report>) {
        if let Err(error @ (Error::Fenced { .. } | Error::OutcomeUnknown { retry: false, .. })) = result {
            self.ended = Some(error.clone());
        }
    }

    /// Passes, `check_interval` apart, until one ends the owner; its error is returned. Other errors are logged, and the next
    /// pass tries again. Drop the future to stop, and then [`Maintenance::close`].
    pub async fn run(&mut self) -> Result<()> {
        loop {
            match self.run_once().await {
                Ok(_) => {}
                Err(error) if self.ended.is_some() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a maintenance pass failed; the next one tries again");
                }
            }
            self.requests.host.sleep(self.options.check_interval).await;
        }
    }

    /// What a pass would do now. Claims and writes nothing: any number of these may run, beside an owner too.
    ///
    /// Cost: reading CURRENT (one GET; one more round for a snapshot); with garbage collection the listings of
    /// [`GcPlace::dry_run`].
    pub async fn dry_run(db: &Db, options: &MaintenanceOptions) -> Result<DryRun> {
        options.validate()?;
        let view = db.load_view().await?;
        if !view.exists() {
            return Err(Error::NoDatabase { prefix: db.layout().prefix().to_owned() });
        }
        let now_ms = db.requests().host.now_unix_ns() / 1_000_000;
        let mut would = DryRun::default();
        if let Some(merge) = &options.merge {
            let turn = Turn { after_level0: false, now_ms, rewrite_all: merge.filter.is_some() };
            would.debt = debt(view.state(), &merge.policy, &turn);
            would.merge = plan(view.state(), &merge.policy, &turn);
        }
        would.retention = options.retention.as_ref().map(|retention| retention.plan(view.state(), now_ms));
        if let Some(gc) = &options.gc {
            would.gc = Some(place(db, options).dry_run(gc).await?);
        }
        Ok(would)
    }

    /// Settles what is open and ends the owner. The role is not given back: the next owner takes it.
    ///
    /// Errors: as [`Maintenance::run_once`]; it is ended all the same.
    pub async fn close(mut self) -> Result<()> {
        match &self.ended {
            None => self.settle_and_take_back().await,
            Some(Error::Fenced { .. }) => {
                self.take_back_leftovers().await;
                Ok(())
            }
            // Nobody knows whether the tables are named, or were: garbage collection finds out.
            Some(_) => Ok(()),
        }
    }

    /// True if another owner took the role.
    pub fn is_fenced(&self) -> bool {
        matches!(self.ended, Some(Error::Fenced { .. }))
    }

    /// The manifest as of its last look.
    pub fn view(&self) -> &ManifestView {
        self.publisher.view()
    }

    /// This owner's name, with its random part.
    pub fn owner(&self) -> &str {
        self.publisher.owner()
    }

    /// Who held the role before this owner took it.
    pub fn previous_owner(&self) -> Option<&FenceToken> {
        self.publisher.previous()
    }

    async fn pass(&mut self, wanted: Wanted) -> Result<Report> {
        self.settle_and_take_back().await?;
        self.publisher.refresh().await?;
        self.publisher.check_role()?;
        let mut report = Report::default();
        self.keep_window_short().await;
        let merged = refusal(self.merge_all(wanted, &mut report).await)?;
        let retained = refusal(self.retain(&mut report).await)?;
        if let Some(gc) = &mut self.gc {
            report.gc = gc.run_if_due(&mut self.publisher).await?;
        }
        merged.or(retained).map_or(Ok(report), Err)
    }

    /// Removes what is old, where retention is on.
    async fn retain(&mut self, report: &mut Report) -> Result<()> {
        let Some(retention) = self.options.retention.clone() else { return Ok(()) };
        if !self.may_publish() {
            return Ok(());
        }
        let now_ms = self.now_ms();
        let place = (&self.requests, self.db.layout());
        let done = retain(place, &mut self.publisher, &retention, now_ms).await?;
        if let Some(slot) = done.slot {
            self.beside.committed(slot);
            self.keep_window_short().await;
        }
        report.retention = Some(done);
        Ok(())
    }

    /// Settles what is open, and deletes what was uploaded for nothing. A fence says that nothing open was committed; any other
    /// error leaves it open.
    async fn settle_and_take_back(&mut self) -> Result<()> {
        let settled = self.settle().await;
        if let Ok(()) | Err(Error::Fenced { .. }) = settled {
            self.take_back_leftovers().await;
        }
        settled
    }

    /// Settles the entry that an earlier call left open, if there is one.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let settled = self.publisher.resume().await;
        if let Ok(Some(Attempt::Committed(published))) = &settled {
            self.committed(published);
        }
        match settled {
            Ok(Some(Attempt::Stale)) => {
                // Its tables are too old to be relied on. Its slot may be asked for all the same, so something under its name
                // has to be decided: an entry that changes nothing.
                self.publisher.renew(Draft::removal(Vec::new()));
                if let Some(Attempt::Committed(published)) = self.publisher.resume().await? {
                    self.committed(&published);
                }
                Ok(())
            }
            // Inputs are gone: it was not committed.
            Ok(_) | Err(Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Publishes an entry that was planned from the present base. Errors: `Precondition` where that base is no longer true.
    pub(super) async fn publish(&mut self, draft: Draft) -> Result<Attempt> {
        let attempt = self.publisher.publish(draft).await?;
        if let Attempt::Committed(published) = &attempt {
            self.committed(published);
        }
        Ok(attempt)
    }

    fn committed(&mut self, published: &Published) {
        self.beside.committed(published.slot);
        if let Op::Compaction(merge) = &published.entry.op {
            self.leftovers.committed(merge);
        }
    }

    /// Beside a live original: false where it must be heard of before another entry.
    pub(super) fn may_publish(&mut self) -> bool {
        let next_slot = self.publisher.view().current.next_slot();
        !self.options.beside_original || self.beside.may_publish(next_slot)
    }

    /// Writes a snapshot where the window has grown enough. It may fail: the window is a little longer then. Beside an
    /// original there is none: its next claim could hide what followed.
    pub(super) async fn keep_window_short(&mut self) {
        if self.options.beside_original || !self.publisher.snapshot_due() {
            return;
        }
        if let Err(error) = self.publisher.write_snapshot().await {
            tracing::warn!(%error, "a snapshot of the manifest could not be written; the next pass tries again");
        }
    }

    pub(super) fn options(&self) -> &MaintenanceOptions {
        &self.options
    }

    /// The store's present time.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms(self.host())
    }

    fn host(&self) -> &dyn Host {
        self.requests.host.as_ref()
    }
}

/// What the options or the user's filter refused, where that is why a part of a pass ended: nothing of it is in the database,
/// and the other parts do not depend on it.
fn refusal(ended: Result<()>) -> Result<Option<Error>> {
    match ended {
        Ok(()) => Ok(None),
        Err(refused @ (Error::InvalidArgument { .. } | Error::OverBudget { .. })) => Ok(Some(refused)),
        Err(error) => Err(error),
    }
}

/// Where garbage collection works.
fn place(db: &Db, options: &MaintenanceOptions) -> GcPlace {
    GcPlace {
        requests: db.requests().within(millis(options.deadline)),
        layout: db.layout().clone(),
        manifest: db.manifest().clone(),
        marks: options.marks.clone().unwrap_or_else(|| db.marks().clone()),
    }
}

/// Entries between two of a live original's writer: it gives up for good where it finds a third.
const MAX_ENTRIES_BESIDE: u32 = 2;

/// How many entries were published since the last one of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beside {
    /// The slot behind what was last seen.
    next_slot: u64,
    published: u32,
}

impl Beside {
    /// `next_slot`: of the CURRENT that is the base.
    fn may_publish(&mut self, next_slot: u64) -> bool {
        if next_slot > self.next_slot {
            *self = Beside { next_slot, published: 0 };
        }
        self.published < MAX_ENTRIES_BESIDE
    }

    fn committed(&mut self, slot: u64) {
        let alone = slot == self.next_slot;
        self.published = if alone { self.published + 1 } else { 1 };
        self.next_slot = slot + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_an_original_two_entries_wait_for_its_next_one() {
        let mut beside = Beside { next_slot: 5, published: 1 };
        assert!(beside.may_publish(5));
        beside.committed(5);
        assert!(!beside.may_publish(6), "the claim and one entry");
        assert!(beside.may_publish(7), "the writer has published slot 6");
        beside.committed(8);
        assert!(beside.may_publish(9), "the writer was faster, with slot 7");
        beside.committed(9);
        assert!(!beside.may_publish(10));
    }
}
