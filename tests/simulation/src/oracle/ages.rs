//! How long what is deleted has been out of use: by the store's own clock, from the bucket alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::check::{Check, Violation};
use crate::replay::PlainState;

/// `max_view_age_ms` where CURRENT does not say.
const VIEW_AGE_MS: u64 = 10 * 60_000;
/// `change_retention_ms` where CURRENT does not say.
const RETENTION_MS: u64 = 60 * 60_000;
/// An upload that no entry names stays at least so long.
const ORPHAN_AGE_MS: u64 = 24 * 60 * 60_000;

/// When things came into use and went out of it, in milliseconds of virtual time.
#[derive(Debug, Default)]
pub(super) struct Ages {
    covered: BTreeMap<u64, u64>,
    uploaded: BTreeMap<String, u64>,
    /// The slots of flushes.
    added: BTreeMap<String, u64>,
    in_use: BTreeSet<String>,
    /// Tables that were in a state and are in none now.
    removed: BTreeMap<String, u64>,
    /// The shortest that CURRENT ever said: a collector may have seen only that one.
    view_age_ms: Option<u64>,
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

impl Ages {
    pub(super) fn uploaded(&mut self, id: &str, now_ms: u64) {
        self.uploaded.insert(id.to_owned(), now_ms);
    }

    pub(super) fn covered(&mut self, slot: u64, now_ms: u64) {
        self.covered.insert(slot, now_ms);
    }

    pub(super) fn added(&mut self, table: &Value, slot: u64) {
        let id = table.get("ID").and_then(Value::as_str).unwrap_or_default();
        self.added.insert(id.to_owned(), slot);
    }

    /// A new CURRENT, whose state is `state`.
    pub(super) fn current(
        &mut self,
        before: &Value,
        current: &Value,
        state: &PlainState,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let age_ms = number(current, "max_view_age_ms").unwrap_or(VIEW_AGE_MS);
        self.view_age_ms = Some(self.view_age_ms.unwrap_or(age_ms).min(age_ms));
        if number(before, "next_seq") != number(current, "next_seq") {
            let in_use: BTreeSet<String> = state.tables().map(|table| table.id.clone()).collect();
            let gone: Vec<_> = self.in_use.difference(&in_use).map(|id| (id.clone(), now_ms)).collect();
            self.removed.extend(gone);
            self.removed.retain(|id, _| !in_use.contains(id));
            self.in_use = in_use;
        }
        let (was, is) = (number(before, "feed_floor_seq"), number(current, "feed_floor_seq"));
        let (Some(was), Some(is)) = (was, is) else { return Ok(()) };
        let retention_ms = number(current, "change_retention_ms").unwrap_or(RETENTION_MS);
        let young = |slot: &u64| self.covered.get(slot).is_some_and(|at| at + retention_ms > now_ms);
        match (was..is).find(young) {
            Some(slot) => {
                let detail = format!(
                    "the floor rose from {was} to {is} over slot {slot}, which is younger than the feed reaches"
                );
                Err(Violation::new(Check::DeletedTooSoon, detail))
            }
            None => Ok(()),
        }
    }

    /// A table was deleted that is in no state now.
    pub(super) fn table_deleted(&self, id: &str, floor: u64, now_ms: u64) -> Result<(), Violation> {
        let too_soon = |why: String| Err(Violation::new(Check::DeletedTooSoon, format!("{id}: {why}")));
        if let Some(slot) = self.added.get(id).filter(|slot| **slot >= floor) {
            return too_soon(format!("the feed has it in slot {slot}, its floor is {floor}"));
        }
        let unused_ms = self.removed.get(id).map(|since| now_ms - since);
        if unused_ms.is_some_and(|unused_ms| unused_ms < self.view_age_ms.unwrap_or(0)) {
            return too_soon(format!("views from {unused_ms:?} ms ago may read it"));
        }
        let old_ms = self.uploaded.get(id).map(|at| now_ms - at);
        // A merge takes back at once what it has uploaded and will not publish.
        if unused_ms.is_none() && !id.contains("-0-0-") && old_ms.is_some_and(|old_ms| old_ms < ORPHAN_AGE_MS)
        {
            return too_soon(format!("it was uploaded {old_ms:?} ms ago, and may be published yet"));
        }
        Ok(())
    }
}
