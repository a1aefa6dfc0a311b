//! Which slots make the feed. Pure.

use std::sync::Arc;

use bytes::Bytes;

use super::cursor::{Cursor, Scanning};
use crate::error::{Error, Result};
use crate::format::manifest::{Current, LogEntry, Op, Role, SstMeta};
use crate::manifest::Replay;
use crate::mutation::{Mutation, mutated};

/// The setting that bounds how far the feed reaches back.
const SETTING: &str = "change_retention_ms";

/// The oldest slot whose entry and table can still be counted on, or tried. Without a floor in CURRENT (the original
/// dropped it) nothing below the window counts.
pub(super) fn oldest_slot(current: &Current) -> u64 {
    if current.next_seq == 0 { 1 } else { current.feed_floor_seq.unwrap_or(current.log_seq_start) }
}

/// The oldest cursor that works.
pub(super) fn begin(current: &Current, replay: &Replay) -> Cursor {
    let slot = oldest_slot(current);
    Cursor::at(slot, epochs_at(current, replay, slot))
}

/// The epochs below which entries from `slot` on do not count.
///
/// In front of the window the rule's own start counts. In front of an older slot no claim is known any more, and none is
/// needed: a floor below the window means that only we have covered slots since, and behind a claim of ours no entry of a
/// lower epoch follows. The one exception: a live original whose entry lost the race against our claim, was covered for it,
/// and lies at the floor while the claim lies just below: from that floor on its table is shown, though it does not count.
pub(crate) fn epochs_at(current: &Current, replay: &Replay, slot: u64) -> [u64; 2] {
    Role::ALL.map(|role| if slot == current.log_seq_start { replay.active_at_start(role) } else { 0 })
}

/// The cursor behind all that is committed.
pub(super) fn end(current: &Current, replay: &Replay) -> Cursor {
    Cursor::at(current.next_slot() + u64::from(mutated(Mutation::FeedBeginsLate)), epochs(replay))
}

/// The epochs below which entries behind a replay do not count.
pub(super) fn epochs(replay: &Replay) -> [u64; 2] {
    Role::ALL.map(|role| replay.active(role))
}

/// The cursor of a bootstrap that has emitted nothing yet.
pub(super) fn bootstrap(current: &Current, replay: &Replay) -> Cursor {
    let end = end(current, replay);
    Cursor { scanning: Some(Scanning { last_key: Bytes::new(), slot: end.slot }), ..end }
}

/// Whether the feed still reaches back to `cursor`.
///
/// Errors: `CursorExpired` with the oldest that works; `InvalidArgument` for a cursor that is ahead of this database.
pub(super) fn check(cursor: &Cursor, current: &Current, replay: &Replay) -> Result<()> {
    if cursor.slot < oldest_slot(current) {
        // Half a state is of no use without the changes since: such a consumer begins anew.
        let anew = cursor.scanning.is_some() || !cursor.held.is_empty();
        let oldest = if anew { bootstrap(current, replay) } else { begin(current, replay) };
        return Err(expired(cursor, &oldest));
    }
    let ahead = |slot: u64| slot > current.next_slot();
    if ahead(cursor.slot) || cursor.scanning.as_ref().is_some_and(|scanning| ahead(scanning.slot)) {
        return Err(Error::invalid(format!(
            "cursor {cursor} is of another database: the log of this one ends at slot {}",
            current.next_slot()
        )));
    }
    Ok(())
}

pub(super) fn expired(cursor: &Cursor, oldest: &Cursor) -> Error {
    Error::CursorExpired { cursor: cursor.to_string(), oldest: oldest.to_string(), setting: SETTING }
}

/// The table that `entry` adds to the feed, if it does: an entry of an author who was fenced before it does not count.
/// `epochs` moves behind the entry.
pub(crate) fn flushed(entry: &LogEntry, epochs: &mut [u64; 2]) -> Option<Arc<SstMeta>> {
    let active = &mut epochs[entry.role as usize];
    match &entry.op {
        Op::FenceClaim { .. } => *active = (*active).max(entry.epoch),
        Op::AddSstable(table) if entry.epoch >= *active => return Some(table.clone()),
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ksuid::Ksuid;
    use crate::format::time::Timestamp;

    fn current(log_seq_start: u64, next_seq: u64, feed_floor_seq: Option<u64>) -> Current {
        Current { log_seq_start, next_seq, feed_floor_seq, ..Current::default() }
    }

    fn empty() -> Replay {
        Replay::full(&Current::default(), None, &[]).unwrap()
    }

    #[test]
    fn the_feed_begins_at_the_floor_or_else_at_the_window() {
        for (current, oldest) in [
            (Current::default(), 1),
            (current(0, 5, None), 0),
            (current(3, 5, None), 3),
            (current(3, 5, Some(1)), 1),
            (current(3, 5, Some(4)), 4),
        ] {
            assert_eq!(oldest_slot(&current), oldest);
            assert_eq!(begin(&current, &empty()).slot, oldest);
        }
    }

    #[test]
    fn a_cursor_is_within_what_is_kept() {
        let current = current(3, 5, Some(2));
        let check = |slot| check(&Cursor::at(slot, [0; 2]), &current, &empty());
        assert!(
            matches!(check(1), Err(Error::CursorExpired { oldest, .. }) if oldest.starts_with("c1.2.0."))
        );
        assert!(check(2).is_ok() && check(5).is_ok());
        assert!(matches!(check(6), Err(Error::InvalidArgument { .. })));
    }

    #[test]
    fn entries_of_the_fenced_do_not_count() {
        let entry = |role, epoch, op| LogEntry {
            id: Ksuid::default(),
            seq: 1,
            role,
            epoch,
            ts: Timestamp::ZERO,
            op,
            effects: None,
        };
        let claim = |role, epoch| {
            entry(role, epoch, Op::FenceClaim { role, epoch, owner: "o".into(), claimed_at: Timestamp::ZERO })
        };
        let add = |epoch| entry(Role::Writer, epoch, Op::AddSstable(Arc::default()));
        let mut epochs = [0; 2];
        let mut counts = |entry: LogEntry| flushed(&entry, &mut epochs).is_some();
        assert!(counts(add(0)));
        assert!(!counts(claim(Role::Writer, 2)) && !counts(claim(Role::Maintenance, 9)));
        assert!(!counts(add(1)) && counts(add(2)) && counts(add(3)));
        assert!(!counts(claim(Role::Writer, 1)) && !counts(add(1)));
        assert!(!counts(entry(Role::Writer, 2, Op::RemoveSstables(vec!["a".into()]))));
    }
}
