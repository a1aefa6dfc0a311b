//! The history of one manifest, seen from the bucket: every decided slot, every CURRENT.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::ages::Ages;
use super::check::{Check, Violation};
use crate::replay::{self, PlainState};
use crate::store::Objects;

/// A flush that CURRENT covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    /// Its slot.
    pub slot: u64,
    /// Fence epoch of its writer.
    pub epoch: u64,
    /// Its sequence numbers.
    pub sequences: (u64, u64),
    /// Its table.
    pub table: String,
}

/// A table that retention took out of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The slot of the removal.
    pub slot: u64,
    /// Smallest and largest key of the table.
    pub keys: (Vec<u8>, Vec<u8>),
    /// Its sequence numbers.
    pub sequences: (u64, u64),
}

/// What the bucket has shown so far.
#[derive(Debug)]
pub struct ManifestHistory {
    prefix: String,
    decided: BTreeMap<u64, Arc<Value>>,
    present: BTreeSet<u64>,
    /// The states of all snapshots that were ever written, by their full key.
    snapshots: BTreeMap<String, PlainState>,
    current: Value,
    ages: Ages,
    /// The slots of claims of writers, by owner as in `epochs`.
    claim_slots: BTreeMap<String, u64>,
    /// All decided slots below `next_seq`, applied in order: the truth.
    truth: PlainState,
    active: [u64; 2],
    claims: [Option<(u64, String)>; 2],
    epochs: BTreeMap<String, u64>,
    writers: BTreeMap<u64, String>,
    flushes: Vec<Flush>,
    removals: Vec<Removal>,
    /// What the original's replay made of each CURRENT, by its `next_seq`.
    states: BTreeMap<u64, PlainState>,
    not_committed: Vec<(String, u64, u64)>,
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// CURRENT, with the copies of log entries that it carries as they stand there.
#[derive(Deserialize)]
struct CurrentDocument<'a> {
    #[serde(borrow, default)]
    inline_log: Option<Vec<&'a RawValue>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

const FENCES: [&str; 2] = ["writer_fence", "compactor_fence"];

impl ManifestHistory {
    /// The manifest under `prefix`, which is empty so far.
    pub fn new(prefix: &str) -> ManifestHistory {
        ManifestHistory {
            prefix: prefix.to_owned(),
            decided: BTreeMap::new(),
            present: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            current: Value::Null,
            ages: Ages::default(),
            claim_slots: BTreeMap::new(),
            truth: PlainState { next_epoch: 1, ..PlainState::default() },
            active: [0; 2],
            claims: [None, None],
            epochs: BTreeMap::new(),
            writers: BTreeMap::new(),
            flushes: Vec::new(),
            removals: Vec::new(),
            states: BTreeMap::new(),
            not_committed: Vec::new(),
        }
    }

    /// Every flush that CURRENT covers, in commit order.
    pub fn flushes(&self) -> &[Flush] {
        &self.flushes
    }

    /// Every table that a covered removal took, in commit order.
    pub fn removals(&self) -> &[Removal] {
        &self.removals
    }

    /// The fence epoch of a writer whose claim is covered. `owner` is its whole name, or the configured part of it, where no
    /// other owner has the same.
    pub fn epoch_of(&self, owner: &str) -> Option<u64> {
        self.epochs.get(owner).copied()
    }

    /// The slot of the claim of a writer, by the name as in [`ManifestHistory::epoch_of`].
    pub fn claim_of(&self, owner: &str) -> Option<u64> {
        self.claim_slots.get(owner).copied()
    }

    /// The configured name of the writer with this fence epoch.
    pub fn owner_of(&self, epoch: u64) -> Option<&str> {
        self.writers.get(&epoch).map(String::as_str)
    }

    /// `next_seq` of the CURRENT that is there now.
    pub fn next_seq(&self) -> u64 {
        number(&self.current, "next_seq").max(1)
    }

    /// True if somebody ever claimed the maintenance role.
    pub fn is_maintained(&self) -> bool {
        self.claims[1].is_some()
    }

    /// The oldest slot that is still kept for the change feed.
    pub fn feed_floor(&self) -> u64 {
        number(&self.current, "feed_floor_seq").max(1)
    }

    /// What the original's replay makes of the CURRENT with this `next_seq`.
    pub fn state_at(&self, next_seq: u64) -> Option<&PlainState> {
        self.states.get(&next_seq)
    }

    fn log_key(&self, slot: u64) -> String {
        format!("{}/manifest/log/{slot:020}.json", self.prefix)
    }

    fn slot_of(&self, key: &str) -> Option<u64> {
        let name = key.strip_prefix(&self.prefix)?.strip_prefix("/manifest/log/")?;
        name.strip_suffix(".json")?.parse().ok()
    }

