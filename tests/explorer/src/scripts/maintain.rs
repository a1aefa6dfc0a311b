//! Maintenance owners: claim the role, replace or remove tables, and collect garbage by the engine's own runs.

use std::sync::Arc;
use std::time::Duration;

use isledb_core::error::Error;
use isledb_core::format::manifest::{Compaction, Role, SortedRun};
use isledb_core::maintain::gc::{Gc, GcOptions, GcPlace, ObjectMarks};
use isledb_core::manifest::{Draft, Publisher};

use super::side::{Outcome, Side, is_transient};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;

/// One thing that a maintenance owner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// All of level 0 into one run.
    Merge,
    /// Removes the oldest table.
    Retire,
    Snapshot,
    /// A run of garbage collection.
    Collect,
}

/// A maintenance owner that does these jobs, each once.
pub(crate) fn maintainer(name: &'static str, jobs: &'static [Job]) -> Actor {
    let script: Script = Box::new(move |desk, _| Box::pin(live(desk, name, jobs)));
    Actor { name, script, may_crash: true, finishes: true }
}

async fn live(desk: Desk, name: &'static str, jobs: &'static [Job]) {
    let Some(side) = Side::new(desk.clone()) else { return };
    let Some(mut publisher) = side.claim(name, Role::Maintenance).await else { return };
    side.show(publisher.view());
    let mut gc = None;
    for (at, job) in jobs.iter().enumerate().skip(usize::from(desk.progress())) {
        desk.set_progress(at as u8 + 1);
        desk.same_as(format_args!("maintains {publisher:?} {gc:?}")).await;
        while let Err(error) = publisher.refresh().await {
            if !is_transient(&error) {
                return side.never(format!("refresh: {error}"));
            }
            desk.same_as(format_args!("refreshes {publisher:?} {gc:?}")).await;
        }
        side.show(publisher.view());
        if publisher.check_role().is_err() {
            return;
        }
        if *job == Job::Collect {
            let again = gc.take().map_or_else(|| collection(&side, &publisher), Some);
            let Some(mut collection) = again else { return };
            if !collect(&side, &mut publisher, &mut collection).await {
                return;
            }
            gc = Some(collection);
            continue;
        }
        if *job == Job::Snapshot {
            side.snapshot(&mut publisher).await;
            side.show(publisher.view());
            continue;
        }
        let Some(draft) = draft(&side, &publisher, *job).await else { continue };
        match side.publish(&mut publisher, draft, "job").await {
            Outcome::Committed(_) | Outcome::Not { fenced: false } => side.show(publisher.view()),
            Outcome::Not { fenced: true } | Outcome::Unknown => return,
        }
    }
}

async fn draft(side: &Side, publisher: &Publisher, job: Job) -> Option<Draft> {
    let state = publisher.view().state().clone();
    if job == Job::Retire {
        return Some(Draft::removal(vec![state.tables().last()?.id.clone()]));
    }
    let sequence = state.l0.iter().map(|table| table.seq_hi).max()?;
    let newest = state.l0.first()?.min_key.first().map_or(0, |letter| letter - b'a');
    let (merged, began) = side.upload(publisher, (newest, sequence, 1), "merge").await?;
    let merge = Compaction {
        remove_sstable_ids: state.l0.iter().map(|table| table.id.clone()).collect(),
        remove_sorted_run_ids: Vec::new(),
        add_sstables: Vec::new(),
        add_sorted_run: Some(SortedRun { id: state.next_sorted_run_id, ssts: vec![Arc::new(merged)] }),
    };
    Some(Draft::compaction(merge, Vec::new(), began))
}

/// Lists what nothing refers to in its first run, and then no more than it must.
fn collection(side: &Side, publisher: &Publisher) -> Option<Gc> {
    let place = GcPlace {
        requests: side.requests.clone(),
        layout: side.layout.clone(),
        manifest: side.storage.clone(),
        marks: Arc::new(ObjectMarks::new(side.requests.clone(), side.layout.clone())),
    };
    let options = GcOptions { interval: Duration::ZERO, ..GcOptions::default() };
    let gc = Gc::new(place, options, publisher.view());
    if gc.is_err() {
        side.never("the options of garbage collection are refused".to_owned());
    }
    gc.ok()
}

/// False: the role is lost.
async fn collect(side: &Side, publisher: &mut Publisher, gc: &mut Gc) -> bool {
    match gc.run(publisher).await {
        Ok(_) => side.show(publisher.view()),
        Err(Error::Fenced { .. }) => return false,
        // Another owner changes the documents all the time: the next run tries again.
        Err(Error::Precondition { .. }) => {}
        Err(error) if is_transient(&error) => {}
        Err(error) => {
            side.never(format!("collection: {error}"));
            return false;
        }
    }
    true
}
