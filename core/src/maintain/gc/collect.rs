//! One run of garbage collection.
//!
//! The order is the point. Documents and listings come first, then everything decided is covered and the live set taken, then the
//! store's time is read: so what was seen is no younger than what is noted, and what is due was due before anything is deleted.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{try_join, try_join3};
use futures::stream::{self, StreamExt, TryStreamExt};
use hashbrown::HashSet;

use super::documents::{self, Versioned};
use super::marks::MarkStorage;
use super::policy::GcOptions;
use super::reach::Reach;
use super::report::{GcDryRun, GcReport};
use super::scan::Scan;
use super::time::store_time_ms;
use crate::error::{Error, Result, millis};
use crate::format::blob::BlobId;
use crate::format::gc::{DoomedBlobs, GcCheckpoint, Mark, PendingMarks};
use crate::format::layout::Layout;
use crate::format::manifest::{LogEntry, SstMeta};
use crate::format::time::Timestamp;
use crate::host::{Event, MAX_LIST_PAGE, Moment, Requests};
use crate::maintain::plan::doomed::{self, BlobPlan};
use crate::maintain::plan::sweep::{self, Seen, SweepPlan};
use crate::manifest::{ManifestStorage, ManifestView, Publisher, Replay, State};
use crate::mutation::{Mutation, mutated};

/// So often a run begins anew where somebody else changed the marks meanwhile.
const MAX_TRIES: u32 = 8;
/// Log entries that one run examines at most; the rest waits for the next.
const MAX_ENTRIES: u64 = 4_096;
/// Log entries fetched at once.
const LOG_READS_IN_FLIGHT: usize = 64;
/// Tables whose blobs are looked up at once.
const TABLES_AT_ONCE: usize = 16;
/// A DELETE of a blob is sent within this time of the look that found it unreachable.
const DELETE_WINDOW_MS: u64 = 30 * 60_000;

/// Where the objects are that garbage collection works on.
#[derive(Clone)]
pub struct GcPlace {
    /// Tables and blobs.
    pub requests: Requests,
    /// Their names.
    pub layout: Layout,
    /// The manifest.
    pub manifest: Arc<dyn ManifestStorage>,
    /// What has to be remembered.
    pub marks: Arc<dyn MarkStorage>,
}

/// Deletes what nothing needs any more. One belongs to each maintenance owner.
pub struct Gc {
    place: GcPlace,
    options: GcOptions,
    /// The manifest at the last look: it knows the tables that went since.
    before: Arc<Replay>,
    began: Option<Moment>,
    /// The store's time as the last run learnt it.
    store_time: Option<(u64, Moment)>,
    /// Log entries below are known to be gone.
    trimmed_below: u64,
}

/// Everything that a run depends on, besides the objects and its publisher.
impl fmt::Debug for Gc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gc")
            .field("options", &self.options)
            .field("before", &self.before)
            .field("began", &self.began)
            .field("store_time", &self.store_time)
            .field("trimmed_below", &self.trimmed_below)
            .finish_non_exhaustive()
    }
}

/// What was loaded and listed before CURRENT was read.
struct Loaded {
    marks: Versioned<PendingMarks>,
    checkpoint: Versioned<GcCheckpoint>,
    doomed: Versioned<DoomedBlobs>,
    scan: Option<Scan>,
    superseded: Option<Vec<String>>,
}

/// The live set, and what came to light with it.
struct Live {
    entries: Vec<LogEntry>,
    examined_to: u64,
    now_ms: u64,
}

impl Gc {
    /// For an owner that has claimed its role: `view` is what it saw then.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds.
    pub fn new(place: GcPlace, options: GcOptions, view: &ManifestView) -> Result<Gc> {
        options.validate()?;
        Ok(Gc {
            place,
            options,
            before: view.replay.clone(),
            began: None,
            store_time: None,
            trimmed_below: 0,
        })
    }

    /// Runs if `interval` has passed since the last run began.
    pub async fn run_if_due(&mut self, publisher: &mut Publisher) -> Result<Option<GcReport>> {
        let host = self.place.requests.host.as_ref();
        let interval_ms = millis(self.options.interval);
        if self.began.is_some_and(|began| began.elapsed_ms(host) < interval_ms) {
            return Ok(None);
        }
        self.run(publisher).await.map(Some)
    }

