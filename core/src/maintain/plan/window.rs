//! Retention by time windows: whole segments of time go when they ended before the period, and some always stay. Pure.

use std::collections::BTreeMap;

use super::fifo::cutoff_ms;
use super::removal::{self, RetentionPlan, data_time_ms};
use crate::format::time::Timestamp;
use crate::manifest::State;

/// What goes from `state` at `now_ms` (the store's time): the tables of each segment of `segment_ms` that ended more than
/// `period_ms` ago, oldest first, while more than `keep_segments` (at least 1) segments stay.
pub fn plan(
    state: &State,
    period_ms: u64,
    keep_segments: u64,
    segment_ms: u64,
    now_ms: u64,
) -> RetentionPlan {
    let segment_ms = i64::try_from(segment_ms.max(1)).unwrap_or(i64::MAX);
    let mut segments: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut tables = 0;
    for (at, table) in state.tables().enumerate() {
        segments.entry(segment_start_ms(data_time_ms(table), segment_ms)).or_default().push(at);
        tables = at + 1;
    }
    let keep = usize::try_from(keep_segments.max(1)).unwrap_or(usize::MAX);
    let may_go = segments.len().saturating_sub(keep);
    let cutoff = cutoff_ms(now_ms, period_ms);
    let mut chosen = vec![None; tables];
    for (start, members) in segments.into_iter().take(may_go) {
        if start.saturating_add(segment_ms) >= cutoff {
            break;
        }
        let ended_ms = cutoff_ms(now_ms, 0).saturating_sub(start.saturating_add(segment_ms));
        for at in members {
            chosen[at] = Some(format!("its segment ended {ended_ms} ms ago, the period is {period_ms} ms"));
        }
    }
    removal::plan(state, chosen)
}

/// The start of the segment with this time. Segments are counted from the year 1, as the original does, not from 1970: the two
/// differ where a segment does not divide a day, as for weeks.
pub fn segment_start_ms(time_ms: i64, segment_ms: i64) -> i64 {
    let year_one = Timestamp::ZERO.unix_ms();
    let since = time_ms.saturating_sub(year_one);
    year_one.saturating_add(since.div_euclid(segment_ms).saturating_mul(segment_ms))
}
