//! What may be left in the bucket, by the rules of the commit protocol.

use std::collections::BTreeSet;

use isledb::host::{Moment, ObjectMeta};
use isledb::verify::{FindingKind, VerifyOptions};

use crate::place::Place;

const MINUTE_MS: u64 = 60_000;
/// What was never published goes when it is a day old and the listing comes round.
const ORPHAN_MS: u64 = (24 * 60 + 100) * MINUTE_MS;

/// What nothing needed when the kills had ended.
pub(crate) struct Before {
    /// Log entries below this are below the window, and the feed does not reach back to them.
    slot: u64,
    /// Snapshots that CURRENT does not name.
    snapshots: BTreeSet<String>,
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
        let current = db.load_view().await.unwrap().current;
        let is_snapshot = |key: &String| key.starts_with(&db.layout().snapshot_prefix());
        let unnamed = |key: &String| is_snapshot(key) && *key != current.snapshot;
        Before {
            slot: current.log_seq_start.min(current.feed_floor_seq.unwrap_or(0)),
            snapshots: objects.into_iter().map(|object| object.key).filter(unnamed).collect(),
        }
    }

    /// An hour later and more: everything is live, marked, or younger than its age; and the database is right, down to the last
    /// byte. How many objects there are.
    pub(crate) async fn check(&self, place: &Place) -> usize {
        let db = place.db(0, None);
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
        let now_ms = Moment::now(&*db.requests().host).unix_ms();
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
        }
        objects.len()
    }
}