    fn table_key(&self, id: &str) -> String {
        format!("{}/sstable/{id}", self.prefix)
    }

    /// An object was written.
    pub fn written(&mut self, objects: &Objects, key: &str, now_ms: u64) -> Result<(), Violation> {
        let body = || objects.get(key).map(|object| object.body.clone()).unwrap_or_default();
        if let Some(slot) = self.slot_of(key) {
            if !self.present.insert(slot) {
                return Err(Violation::new(Check::SlotOverwritten, key));
            }
            // A put that lands on a slot deleted since changes nothing: the slot was decided before.
            let entry = || Arc::new(serde_json::from_slice(&body()).unwrap_or_default());
            self.decided.entry(slot).or_insert_with(entry);
            if slot > self.next_seq() {
                return Err(Violation::new(
                    Check::SlotBeyondNext,
                    format!("{key}, next_seq {}", self.next_seq()),
                ));
            }
        } else if self.is_in(key, "/manifest/snapshots/") {
            let document: Value = serde_json::from_slice(&body()).unwrap_or_default();
            self.snapshots.insert(key.to_owned(), PlainState::of_snapshot(&document));
        } else if key.strip_prefix(&self.prefix) == Some("/manifest/CURRENT") {
            self.check_current(objects, &body(), now_ms)?;
        } else if let Some(id) = self.table_of(key) {
            self.ages.uploaded(id, now_ms);
        }
        Ok(())
    }

    fn is_in(&self, key: &str, folder: &str) -> bool {
        key.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with(folder))
    }

    /// An object was removed.
    pub fn deleted(&mut self, key: &str, now_ms: u64) -> Result<(), Violation> {
        let in_window = |slot| number(&self.current, "log_seq_start") <= slot && slot < self.next_seq();
        let slot = self.slot_of(key);
        let named = match slot {
            Some(slot) => in_window(slot),
            None if self.is_in(key, "/manifest/snapshots/") => {
                self.current.get("snapshot").and_then(Value::as_str) == Some(key)
            }
            None => {
                let id = self.table_of(key);
                id.is_some_and(|id| self.truth.tables().any(|table| table.id == id) || self.decided_adds(id))
            }
        };
        if let Some(slot) = slot {
            self.present.remove(&slot);
        }
        if named {
            return Err(Violation::new(Check::ViewNamesMissingObject, key));
        }
        let floor = self.feed_floor();
        if slot.is_some_and(|slot| slot >= floor) {
            let detail = format!("{key}, the feed's floor is {floor}");
            return Err(Violation::new(Check::DeletedTooSoon, detail));
        }
        match self.table_of(key) {
            Some(id) => self.ages.table_deleted(id, floor, now_ms),
            None => Ok(()),
        }
    }

    /// A decided slot that CURRENT does not cover yet has that table: it will be visible, whoever covers it.
    fn decided_adds(&self, id: &str) -> bool {
        let ahead = self.decided.range(self.next_seq()..).map(|(_, entry)| entry);
        let table = |entry: &Value| entry.get("sstable").and_then(|table| table.get("ID")).cloned();
        ahead.filter_map(|entry| table(entry)).any(|named| named.as_str() == Some(id))
    }

