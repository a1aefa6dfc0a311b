//! What may be left in the bucket, by the rules of the commit protocol.

use std::collections::BTreeSet;
use std::time::Duration;

use isledb::host::{Moment, ObjectMeta};
use isledb::verify::{FindingKind, VerifyOptions};

use crate::place::Place;

const MINUTE_MS: u64 = 60_000;
/// What was never published goes when it is a day old and the listing comes round.
const ORPHAN_MS: u64 = (24 * 60 + 100) * MINUTE_MS;

/// How long everything is left alone after the kills, in minutes: above the hour that maintenance waits with what is below the
/// window. A day and more of kills leave blobs, too, that are old enough to go, and some whose one DELETE was never sent since
/// the owner died: their names go after two hours, and a listing, an hour and another run are needed until they are gone.
pub(crate) fn calm(run_ms: u64) -> Duration {
    let minutes = if run_ms < 24 * 60 * MINUTE_MS { 75 } else { 215 };
    Duration::from_secs(minutes * 60)
}

/// What nothing needed when the kills had ended.
pub(crate) struct Before {
    /// Log entries below this are below the window, and the feed does not reach back to them.
    slot: u64,
    /// Snapshots that CURRENT does not name.
    snapshots: BTreeSet<String>,
    /// By the store's clock.
    at_ms: u64,
}

async fn list(place: &Place) -> Vec<ObjectMeta> {
    let db = place.db(0, None);
    let mut objects: Vec<ObjectMeta> = Vec::new();
    loop {
        let after = objects.last().map(|object| object.key.clone());
        let page = db.requests().store.list(db.layout().prefix(), after.as_deref()).await.unwrap();
        objects.extend(page.objects);
        if !page.more {
            return objects;
        }
    }
}

impl Before {
    pub(crate) async fn of(place: &Place) -> Before {
        let db = place.db(0, None);
        let objects = list(place).await;
        let at_ms = Moment::now(&*db.requests().host).unix_ms();
        let current = db.load_view().await.unwrap().current;
        let is_snapshot = |key: &String| key.starts_with(&db.layout().snapshot_prefix());
        let unnamed = |key: &String| is_snapshot(key) && *key != current.snapshot;
        Before {
            at_ms,
            slot: current.log_seq_start.min(current.feed_floor_seq.unwrap_or(0)),
            snapshots: objects.into_iter().map(|object| object.key).filter(unnamed).collect(),
        }
    }

    /// An hour later and more: everything is live, marked, or younger than its age; and the database is right, down to the last
    /// byte. How many objects there are.
    pub(crate) async fn check(&self, place: &Place) -> usize {
        let db = place.db(0, None);
        // What is too old is too old now: reading every byte takes time, and no owner is left.
        let now_ms = Moment::now(&*db.requests().host).unix_ms();
        let (objects, layout) = (list(place).await, db.layout());
        for object in &objects {
            let stays = layout.slot_of(&object.key).is_none_or(|slot| slot >= self.slot);
            assert!(stays, "{} was of no use at slot {}", object.key, self.slot);
            assert!(!self.snapshots.contains(&object.key), "{} was of no use before", object.key);
        }
        let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
        let mut findings = Vec::new();
        let summary = db.verification(options).unwrap().run(|finding| findings.push(finding)).await;
        summary.unwrap();
        let day_ms = 24 * 60 * MINUTE_MS;
        for finding in findings {
            assert_eq!(finding.kind, FindingKind::Orphan, "{finding:?}");
            let key = &finding.object;
            if layout.sst_id_of(key).is_none() && layout.blob_id_of(key).is_none() {
                continue;
            }
            let object = objects.iter().find(|object| object.key == *key);
            let age_ms =
                object.and_then(|object| object.last_modified_ms).map_or(0, |at| now_ms.saturating_sub(at));
            let marked = finding.message.contains("marked");
            assert!(marked || age_ms < ORPHAN_MS, "{finding:?}");
            // Whatever maintenance says of it: it was old enough before, and there was time.
            let was_old = age_ms.saturating_sub(now_ms - self.at_ms) > day_ms;
            assert!(!was_old || layout.blob_id_of(key).is_none(), "{finding:?}");
        }
        objects.len()
    }
}
