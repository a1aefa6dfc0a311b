//! Retention by age: the oldest tables go, as many as are older than the period, and some always stay. Pure.
//!
//! Right for data that is written once and loses its worth with time. Wrong where keys are overwritten for ever: what was last
//! written long ago goes although it is still the newest version.

use super::removal::{self, RetentionPlan, data_time_ms};
use crate::manifest::State;

/// What goes from `state` at `now_ms` (the store's time): tables whose data is older than `period_ms`, oldest first, while
/// more than `keep` tables stay.
pub fn plan(state: &State, period_ms: u64, keep: u64, now_ms: u64) -> RetentionPlan {
    let times: Vec<i64> = state.tables().map(|table| data_time_ms(table)).collect();
    let cutoff = cutoff_ms(now_ms, period_ms);
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|at| times[*at]);
    let may_go = order.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    let mut chosen = vec![None; times.len()];
    for at in order.into_iter().take(may_go).take_while(|at| times[*at] < cutoff) {
        let age_ms = i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_sub(times[at]);
        chosen[at] = Some(format!("its newest data is {age_ms} ms old, the period is {period_ms} ms"));
    }
    removal::plan(state, chosen)
}

/// What is older than the period was written before this time.
pub(super) fn cutoff_ms(now_ms: u64, period_ms: u64) -> i64 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(now_ms).saturating_sub(signed(period_ms))
}
