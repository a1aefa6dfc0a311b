//! Publishers alone: contending owners of the writer's role publish flushes of tables that nobody reads, a maintenance
//! owner replaces them, a collector deletes what is no longer needed, and a reader looks on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use isledb_core::error::Error;
use isledb_core::format::manifest::{Compaction, Op, Role, SortedRun};
use isledb_core::manifest::{Draft, ManifestView, Publisher};

use super::collector;
use super::publishing::{Manifest, Outcome, may_come_again};
use super::{Actor, Options, Report, Setup, World};
use crate::executor::{MINUTE, SECOND};
use crate::oracle::Check;
use crate::rng::Rng;

/// Runs the history of `seed`.
pub fn run(seed: u64, options: &Options) -> Report {
    super::run(seed, options, start)
}

fn start(world: &World) {
    let mut rng = world.rng("publishers");
    // How long these processes rest between two steps: some histories take minutes, some take days.
    let rest_ns = rng.magnitude(SECOND, 60 * MINUTE);
    let writers = rng.between(1, 3);
    for writer in 0..writers {
        let left = Arc::new(AtomicU64::new(rng.magnitude(1, 30)));
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: true };
        world.actor(&format!("writer{writer}"), setup, move |actor| write(actor, left.clone(), rest_ns));
    }
    for owner in 0..rng.below(3) {
        let left = Arc::new(AtomicU64::new(rng.magnitude(1, 10)));
        let setup = Setup { lives: rng.between(1, 3) as u32, changes: true };
        world
            .actor(&format!("maintainer{owner}"), setup, move |actor| maintain(actor, left.clone(), rest_ns));
    }
    if rng.chance(500) {
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: false };
        world.actor("collector", setup, collector::collect);
    }
    for reader in 0..rng.below(3) {
        world.actor(&format!("reader{reader}"), Setup { lives: 2, changes: false }, read);
    }
}

/// A life of a writer. True: it wants another one.
async fn write(actor: Actor, left: Arc<AtomicU64>, rest_ns: u64) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("flushes");
    let Some(mut publisher) = manifest.claim(Role::Writer).await else { return false };
    let owner = publisher.owner().to_owned();
    let oracle = actor.world.oracle.clone();
    manifest.check(publisher.view());
    let mut next = publisher.next_sequence();
    while left.load(Ordering::Relaxed) > 0 {
        left.fetch_sub(1, Ordering::Relaxed);
        let (low, high) = (next, next + rng.below(3));
        next = high + 1;
        let (meta, began) = manifest.upload(&publisher, (low, high), 0).await;
        let draft = Draft::flush(Arc::new(meta), began);
        loop {
            match manifest.publish(&mut publisher, draft.clone()).await {
                Outcome::Committed(published) => {
                    if !matches!(&published.entry.op, Op::AddSstable(meta) if (meta.seq_lo, meta.seq_hi) == (low, high))
                    {
                        manifest.fail("committed another entry than was asked for");
                    }
                    oracle.acknowledged(&owner, low, high);
                }
                // The same flush may well be tried again.
                Outcome::Not { fenced: false } if rng.chance(500) => continue,
                Outcome::Not { fenced } => {
                    oracle.not_committed(&owner, low, high);
                    if fenced {
                        return rng.chance(500);
                    }
                }
                // Another owner has the role, and the log does not reach back any more.
                Outcome::Unknown => return rng.chance(500),
                Outcome::Wrong => return false,
            }
            break;
        }
        manifest.after(&mut publisher).await;
        actor.sleep(rng.magnitude(1_000_000, rest_ns)).await;
    }
    false
}

/// A life of a maintenance owner. True: it wants another one.
async fn maintain(actor: Actor, left: Arc<AtomicU64>, rest_ns: u64) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("jobs");
    let Some(mut publisher) = manifest.claim(Role::Maintenance).await else { return false };
    while left.load(Ordering::Relaxed) > 0 {
        left.fetch_sub(1, Ordering::Relaxed);
        actor.sleep(rng.magnitude(1_000_000, rest_ns)).await;
        match publisher.view().refresh(manifest.storage.as_ref(), actor.host.as_ref()).await {
            Ok((view, _)) => manifest.check(&view),
            Err(error) if may_come_again(&actor, &error) => continue,
            Err(error) => actor.unexpected("refresh", &error),
        }
        let Some(draft) = job(&mut manifest, &publisher, &mut rng).await else { continue };
        match manifest.publish(&mut publisher, draft).await {
            Outcome::Committed(_) | Outcome::Not { fenced: false } => {}
            Outcome::Not { fenced: true } | Outcome::Unknown => return rng.chance(500),
            Outcome::Wrong => return false,
        }
        manifest.after(&mut publisher).await;
    }
    false
}

/// Merges all flushed tables into a run, or drops the oldest table.
async fn job(manifest: &mut Manifest, publisher: &Publisher, rng: &mut Rng) -> Option<Draft> {
    let state = publisher.view().state().clone();
    if rng.chance(300) {
        let oldest = state.tables().last()?.id.clone();
        return Some(Draft::removal(vec![oldest]));
    }
    let inputs = &state.l0;
    let (low, high) = (inputs.iter().map(|t| t.seq_lo).min()?, inputs.iter().map(|t| t.seq_hi).max()?);
    let (merged, began) = manifest.upload(publisher, (low, high), 1).await;
    let job = Compaction {
        remove_sstable_ids: inputs.iter().map(|table| table.id.clone()).collect(),
        remove_sorted_run_ids: Vec::new(),
        add_sstables: Vec::new(),
        add_sorted_run: Some(SortedRun { id: state.next_sorted_run_id, ssts: vec![Arc::new(merged)] }),
    };
    Some(Draft::compaction(job, Vec::new(), began))
}

/// A life of a reader: its views are what was committed, none goes back, and every table of a view is there.
async fn read(actor: Actor) -> bool {
    let Some(manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("reads");
    let mut view: Option<ManifestView> = None;
    let mut rounds = 0;
    while actor.world.is_changing() && rounds < 200 {
        rounds += 1;
        actor.sleep(rng.magnitude(1_000_000, 300 * SECOND)).await;
        let (storage, host) = (manifest.storage.as_ref(), actor.host.as_ref());
        let read = match &view {
            Some(view) if rng.chance(900) => view.refresh(storage, host).await.map(|(view, _)| view),
            _ => ManifestView::load(storage, host).await,
        };
        let next = match read {
            Ok(next) => next,
            Err(error) if may_come_again(&actor, &error) => continue,
            Err(error @ Error::Corrupt { .. }) => {
                let detail = format!("{}: {error}", actor.name);
                actor.world.oracle.fail(Check::ReaderMissesObject, detail);
                return false;
            }
            Err(error) => {
                actor.unexpected("refresh", &error);
                return false;
            }
        };
        manifest.check(&next);
        if view.as_ref().is_some_and(|before| before.current.next_seq > next.current.next_seq) {
            actor
                .world
                .oracle
                .fail(Check::ReaderShowsWrongState, format!("{}: its view went back", actor.name));
        }
        if let Some(table) = next.state().tables().last() {
            let got = manifest.requests.get_range(&manifest.layout.sst(&table.id), 0..table.size).await;
            if matches!(got, Err(Error::NotFound { .. })) && next.check_age(host).is_ok() {
                let detail = format!("{}: {}", actor.name, table.id);
                actor.world.oracle.fail(Check::ReaderMissesObject, detail);
            }
        }
        view = Some(next);
    }
    false
}
