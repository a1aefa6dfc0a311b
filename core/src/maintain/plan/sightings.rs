//! What maintenance saw of CURRENT, and when: every wait of garbage collection counts from a sighting. Pure.
//!
//! The age of an object says nothing about how long it has been out of use, and nobody's clock is to be trusted with it. So each
//! run notes what it saw, with a time of the store that was taken *after* CURRENT was read, and later runs compare these notes
//! with a time of the store that was taken *before* they act.

use crate::format::gc::Sighting;
use crate::format::manifest::Current;
use crate::format::time::Timestamp;
use crate::manifest::view::DEFAULT_MAX_VIEW_AGE_MS;

/// Most notes that are kept. Where there would be more the oldest goes: what it would allow waits for the next one.
const MAX_SIGHTINGS: usize = 256;
/// Notes are thinned out so that a wait is longer than it must be by one part in so many.
const RESOLUTION: u64 = 64;

/// CURRENT as it is now, seen at `seen_at_ms`.
pub(super) fn sighting(current: &Current, seen_at_ms: u64) -> Sighting {
    Sighting {
        seen_at: Timestamp::from_unix_ms(seen_at_ms),
        next_seq: current.next_slot(),
        log_seq_start: current.log_seq_start,
        feed_floor_seq: current.feed_floor_seq,
        max_view_age_ms: current.max_view_age_ms,
    }
}

/// Adds what is seen now, and forgets what no wait needs any more.
///
/// `between_ms`: the largest `max_view_age_ms` that an entry set since the last note, if one did: it was valid for a while,
/// also if another one replaced it before anybody looked.
pub(super) fn note(
    sightings: &mut Vec<Sighting>,
    seen: Sighting,
    between_ms: Option<u64>,
    longest_wait_ms: u64,
) {
    if let Some(age_ms) = between_ms.filter(|age_ms| *age_ms > view_age(&seen)) {
        let seen_at = sightings.last().map_or(seen.seen_at, |last| last.seen_at.max(seen.seen_at));
        sightings.push(Sighting { max_view_age_ms: Some(age_ms), seen_at, ..seen.clone() });
    }
    // The store may have more than one clock.
    let latest = sightings.last().map_or(seen.seen_at, |last| last.seen_at.max(seen.seen_at));
    sightings.push(Sighting { seen_at: latest, ..seen });
    let spacing_ms = longest_wait_ms / RESOLUTION;
    let mut at = 1;
    while at + 1 < sightings.len() {
        let (before, this, after) = (&sightings[at - 1], &sightings[at], &sightings[at + 1]);
        // Both neighbours vouch for the time between them; the earlier one has the same view age.
        let needless =
            view_age(before) == view_age(this) && ms(after.seen_at) - ms(before.seen_at) < spacing_ms as i64;
        if needless {
            sightings.remove(at);
        } else {
            at += 1;
        }
    }
    // One note from before the longest wait is what that wait goes by. What is noted is up to a second ahead.
    let now = sightings.last().map_or(0, |last| ms(last.seen_at)) - 1_000;
    let horizon = now.saturating_sub(i64::try_from(longest_wait_ms).unwrap_or(i64::MAX));
    let old = sightings.partition_point(|seen| ms(seen.seen_at) <= horizon).saturating_sub(1);
    let too_many = sightings.len().saturating_sub(MAX_SIGHTINGS);
    sightings.drain(..old.max(too_many));
}

/// The largest view age that was valid within the last such period: a view may still be used for so long.
pub(super) fn longest_view_age_ms(sightings: &[Sighting], now_ms: u64) -> u64 {
    let ends = sightings.iter().skip(1).map(|next| ms(next.seen_at)).chain([now_ms as i64]);
    let valid = sightings.iter().zip(ends).filter(|(seen, end)| {
        let since_ms = now_ms as i64 - end;
        since_ms <= i64::try_from(view_age(seen)).unwrap_or(i64::MAX)
    });
    valid.map(|(seen, _)| view_age(seen)).max().unwrap_or(DEFAULT_MAX_VIEW_AGE_MS)
}

/// The newest note that is at least `wait_ms` old.
pub(super) fn before(sightings: &[Sighting], now_ms: u64, wait_ms: u64) -> Option<&Sighting> {
    let latest = i64::try_from(now_ms.saturating_sub(wait_ms)).unwrap_or(i64::MAX);
    sightings.iter().rev().find(|seen| ms(seen.seen_at) <= latest)
}

/// Since when there are notes.
pub(super) fn begin_ms(sightings: &[Sighting]) -> Option<u64> {
    sightings.first().map(|seen| u64::try_from(ms(seen.seen_at)).unwrap_or(0))
}

fn view_age(seen: &Sighting) -> u64 {
    seen.max_view_age_ms.unwrap_or(DEFAULT_MAX_VIEW_AGE_MS)
}

fn ms(time: Timestamp) -> i64 {
    time.unix_ms()
}
