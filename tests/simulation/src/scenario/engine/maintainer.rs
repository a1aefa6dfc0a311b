//! A life of a maintenance owner: passes, one after the other, some of them cut short. Some owners remove what is old.

use std::time::Duration;

use isledb_core::error::Error;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::retain::{Retention, RetentionMode};
use isledb_core::maintain::{Maintenance, MaintenanceOptions, MergeOptions};

use super::{Plot, Workload, may_come_again, open, table};
use crate::executor::{MINUTE, SECOND};
use crate::rng::Rng;
use crate::scenario::Actor;
use crate::scenario::collector::eager;

/// True: it wants another life.
pub(super) async fn live(actor: Actor, plot: Plot) -> bool {
    let mut rng = actor.rng("maintenance");
    // A bank keeps its accounts.
    let retains = plot.workload != Workload::Bank && rng.chance(300);
    let retention = retains.then(|| retention(&mut rng));
    let Some(mut owner) = claim(&actor, &plot, &mut rng, retention).await else { return false };
    let (mut longest_ns, mut seen) = (plot.rest_ns.max(MINUTE), 0);
    while actor.world.is_changing() {
        // Where nothing is committed, writers may be paused for days.
        let next_seq = actor.world.oracle.look(|history| history.next_seq());
        longest_ns =
            if next_seq == seen { (longest_ns * 2).min(120 * MINUTE) } else { plot.rest_ns.max(MINUTE) };
        seen = next_seq;
        actor.sleep(rng.magnitude(longest_ns / 60, longest_ns)).await;
        // Some wait so long that everything is due at once.
        if rng.chance(50) {
            actor.sleep(rng.magnitude(MINUTE, 300 * MINUTE)).await;
        }
        let patience = if rng.chance(100) { rng.magnitude(1_000_000, 20 * SECOND) } else { u64::MAX };
        match actor.within(patience, owner.run_once()).await {
            None | Some(Ok(_)) => {}
            Some(Err(Error::Fenced { .. })) => return rng.chance(500),
            // The log does not reach back to an entry of an owner that lost its role.
            Some(Err(Error::OutcomeUnknown { retry: false, .. })) => return rng.chance(500),
            Some(Err(error))
                if may_come_again(&actor, &error) || matches!(error, Error::Precondition { .. }) => {}
            Some(Err(error)) => {
                actor.unexpected("maintain", &error);
                return false;
            }
        }
    }
    false
}

/// By age or by segments of time, short ones: histories last some hours.
fn retention(rng: &mut Rng) -> Retention {
    let segment = Duration::from_nanos(rng.magnitude(SECOND, 10 * MINUTE));
    let allow_everything = rng.chance(300);
    Retention {
        mode: if rng.chance(500) { RetentionMode::Fifo } else { RetentionMode::TimeWindow { segment } },
        period: Duration::from_nanos(rng.magnitude(SECOND, 20 * MINUTE)),
        count: if allow_everything { 0 } else { rng.magnitude(1, 4) as u32 },
        allow_everything,
    }
}

/// Claims the role, again and again while the store does not serve, or where there is no database yet.
async fn claim(
    actor: &Actor,
    plot: &Plot,
    rng: &mut Rng,
    retention: Option<Retention>,
) -> Option<Maintenance> {
    let db = open(actor, plot)?;
    let mut rest_ns = SECOND;
    while actor.world.is_changing() {
        let policy = MergePolicy {
            l0_tables: rng.between(1, 6) as u32,
            min_runs: rng.between(2, 4) as u32,
            table_size: rng.magnitude(4096, 100_000),
            ..MergePolicy::default()
        };
        let merge =
            MergeOptions { policy, table: table(rng), read_ahead: 64 << 10, ..MergeOptions::default() };
        // Some that retain leave merging to others: a merge makes one table, young by its newest data, of many old ones.
        let merges = retention.is_none() || rng.chance(400);
        let options = MaintenanceOptions {
            merge: merges.then_some(merge),
            retention: retention.clone(),
            gc: Some(eager()),
            owner: actor.name.to_string(),
            deadline: Duration::from_millis(rng.magnitude(500, 60_000)),
            ..MaintenanceOptions::default()
        };
        let began_ns = actor.world.handle.now_ns();
        let faulty = began_ns < actor.world.bucket.healthy_from_ns();
        match db.maintenance(options).await {
            Ok(owner) => return Some(owner),
            Err(Error::NoDatabase { .. }) => {}
            Err(Error::Unsupported { .. }) if faulty || actor.slept_through_a_probe(began_ns) => {}
            Err(error) if may_come_again(actor, &error) => {}
            Err(error) => {
                actor.unexpected("claim maintenance", &error);
                return None;
            }
        }
        actor.sleep(rest_ns).await;
        // Whoever makes the database may be paused for hours.
        rest_ns = (rest_ns * 2).min(20 * MINUTE);
    }
    None
}
