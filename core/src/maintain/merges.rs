//! The part of a pass that merges: from plan to commit, again and again.

use std::sync::Arc;

use super::budget;
use super::merge::{Made, Surroundings, execute};
use super::options::MergeOptions;
use super::owner::Maintenance;
use super::plan::debt::debt;
use super::plan::merge::{Job, JobKind, Turn, plan, plan_full};
use super::report::{MergeReport, Report};
use crate::error::{Error, Result};
use crate::format::manifest::{Compaction, SortedRun, SstMeta};
use crate::host::{Event, Moment};
use crate::manifest::{Attempt, Draft, Replay};
use crate::read::fetch::Source;

/// More merges than this are not made in one pass: retention and garbage collection have their turn.
const MAX_MERGES: u32 = 100;

/// What a pass wants merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What the policy says.
    Due,
    /// Everything, into one run.
    Everything,
}

impl Maintenance {
    /// Merges until nothing waits (or the original beside must be heard of first), and says what waits then.
    pub(super) async fn merge_all(&mut self, wanted: Wanted, report: &mut Report) -> Result<()> {
        let Some(options) = self.options().merge.clone() else { return Ok(()) };
        let ended = self.merge_while_due(wanted, &options, report).await;
        report.debt = debt(self.view().state(), &options.policy, &self.turn());
        ended
    }

    async fn merge_while_due(
        &mut self,
        wanted: Wanted,
        options: &MergeOptions,
        report: &mut Report,
    ) -> Result<()> {
        let mut spent = 0;
        for _ in 0..MAX_MERGES {
            let replay = self.publisher.view().replay.clone();
            let turn = self.turn();
            let job = match wanted {
                Wanted::Due => plan(&replay.state, &options.policy, &turn),
                Wanted::Everything => plan_full(&replay.state, &options.policy, &turn),
            };
            let Some(job) = job else { return Ok(()) };
            if !self.may_publish() {
                report.waits_for_writer = true;
                return Ok(());
            }
            let need = budget::need(&job, options);
            match budget::check(self.options(), need, spent) {
                Err(error) if report.merges.is_empty() => return Err(error),
                Err(error) => {
                    report.over_budget = Some(error);
                    return Ok(());
                }
                Ok(()) => spent += need.requests,
            }
            let full = job.kind == JobKind::Full;
            match self.merge_one(options, &replay, job).await {
                Ok(Some(merged)) => {
                    report.merges.push(merged);
                    if full {
                        // What was flushed meanwhile is for the next time.
                        return Ok(());
                    }
                }
                // The plan was made from a state that is no more: make another.
                Ok(None) | Err(Error::Precondition { .. }) => {}
                Err(error) => return Err(error),
            }
            self.keep_window_short().await;
            self.publisher.refresh().await?;
            self.publisher.check_role()?;
        }
        Ok(())
    }

    /// What planning depends on beside state and policy.
    pub(super) fn turn(&self) -> Turn {
        Turn {
            after_level0: self.after_level0,
            now_ms: self.now_ms(),
            rewrite_all: self.options().merge.as_ref().is_some_and(|merge| merge.filter.is_some()),
        }
    }

    /// One merge, and its events. `None`: not committed, its tables grew too old on the way.
    async fn merge_one(
        &mut self,
        options: &MergeOptions,
        replay: &Arc<Replay>,
        job: Job,
    ) -> Result<Option<MergeReport>> {
        let (kind, tables, bytes) = (job.kind, job.inputs.len() as u64, job.bytes());
        let requests = self.requests.clone();
        requests.observe(|| Event::MergeBegun { kind: kind.name(), tables, bytes });
        let begun = requests.begin();
        let merged = self.merge(options, replay, job).await;
        if !self.publisher.is_pending() {
            self.take_back_leftovers().await;
        }
        requests.ended(begun, |elapsed| {
            let result = merged.as_ref().map(|merged| merged.as_ref().map_or(0, |m| m.bytes_written));
            Event::MergeEnd { kind: kind.name(), result, elapsed }
        });
        merged
    }

    async fn merge(
        &mut self,
        options: &MergeOptions,
        replay: &Arc<Replay>,
        job: Job,
    ) -> Result<Option<MergeReport>> {
        let source = self.db.source();
        let around = Surroundings {
            source: Source {
                requests: self.requests.clone(),
                cache: source.cache.clone(),
                trust: source.trust.clone(),
            },
            layout: &source.layout,
            options,
            signer: self.db.signer().map(AsRef::as_ref),
            epoch: self.publisher.next_table_epoch(),
            now_ms: self.now_ms(),
        };
        let made = execute(&around, &replay.state, &job, &mut self.leftovers).await?;
        let (compaction, moved) = describe(&job, &made, replay.state.next_sorted_run_id);
        let oldest = made.tables.iter().map(|table| table.began);
        let now = Moment::now(self.requests.host.as_ref());
        let began = oldest.min_by_key(Moment::unix_ms).unwrap_or(now);
        let draft = Draft::compaction(compaction, moved, began);
        let Attempt::Committed(published) = self.publish(draft).await? else {
            self.settle().await?;
            return Ok(None);
        };
        self.after_level0 = job.kind == JobKind::Level0;
        Ok(Some(MergeReport {
            kind: job.kind,
            slot: published.slot,
            tables_read: job.inputs.len() as u64,
            tables_moved: job.moved.len() as u64,
            tables_written: made.tables.len() as u64,
            bytes_read: job.bytes(),
            bytes_written: made.tables.iter().map(|table| table.meta.size).sum(),
            entries_read: made.entries_read,
            entries_written: made.entries_written,
        }))
    }

    /// Deletes what was uploaded and will never be named. It may fail: the next pass tries again.
    pub(super) async fn take_back_leftovers(&mut self) {
        let layout = self.db.layout().clone();
        let state = self.publisher.view().replay.clone();
        if let Err(error) = self.leftovers.take_back(&self.requests, &layout, &state.state).await {
            tracing::warn!(%error, "tables of a merge that was given up are still there; the next pass tries again");
        }
    }
}

/// The entry's payload, and the ids of the tables that the new run lists again.
fn describe(job: &Job, made: &Made, run_id: u32) -> (Compaction, Vec<String>) {
    let mut ssts: Vec<Arc<SstMeta>> =
        made.tables.iter().map(|table| &table.meta).chain(&job.moved).cloned().collect();
    ssts.sort_by(|a, b| a.min_key.cmp(&b.min_key));
    let compaction = Compaction {
        remove_sstable_ids: job.inputs.iter().map(|sst| sst.id.clone()).collect(),
        remove_sorted_run_ids: job.runs.clone(),
        add_sstables: Vec::new(),
        add_sorted_run: (!ssts.is_empty()).then_some(SortedRun { id: run_id, ssts }),
    };
    (compaction, job.moved.iter().map(|sst| sst.id.clone()).collect())
}
