//! A life of a maintenance owner: passes, one after the other, some of them cut short.

use std::time::Duration;

use isledb_core::error::Error;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{Maintenance, MaintenanceOptions, MergeOptions};

use super::{may_come_again, open};
use crate::executor::{MINUTE, SECOND};
use crate::rng::Rng;
use crate::scenario::Actor;
use crate::scenario::collector::eager;

/// True: it wants another life.
pub(super) async fn live(actor: Actor, rest_ns: u64) -> bool {
    let mut rng = actor.rng("maintenance");
    let Some(mut owner) = claim(&actor, &mut rng).await else { return false };
    while actor.world.is_changing() {
        actor.sleep(rng.magnitude(1_000_000, rest_ns.max(MINUTE))).await;
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
            Some(Err(error)) if may_come_again(&error) || matches!(error, Error::Precondition { .. }) => {}
            Some(Err(error)) => {
                actor.unexpected("maintain", &error);
                return false;
            }
        }
    }
    false
}

/// Claims the role, again and again while the store does not serve, or where there is no database yet.
async fn claim(actor: &Actor, rng: &mut Rng) -> Option<Maintenance> {
    let db = open(actor)?;
    while actor.world.is_changing() {
        let policy = MergePolicy {
            l0_tables: rng.between(1, 6) as u32,
            min_runs: rng.between(2, 4) as u32,
            table_size: rng.magnitude(4096, 100_000),
            ..MergePolicy::default()
        };
        let merge = MergeOptions { policy, read_ahead: 64 << 10, ..MergeOptions::default() };
        let options = MaintenanceOptions {
            merge: Some(merge),
            gc: Some(eager()),
            owner: actor.name.to_string(),
            deadline: Duration::from_millis(rng.magnitude(500, 60_000)),
            ..MaintenanceOptions::default()
        };
        let faulty = actor.world.handle.now_ns() < actor.world.bucket.healthy_from_ns();
        match db.maintenance(options).await {
            Ok(owner) => return Some(owner),
            Err(Error::NoDatabase { .. }) => {}
            Err(Error::Unsupported { .. }) if faulty => {}
            Err(error) if may_come_again(&error) => {}
            Err(error) => {
                actor.unexpected("claim maintenance", &error);
                return None;
            }
        }
        actor.sleep(SECOND).await;
    }
    None
}