    fn table_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.prefix)?.strip_prefix("/sstable/")
    }

    fn check_current(&mut self, objects: &Objects, body: &[u8], now_ms: u64) -> Result<(), Violation> {
        let Ok(document) = serde_json::from_slice::<CurrentDocument<'_>>(body) else {
            return Err(Violation::new(Check::CurrentGoesBack, "CURRENT is no JSON document"));
        };
        let before = std::mem::replace(&mut self.current, Value::Object(document.rest));
        let now = |field| number(&self.current, field);
        for field in ["next_seq", "log_seq_start", "feed_floor_seq", "next_sequence", "next_epoch"] {
            let (was, is) = (number(&before, field), now(field));
            if is < was {
                return Err(Violation::new(Check::CurrentGoesBack, format!("{field} from {was} to {is}")));
            }
        }
        for slot in number(&before, "next_seq").max(1)..now("next_seq") {
            let missing = || Violation::new(Check::ViewNamesMissingObject, self.log_key(slot));
            let entry = self.decided.get(&slot).cloned().ok_or_else(missing)?;
            self.cover(slot, &entry)?;
            self.ages.covered(slot, now_ms);
        }
        for (role, field) in FENCES.into_iter().enumerate() {
            let fence = self.current.get(field).filter(|fence| !fence.is_null());
            let shown = fence.map(|fence| {
                (
                    number(fence, "epoch"),
                    fence.get("owner").and_then(Value::as_str).unwrap_or_default().to_owned(),
                )
            });
            if shown != self.claims[role] {
                let detail = format!("{field} is {shown:?}, the last claim is {:?}", self.claims[role]);
                return Err(Violation::new(Check::FenceWithoutClaim, detail));
            }
        }
        let state = self.check_view(objects)?;
        self.check_fast_paths(objects, document.inline_log.as_deref().unwrap_or_default())?;
        check_lsns(&before, &self.current, &state)?;
        self.ages.current(&before, &self.current, &state, now_ms)?;
        self.states.insert(self.next_seq(), state);
        Ok(())
    }

    /// CURRENT newly covers a slot.
    fn cover(&mut self, slot: u64, entry: &Value) -> Result<(), Violation> {
        let (role, epoch) = (replay::role(entry), replay::epoch(entry));
        let claimed = self.claims[role].as_ref().map_or(0, |(epoch, _)| *epoch);
        let two_owners = |what: &str| {
            let detail = format!("slot {slot}: {what} of epoch {epoch}, after the claim of epoch {claimed}");
            Err(Violation::new(Check::TwoOwnersCommit, detail))
        };
        if replay::is_claim(entry) {
            if epoch <= claimed {
                return two_owners("a claim");
            }
            let payload = entry.get("fence_claim").unwrap_or(&Value::Null);
            let owner = payload.get("owner").and_then(Value::as_str).unwrap_or_default().to_owned();
            if role == 0 {
                let configured = owner.rsplit_once('~').map_or(owner.as_str(), |(name, _)| name).to_owned();
                self.claim_slots.insert(configured.clone(), slot);
                self.epochs.insert(owner.clone(), epoch);
                self.epochs.insert(configured.clone(), epoch);
                self.writers.insert(epoch, configured);
            }
            self.claims[role] = Some((epoch, owner));
        } else if epoch != claimed {
            return two_owners("an entry");
        }
        match entry.get("op").and_then(Value::as_str).unwrap_or_default() {
            "add_sstable" => {
                self.ages.added(entry.get("sstable").unwrap_or(&Value::Null), slot);
                self.cover_flush(slot, epoch, entry.get("sstable").unwrap_or(&Value::Null))?;
            }
            "remove_sstables" => {
                self.cover_removal(slot, entry)?;
                self.note_removal(slot, entry);
            }
            "compaction" => self.cover_removal(slot, entry.get("compaction").unwrap_or(&Value::Null))?,
            _ => {}
        }
        replay::apply_all(&mut self.truth, &mut self.active, [entry]);
        Ok(())
    }

    fn cover_flush(&mut self, slot: u64, epoch: u64, table: &Value) -> Result<(), Violation> {
        let sequences = (number(table, "SeqLo"), number(table, "SeqHi"));
        let id = table.get("ID").and_then(Value::as_str).unwrap_or_default().to_owned();
        let flush = Flush { slot, epoch, sequences, table: id };
        let overlaps = |other: &&Flush| {
            other.epoch == epoch && other.sequences.0 <= sequences.1 && sequences.0 <= other.sequences.1
        };
        if let Some(other) = self.flushes.iter().find(|other| other.table == flush.table || overlaps(other)) {
            return Err(Violation::new(Check::FlushVisibleTwice, format!("{other:?} and {flush:?}")));
        }
        if let Some(last) = self.flushes.last().filter(|last| last.sequences.1 >= sequences.0) {
            return Err(Violation::new(Check::SequenceGoesBackwards, format!("{flush:?} after {last:?}")));
        }
        self.flushes.push(flush);
        let taken_back = self.not_committed.iter().find(|reported| self.visible(reported));
        if let Some(reported) = taken_back {
            return Err(Violation::new(
                Check::NotCommittedBecomesVisible,
                format!("{reported:?} in slot {slot}"),
            ));
        }
        Ok(())
    }

    fn cover_removal(&self, slot: u64, job: &Value) -> Result<(), Violation> {
        for id in job.get("remove_sstable_ids").and_then(Value::as_array).into_iter().flatten() {
            if !self.truth.tables().any(|table| Some(table.id.as_str()) == id.as_str()) {
                return Err(Violation::new(Check::InputsGone, format!("slot {slot} removes {id}")));
            }
        }
        Ok(())
    }

    fn note_removal(&mut self, slot: u64, entry: &Value) {
        let ids = entry.get("remove_sstable_ids").and_then(Value::as_array).into_iter().flatten();
        for id in ids.filter_map(Value::as_str) {
            let Some(table) = self.truth.tables().find(|table| table.id == id) else { continue };
            let removal = Removal { slot, keys: table.keys.clone(), sequences: table.sequences };
            self.removals.push(removal);
        }
    }

    /// The whole view of CURRENT exists, and the original's replay of it is what the decided slots say.
    fn check_view(&self, objects: &Objects) -> Result<PlainState, Violation> {
        let snapshot = |key: &str| objects.get(key).and_then(|_| self.snapshots.get(key)).cloned();
        let entry = |slot: u64| self.decided.get(&slot).filter(|_| self.present.contains(&slot));
        let state = replay::full(&self.current, snapshot, |slot| entry(slot).map(Arc::as_ref))
            .map_err(|missing| Violation::new(Check::ViewNamesMissingObject, missing))?;
        let same = (&state.l0, &state.runs, state.next_run)
            == (&self.truth.l0, &self.truth.runs, self.truth.next_run);
        if !same {
            let detail = format!("replay: {state:?}; decided: {:?}", self.truth);
            return Err(Violation::new(Check::ReplayDiffers, detail));
        }
        for table in state.tables() {
            let key = self.table_key(&table.id);
            if objects.get(&key).is_none() {
                return Err(Violation::new(Check::ViewNamesMissingObject, key));
            }
        }
        Ok(state)
    }

    fn check_fast_paths(&self, objects: &Objects, inline: &[&RawValue]) -> Result<(), Violation> {
        let differs = |detail: String| Err(Violation::new(Check::FastPathDiffers, detail));
        let above = self.flushes.last().map_or(1, |flush| flush.sequences.1 + 1);
        let next_sequence = self.current.get("next_sequence").and_then(Value::as_u64);
        if next_sequence.is_some_and(|next| next != above) {
            return differs(format!("next_sequence is {next_sequence:?}, {above} is above all flushes"));
        }
        // Some may be left out, so each is looked for from where the one before it was found.
        let mut slots = number(&self.current, "log_seq_start")..self.next_seq();
        for entry in inline {
            let is_it = |slot| {
                let object = objects.get(&self.log_key(slot));
                object.is_some_and(|object| object.body.as_ref() == entry.get().as_bytes())
            };
            if !slots.any(is_it) {
                return differs(format!("inline_log has {entry}, which no object of the window holds"));
            }
        }
        Ok(())
    }

    /// Whether some of these sequence numbers of `owner` are visible.
    fn visible(&self, (owner, first, last): &(String, u64, u64)) -> bool {
        let Some(epoch) = self.epoch_of(owner) else { return false };
        self.flushes.iter().any(|f| f.epoch == epoch && f.sequences.0 <= *last && *first <= f.sequences.1)
    }

    /// `owner` was told that all of `first..=last` is committed.
    pub fn acknowledged(&self, owner: &str, first: u64, last: u64) -> Result<(), Violation> {
        let epoch = self.epoch_of(owner);
        let own = self.flushes.iter().filter(|flush| Some(flush.epoch) == epoch);
        let mut next = first;
        for flush in own.filter(|flush| flush.sequences.1 >= first) {
            if flush.sequences.0 <= next {
                next = flush.sequences.1 + 1;
            }
        }
        if next <= last {
            let detail =
                format!("{owner} (epoch {epoch:?}): {first}..={last}, sequence {next} is in no flush");
            return Err(Violation::new(Check::AcknowledgedFlushMissing, detail));
        }
        Ok(())
    }

    /// `owner` was told that nothing of `first..=last` is committed, and it will not try again.
    pub fn reported_not_committed(&mut self, owner: &str, first: u64, last: u64) -> Result<(), Violation> {
        let reported = (owner.to_owned(), first, last);
        if self.visible(&reported) {
            return Err(Violation::new(Check::NotCommittedBecomesVisible, format!("{reported:?}, already")));
        }
        self.not_committed.push(reported);
        Ok(())
    }
}

/// Where the owners read LSNs from keys (8 bytes, the highest first): low <= each visible one <= max, and max never falls.
fn check_lsns(before: &Value, current: &Value, state: &PlainState) -> Result<(), Violation> {
    let lsn = |document: &Value, field: &str| document.get(field).and_then(Value::as_u64);
    let (was, max) = (lsn(before, "max_committed_lsn"), lsn(current, "max_committed_lsn"));
    let wrong = |detail: String| Err(Violation::new(Check::LsnOutOfBounds, detail));
    if max < was {
        return wrong(format!("max_committed_lsn from {was:?} to {max:?}"));
    }
    let Some(max) = max else { return Ok(()) };
    let low = lsn(current, "low_watermark_lsn");
    let of_key = |key: &[u8]| Some(u64::from_be_bytes(key.try_into().ok()?));
    for table in state.tables() {
        let (first, last) = (of_key(&table.keys.0), of_key(&table.keys.1));
        if low.is_none() || low > first || last > Some(max) {
            return wrong(format!("{} has {first:?} to {last:?}, CURRENT says {low:?} to {max}", table.id));
        }
    }
    Ok(())
}