    /// Runs once: marks what went out of use, deletes what is due, and remembers what it saw.
    ///
    /// Cost where nothing is to be deleted: 8 requests in 6 rounds (the three documents at once, CURRENT, a look behind it, the
    /// clock's PUT and HEAD, the checkpoint), and beside the documents one LIST and HEAD where there is a snapshot. A scan
    /// adds a LIST for each thousand tables and blobs. Deleting takes one request for a thousand objects, one for each blob.
    /// It may be dropped at any time: the next run goes on.
    ///
    /// Errors: `Fenced`; `Unsupported` and `Corrupt` for a document that it does not understand, and nothing is deleted;
    /// whatever the store says.
    pub async fn run(&mut self, publisher: &mut Publisher) -> Result<GcReport> {
        let begun = self.place.requests.begin();
        self.began = Some(Moment::now(self.place.requests.host.as_ref()));
        let mut result = self.collect(publisher).await;
        for _ in 1..MAX_TRIES {
            if !matches!(result, Err(Error::Precondition { .. })) {
                break;
            }
            result = self.collect(publisher).await;
        }
        let told = result.as_ref().map(GcReport::collected);
        self.place.requests.ended(begun, |elapsed| Event::Collected { result: told, elapsed });
        result
    }

    async fn collect(&mut self, publisher: &mut Publisher) -> Result<GcReport> {
        let (interval_ms, now_ms) = (millis(self.options.scan_interval), self.estimated_ms());
        let due = |last: &GcCheckpoint| is_scan_due(last, interval_ms, now_ms);
        let mut loaded = self.place.load(publisher.view(), due).await?;
        let looked = Moment::now(self.place.requests.host.as_ref());
        match mutated(Mutation::CollectWithoutSettling) {
            true => publisher.refresh().await?,
            false => publisher.settle_behind().await?,
        }
        let view = publisher.view().clone();
        let live = self.place.examine(&view, &loaded).await?;
        self.store_time = Some((live.now_ms, Moment::now(self.place.requests.host.as_ref())));
        let mut plan = self.place.plan(&view, &self.before.state, &loaded, &live, &self.options);
        let mut report = GcReport {
            marked: plan.marked,
            unmarked: plan.unmarked,
            scanned: loaded.scan.is_some(),
            ..GcReport::default()
        };
        // First the marks, then how far the log was examined: so no removal is passed over.
        let marks = self.place.marks.clone();
        documents::store_marks(marks.as_ref(), &mut loaded.marks, std::mem::take(&mut plan.marks)).await?;
        self.before = view.replay.clone();
        let checkpoint = std::mem::take(&mut plan.checkpoint);
        documents::store_checkpoint(marks.as_ref(), &mut loaded.checkpoint, checkpoint).await?;
        if let Some(floor) = plan.floor
            && publisher.raise_feed_floor(floor).await?
        {
            report.floor = Some(floor);
        }
        self.delete_tables(&mut loaded, &plan, &mut report).await?;
        self.trim(&loaded, &live, &plan, &mut report).await?;
        report.waiting = loaded.marks.value.marks.len() as u64;
        // Last, since it reads tables: one that is damaged keeps the blobs, and nothing else.
        self.place.collect_blobs(&view, &loaded, &live, looked, &mut report).await?;
        Ok(report)
    }

