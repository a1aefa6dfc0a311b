//! Garbage collection as the protocol describes it, on the manifest alone: it raises the feed's floor and deletes tables, log
//! entries and snapshots, so that publishers find slots that lie below the window and are gone.
//!
//! What it noted is shared by all its lives, as the documents in the bucket are. Its waits are the protocol's shortest ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isledb_core::error::Error;
use isledb_core::format::manifest::Role;
use isledb_core::manifest::{Draft, ManifestView, Publisher};

use super::Actor;
use super::publishing::{Manifest, Outcome, may_come_again};
use crate::executor::MINUTE;

/// The shortest wait: above base age (30 min) and request life (15 min), and the view age of these databases.
const WAIT_NS: u64 = 60 * MINUTE;

/// What collectors noted, with the virtual time of each note.
#[derive(Default)]
pub(super) struct Notes {
    /// `next_seq` as it was seen.
    covered: BTreeMap<u64, u64>,
    /// Slots below which both window and floor were seen to lie.
    log_end: BTreeMap<u64, u64>,
    /// Tables that no view names any more.
    tables: BTreeMap<String, u64>,
    /// Snapshots that nothing can name any more.
    snapshots: BTreeMap<String, u64>,
}

impl Notes {
    /// The highest of `seen` that was noted at least the wait ago.
    fn due(seen: &BTreeMap<u64, u64>, now_ns: u64) -> Option<u64> {
        seen.iter().filter(|(_, at)| now_ns.saturating_sub(**at) >= WAIT_NS).map(|(value, _)| *value).max()
    }

    fn due_names(seen: &BTreeMap<String, u64>, now_ns: u64) -> Vec<String> {
        seen.iter()
            .filter(|(_, at)| now_ns.saturating_sub(**at) >= WAIT_NS)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A life of a collector. True: it wants another one.
pub(super) async fn collect(actor: Actor, notes: Arc<Mutex<Notes>>) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("collections");
    let Some(mut publisher) = manifest.claim(Role::Maintenance).await else { return false };
    while actor.world.is_changing() {
        actor.sleep(rng.magnitude(MINUTE, 60 * MINUTE)).await;
        // An entry that does nothing: publishing it settles whatever was decided and not covered.
        let settle = Draft::removal(Vec::new());
        match manifest.publish(&mut publisher, settle).await {
            Outcome::Committed(_) => {}
            Outcome::Not { fenced: false } => continue,
            Outcome::Not { fenced: true } => return true,
            Outcome::Unknown | Outcome::Wrong => return false,
        }
        match round(&manifest, &publisher, &notes).await {
            Ok(()) => {}
            Err(error) if may_come_again(&error) => {}
            Err(error) => actor.unexpected("collection", &error),
        }
    }
    false
}

async fn round(manifest: &Manifest, publisher: &Publisher, notes: &Mutex<Notes>) -> Result<(), Error> {
    let handle = manifest.actor.world.handle.clone();
    let snapshots = list(manifest).await?;
    let sent_ns = handle.now_ns();
    let read = manifest.storage.read_current(None).await?;
    let view = ManifestView::load(manifest.storage.as_ref(), manifest.actor.host.as_ref()).await?;
    let current = view.current.as_ref();
    let owns = |fence: &&isledb_core::format::manifest::FenceToken| {
        fence.epoch == publisher.epoch() && fence.owner == publisher.owner()
    };
    if current.fence(Role::Maintenance).filter(owns).is_none() {
        return Ok(());
    }
    let floor = current.feed_floor_seq.unwrap_or(1);
    let (raised, log_end, tables, old_snapshots) = {
        let mut notes = lock(notes);
        notes.covered.entry(current.next_seq).or_insert(handle.now_ns());
        notes.log_end.entry(current.log_seq_start.min(floor)).or_insert(handle.now_ns());
        let flush_ended =
            |table: &str| {
                let slot = |flush: &&crate::oracle::Flush| flush.table == table;
                manifest.actor.world.oracle.look(|history| {
                    history.flushes().iter().find(slot).is_none_or(|flush| flush.slot < floor)
                })
            };
        let retired = manifest.actor.world.oracle.look(|history| history.retired_tables());
        for table in retired {
            notes.tables.entry(table).or_insert(handle.now_ns());
        }
        for (name, modified_ms) in snapshots {
            if name != current.snapshot
                && read.last_modified_ms.is_some_and(|current_ms| current_ms > modified_ms)
            {
                notes.snapshots.entry(name).or_insert(handle.now_ns());
            }
        }
        let mut tables = Notes::due_names(&notes.tables, sent_ns);
        tables.retain(|table| flush_ended(table) && view.state().table(table).is_none());
        let mut old = Notes::due_names(&notes.snapshots, sent_ns);
        old.retain(|name| current.snapshot != *name);
        (Notes::due(&notes.covered, sent_ns), Notes::due(&notes.log_end, sent_ns), tables, old)
    };
    if let (Some(raised), Some(version)) = (raised.filter(|raised| *raised > floor), view.version.clone()) {
        let mut next = current.clone();
        next.feed_floor_seq = Some(raised);
        // Not done, or not known: the next round reads CURRENT again.
        let _ = manifest.storage.write_current(next.encode(), Some(version)).await;
    }
    let mut gone: Vec<String> = tables.iter().map(|table| manifest.layout.sst(table)).collect();
    gone.extend(old_snapshots);
    let slots = 1..log_end.unwrap_or(1);
    let logs = slots.map(|slot| manifest.layout.log(slot));
    gone.extend(logs.filter(|key| manifest.actor.world.bucket.look(|objects| objects.get(key).is_some())));
    for keys in gone.chunks(20) {
        manifest.requests.delete_once(keys).await?;
    }
    Ok(())
}

/// The snapshots, each with its time.
async fn list(manifest: &Manifest) -> Result<Vec<(String, u64)>, Error> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = manifest.requests.list(&manifest.layout.snapshot_prefix(), after.as_deref()).await?;
        found.extend(page.objects.iter().map(|o| (o.key.clone(), o.last_modified_ms.unwrap_or(u64::MAX))));
        after = page.objects.last().map(|object| object.key.clone());
        if !page.more || after.is_none() {
            return Ok(found);
        }
    }
}
