//! What a decided slot makes of CURRENT. Pure, and the same for its author and for whoever helps.

use bytes::Bytes;

use crate::format::manifest::{Current, Effects, FenceToken, InlineEntry, LogEntry, Op};

/// An entry larger than this is left out of CURRENT's `inline_log` (it has long keys); readers fetch it.
const INLINE_ENTRY_MAX_BYTES: usize = 4 * 1024;
/// CURRENT never carries more than this inline, also where no snapshot could be written for long.
const INLINE_LOG_MAX_BYTES: usize = 28 * 1024;

/// CURRENT after the slot of `entry` (whose object is `raw`, byte for byte) is covered. `exists`: there was a CURRENT.
///
/// The entry itself carries its effects, so a helper makes the same document as its author. An entry without effects
/// is the original's and gets what the original would have done; `lsns` are those that it would have set. The highest
/// committed LSN never falls, whatever an entry says.
pub(super) fn cover(base: &Current, exists: bool, entry: &LogEntry, raw: &Bytes, lsns: &Effects) -> Current {
    let mut next = base.clone();
    if next.log_seq_start == next.next_seq {
        next.log_seq_start = entry.seq;
        next.inline_log.clear();
    }
    next.next_seq = entry.seq + 1;
    next.next_epoch = next.next_epoch.max(1).max(epoch_above(&entry.op));
    if !exists {
        next.feed_floor_seq = Some(1);
    }
    if let Op::FenceClaim { owner, claimed_at, .. } = &entry.op
        && base.fence(entry.role).is_none_or(|fence| entry.epoch > fence.epoch)
    {
        let fence = FenceToken { epoch: entry.epoch, owner: owner.clone(), claimed_at: *claimed_at };
        next.set_fence(entry.role, Some(fence));
    }
    match &entry.effects {
        Some(effects) => {
            if matches!(entry.op, Op::FenceClaim { .. }) && next.feed_floor_seq.is_none() {
                next.feed_floor_seq = Some(entry.seq);
            }
            next.max_view_age_ms = effects.max_view_age_ms.apply(next.max_view_age_ms);
            next.change_retention_ms = effects.change_retention_ms.apply(next.change_retention_ms);
            next.next_sequence = next.next_sequence.max(effects.next_sequence);
        }
        None => {
            if let (Some(next_sequence), Op::AddSstable(meta)) = (&mut next.next_sequence, &entry.op) {
                *next_sequence = (*next_sequence).max(meta.seq_hi.saturating_add(1));
            }
        }
    }
    let lsns = entry.effects.as_ref().unwrap_or(lsns);
    next.max_committed_lsn = lsns.max_committed_lsn.apply(next.max_committed_lsn).max(next.max_committed_lsn);
    next.low_watermark_lsn = lsns.low_watermark_lsn.apply(next.low_watermark_lsn);
    push_inline(&mut next, entry.seq, raw);
    next
}

/// The lowest table epoch above those of the entry.
fn epoch_above(op: &Op) -> u64 {
    let above = |epoch: u64| epoch.saturating_add(1);
    match op {
        Op::AddSstable(meta) => above(meta.epoch),
        Op::Compaction(compaction) => compaction.added().map(|meta| above(meta.epoch)).max().unwrap_or(0),
        Op::Checkpoint(state) => state.next_epoch,
        Op::RemoveSstables(_) | Op::FenceClaim { .. } | Op::Unknown(_) => 0,
    }
}

/// Adds the entry to `inline_log`, dropping the oldest where the bound asks for it: what is missing is only fetched.
fn push_inline(current: &mut Current, seq: u64, raw: &Bytes) {
    let start = current.log_seq_start;
    current.inline_log.retain(|entry| entry.seq >= start && entry.seq < seq);
    if raw.len() <= INLINE_ENTRY_MAX_BYTES {
        current.inline_log.push(InlineEntry { seq, bytes: raw.clone() });
    }
    let mut total: usize = current.inline_log.iter().map(|entry| entry.bytes.len()).sum();
    while total > INLINE_LOG_MAX_BYTES {
        total -= current.inline_log.remove(0).bytes.len();
    }
}
