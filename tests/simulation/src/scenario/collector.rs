//! The engine's garbage collection on the manifest alone: it raises the feed's floor and deletes tables, log entries and
//! snapshots, so that publishers find slots that lie below the window and are gone.

use std::sync::Arc;
use std::time::Duration;

use isledb_core::error::Error;
use isledb_core::format::manifest::Role;
use isledb_core::maintain::gc::{Gc, GcOptions, GcPlace, ObjectMarks};

use super::Actor;
use super::publishing::{Manifest, may_come_again};
use crate::executor::{MINUTE, SECOND};

/// As eager as the bounds allow.
pub(super) fn eager() -> GcOptions {
    GcOptions {
        interval: Duration::ZERO,
        scan_interval: Duration::from_secs(60),
        max_deletes: 50,
        ..GcOptions::default()
    }
}

/// A life of a collector. True: it wants another one.
pub(super) async fn collect(actor: Actor) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("collections");
    let Some(mut publisher) = manifest.claim(Role::Maintenance).await else { return false };
    let place = GcPlace {
        requests: manifest.requests.clone(),
        layout: manifest.layout.clone(),
        manifest: manifest.storage.clone(),
        marks: Arc::new(ObjectMarks::new(manifest.requests.clone(), manifest.layout.clone())),
    };
    let mut gc = match Gc::new(place, eager(), publisher.view()) {
        Ok(gc) => gc,
        Err(error) => {
            actor.unexpected("begin to collect", &error);
            return false;
        }
    };
    while actor.world.is_changing() {
        actor.sleep(rng.magnitude(MINUTE, 60 * MINUTE)).await;
        // Now and then the run is dropped wherever it stands.
        let patience = if rng.chance(100) { rng.magnitude(1_000_000, 10 * SECOND) } else { u64::MAX };
        match actor.within(patience, gc.run(&mut publisher)).await {
            None | Some(Ok(_)) => manifest.check(publisher.view()),
            Some(Err(Error::Fenced { .. })) => return rng.chance(500),
            Some(Err(error)) if may_come_again(&actor, &error) => {}
            Some(Err(error)) => {
                actor.unexpected("collection", &error);
                return false;
            }
        }
    }
    false
}