    async fn delete_tables(
        &self,
        loaded: &mut Loaded,
        plan: &SweepPlan,
        report: &mut GcReport,
    ) -> Result<()> {
        let due = &plan.due[..plan.due.len().min(self.options.max_deletes as usize)];
        for marks in due.chunks(MAX_LIST_PAGE) {
            let keys: Vec<String> = marks.iter().map(|mark| self.place.layout.sst(&mark.sst_id)).collect();
            self.place.requests.delete_unique(&keys).await?;
            report.tables += marks.len() as u64;
            report.bytes += marks.iter().filter_map(|mark| mark.size).sum::<u64>();
        }
        let gone: HashSet<&str> = due.iter().map(|mark| mark.sst_id.as_str()).collect();
        let mut left = loaded.marks.value.clone();
        left.marks.retain(|mark| !gone.contains(mark.sst_id.as_str()));
        match documents::store_marks(self.place.marks.as_ref(), &mut loaded.marks, left).await {
            // Then they are deleted once more, which finds nothing.
            Ok(()) | Err(Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Log entries, snapshots, and what probes left behind.
    async fn trim(
        &mut self,
        loaded: &Loaded,
        live: &Live,
        plan: &SweepPlan,
        report: &mut GcReport,
    ) -> Result<()> {
        let place = &self.place;
        if plan.log_below > self.trimmed_below {
            let slots = place.log_below(plan.log_below, self.options.max_deletes as usize).await?;
            place.manifest.delete_log(&slots).await?;
            report.log_entries = slots.len() as u64;
            if slots.len() < self.options.max_deletes as usize {
                self.trimmed_below = plan.log_below;
            }
        }
        if !plan.snapshots.is_empty() {
            place.manifest.delete_snapshots(&plan.snapshots).await?;
            report.snapshots = plan.snapshots.len() as u64;
        }
        let probes = loaded.scan.as_ref().map(|scan| scan.old_probes(live.now_ms)).unwrap_or_default();
        for keys in probes.chunks(MAX_LIST_PAGE) {
            place.requests.delete_unique(keys).await?;
            report.probes += keys.len() as u64;
        }
        Ok(())
    }

    /// The store's time, without a request: by the process's own clock until a run has learnt it.
    fn estimated_ms(&self) -> u64 {
        let host = self.place.requests.host.as_ref();
        match &self.store_time {
            Some((ms, at)) => ms.saturating_add(at.elapsed_ms(host)),
            None => host.now_unix_ns() / 1_000_000,
        }
    }
}

/// True where the last scan was so long ago, in the store's time: at `now_ms`, or when the last run was. So a process whose
/// clock is slow scans with its second run, be each of its runs a process of its own.
fn is_scan_due(last: &GcCheckpoint, interval_ms: u64, now_ms: u64) -> bool {
    let ms = |at: Timestamp| u64::try_from(at.unix_ms()).unwrap_or(0);
    ms(last.scanned_at).saturating_add(interval_ms) <= now_ms.max(ms(last.updated_at))
}

impl GcPlace {
    /// What a run would do now, and why the rest waits: always with a scan, by this process's own clock. Claims and writes
    /// nothing.
    ///
    /// Cost: as a run with a scan, without its writes.
    pub async fn dry_run(&self, options: &GcOptions) -> Result<GcDryRun> {
        options.validate()?;
        let host = self.requests.host.as_ref();
        let before = ManifestView::load(self.manifest.as_ref(), host).await?;
        let loaded = self.load(&before, |_| true).await?;
        let (view, _) = before.refresh(self.manifest.as_ref(), host).await?;
        let (entries, examined_to) = self.entries(&view, &loaded.checkpoint.value).await?;
        let live = Live { entries, examined_to, now_ms: host.now_unix_ns() / 1_000_000 };
        let sweep = self.plan(&view, &before.replay.state, &loaded, &live, options);
        let blobs = self.plan_blobs(&view, &sweep.marks, &loaded, &live).await?.unwrap_or_default();
        let log_entries = self.log_below(sweep.log_below, options.max_deletes as usize).await?;
        let probes = loaded.scan.as_ref().map(|scan| scan.old_probes(live.now_ms)).unwrap_or_default();
        Ok(GcDryRun { sweep, blobs, log_entries, probes })
    }

    async fn load(&self, view: &ManifestView, is_scan_due: impl Fn(&GcCheckpoint) -> bool) -> Result<Loaded> {
        let (marks, checkpoint, doomed) = try_join3(
            documents::load_marks(self.marks.as_ref()),
            documents::load_checkpoint(self.marks.as_ref()),
            documents::load_doomed(&self.requests, &self.layout),
        )
        .await?;
        let scan_due = is_scan_due(&checkpoint.value);
        let scan = async {
            if !scan_due {
                return Ok(None);
            }
            let after = &checkpoint.value.blobs_scanned_to;
            Scan::new(&self.requests, &self.layout, view.state(), after).await.map(Some)
        };
        let snapshots = async {
            let some = !view.current.snapshot.is_empty() || !checkpoint.value.unnamed_snapshots.is_empty();
            if scan_due || some {
                return self.manifest.superseded_snapshots().await.map(Some);
            }
            Ok(None)
        };
        let (scan, superseded) = try_join(scan, snapshots).await?;
        Ok(Loaded { marks, checkpoint, doomed, scan, superseded })
    }

    /// The entries that were not examined yet, and the store's time after they were read.
    async fn examine(&self, view: &ManifestView, loaded: &Loaded) -> Result<Live> {
        let (entries, examined_to) = self.entries(view, &loaded.checkpoint.value).await?;
        let own_ms = self.requests.host.now_unix_ns() / 1_000_000;
        let store_ms = store_time_ms(&self.requests, &self.layout).await?;
        let now_ms = if mutated(Mutation::CollectByOwnClock) { own_ms } else { store_ms };
        Ok(Live { entries, examined_to, now_ms })
    }

    async fn entries(&self, view: &ManifestView, checkpoint: &GcCheckpoint) -> Result<(Vec<LogEntry>, u64)> {
        let current = view.current.as_ref();
        let oldest = current.feed_floor_seq.unwrap_or(current.log_seq_start).min(current.log_seq_start);
        let from = if checkpoint.last_applied_seq == 0 { oldest } else { checkpoint.last_applied_seq };
        let from = from.clamp(1.min(current.next_slot()), current.next_slot());
        let to = from.saturating_add(MAX_ENTRIES).min(current.next_slot());
        let read = |slot: u64| async move {
            let raw: Bytes = match current.inline(slot) {
                Some(raw) => raw.clone(),
                None => match self.manifest.read_log(slot).await {
                    Ok(raw) => raw,
                    // Below the window it may be gone; what it removed is found by a scan.
                    Err(Error::NotFound { .. }) if slot < current.log_seq_start => return Ok(None),
                    Err(Error::NotFound { object }) => {
                        let expected = "the log entry of a covered slot";
                        return Err(Error::corrupt(&object, None, expected, "no such object"));
                    }
                    Err(error) => return Err(error),
                },
            };
            LogEntry::decode(&self.manifest.layout().log(slot), slot, &raw).map(Some)
        };
        let entries: Vec<Option<LogEntry>> =
            stream::iter(from..to).map(read).buffered(LOG_READS_IN_FLIGHT).try_collect().await?;
        Ok((entries.into_iter().flatten().collect(), to))
    }

    fn plan(
        &self,
        view: &ManifestView,
        before: &State,
        loaded: &Loaded,
        live: &Live,
        options: &GcOptions,
    ) -> SweepPlan {
        let orphans = loaded.scan.as_ref().map(|scan| scan.old_tables(&self.layout, live.now_ms));
        let seen = Seen {
            now_ms: live.now_ms,
            current: &view.current,
            state: view.state(),
            before,
            marks: &loaded.marks.value,
            checkpoint: &loaded.checkpoint.value,
            entries: &live.entries,
            examined_to: live.examined_to,
            orphans: orphans.as_deref().unwrap_or_default(),
            superseded_snapshots: loaded.superseded.as_deref(),
        };
        let mut plan = sweep::plan(&seen, millis(options.grace));
        if let Some(scan) = &loaded.scan {
            plan.checkpoint.scanned_at = plan.checkpoint.updated_at;
            plan.checkpoint.blobs_scanned_to.clone_from(&scan.blobs_scanned_to);
        }
        plan
    }

    /// The slots below `below` that have an entry, at most `limit`. One LIST a page.
    async fn log_below(&self, below: u64, limit: usize) -> Result<Vec<u64>> {
        let mut slots: Vec<u64> = Vec::new();
        while below > 0 && slots.len() < limit {
            let page = self.manifest.list_log(slots.last().copied().unwrap_or(0)).await?;
            let old: Vec<u64> = page.iter().copied().filter(|slot| *slot < below).collect();
            let ends = old.is_empty() || old.len() < page.len();
            slots.extend(old);
            if ends {
                break;
            }
        }
        slots.truncate(limit);
        Ok(slots)
    }

    /// `None`: there is nothing to do about blobs.
    async fn plan_blobs(
        &self,
        view: &ManifestView,
        marks: &PendingMarks,
        loaded: &Loaded,
        live: &Live,
    ) -> Result<Option<BlobPlan>> {
        let named = &loaded.doomed.value;
        let candidates = loaded.scan.as_ref().map(|scan| scan.old_blobs(live.now_ms)).unwrap_or_default();
        let due: BTreeSet<BlobId> = doomed::due(named, live.now_ms).map(|blob| blob.id).collect();
        if candidates.is_empty() && !doomed::is_due(named, live.now_ms) {
            return Ok(None);
        }
        let mut unreachable: BTreeSet<BlobId> = candidates.keys().copied().chain(due).collect();
        let reach = &Reach::new(&self.requests, &self.layout);
        let asked = !unreachable.is_empty();
        // Of owned items: a closure over borrowed ones would make a future that no executor takes to another thread.
        let live_tables: Vec<_> = view.state().tables().filter(|_| asked).cloned().collect();
        let of_live = |table: Arc<SstMeta>| async move { reach.of_live(&table).await };
        let mut reached = pin!(stream::iter(live_tables).map(of_live).buffer_unordered(TABLES_AT_ONCE));
        while let Some(ids) = reached.try_next().await? {
            for id in &ids {
                unreachable.remove(id);
            }
        }
        // What waits for its deletion may still be read by somebody.
        let waiting = if asked { marks.marks.clone() } else { Vec::new() };
        let of_marked = |mark: Mark| async move { reach.of_marked(&mark).await };
        let mut reached = pin!(stream::iter(waiting).map(of_marked).buffer_unordered(TABLES_AT_ONCE));
        while let Some(ids) = reached.try_next().await? {
            for id in &ids {
                unreachable.remove(id);
            }
        }
        Ok(Some(doomed::plan(named, &candidates, |id| unreachable.contains(id), live.now_ms)))
    }

    /// `looked`: before the live set was taken.
    async fn collect_blobs(
        &self,
        view: &ManifestView,
        loaded: &Loaded,
        live: &Live,
        looked: Moment,
        report: &mut GcReport,
    ) -> Result<()> {
        report.doomed_blobs = loaded.doomed.value.blobs.len() as u64;
        let Some(plan) = self.plan_blobs(view, &loaded.marks.value, loaded, live).await? else {
            return Ok(());
        };
        if !plan.condemned.is_empty() && looked.elapsed_ms(self.requests.host.as_ref()) >= DELETE_WINDOW_MS {
            tracing::warn!(
                "it took too long to find out which blobs are out of use; the next run tries again"
            );
            return Ok(());
        }
        if plan.next != loaded.doomed.value {
            match documents::store_doomed(&self.requests, &self.layout, &loaded.doomed, &plan.next).await {
                Ok(()) => {}
                // Another owner changed the names: nothing of this plan holds.
                Err(Error::Precondition { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        report.doomed_blobs = plan.next.blobs.len() as u64;
        for blob in &plan.condemned {
            if looked.elapsed_ms(self.requests.host.as_ref()) >= DELETE_WINDOW_MS {
                // Its name goes in two hours, and it is named again later.
                break;
            }
            // Never repeated, whatever the answer: a DELETE that lands late could meet a new reference.
            match self.requests.delete_once(&[self.layout.blob(&blob.id)]).await {
                Ok(answers) if answers.iter().all(Result::is_ok) => {
                    report.blobs += 1;
                    report.bytes += blob.size.unwrap_or(0);
                }
                Ok(_) | Err(_) => {
                    tracing::debug!(blob = %blob.id, "its DELETE was not answered; it is named again")
                }
            }
        }
        Ok(())
    }
}
