//! A compaction filter that lets entries go by the time in their keys.
//!
//! `session/<unix ms>/...` goes a day after that time; `log/<unix ms>/...` keeps its first 64 bytes then. Whatever else there
//! is stays.

use isledb_plugin::compaction_filter::{CompactionFilter, Decision, Entry, Value};

const DAY_MS: u64 = 86_400_000;
const HEAD_BYTES: usize = 64;

struct ExpireByPrefix;

impl CompactionFilter for ExpireByPrefix {
    fn filter(now_ms: u64, entries: Vec<Entry>) -> Result<Vec<Decision>, String> {
        Ok(entries.into_iter().map(|entry| decide(now_ms, entry)).collect())
    }
}

fn decide(now_ms: u64, entry: Entry) -> Decision {
    let is_old = |at_ms: u64| at_ms.saturating_add(DAY_MS) <= now_ms;
    if time_after(b"session/", &entry.key).is_some_and(is_old) {
        return Decision::Drop;
    }
    match entry.value {
        Value::Inline(mut value)
            if value.len() > HEAD_BYTES && time_after(b"log/", &entry.key).is_some_and(is_old) =>
        {
            value.truncate(HEAD_BYTES);
            Decision::Replace(value)
        }
        _ => Decision::Keep,
    }
}

/// The number between the prefix and the next slash.
fn time_after(prefix: &[u8], key: &[u8]) -> Option<u64> {
    let rest = key.strip_prefix(prefix)?;
    let digits = rest.split(|byte| *byte == b'/').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

isledb_plugin::export!(compaction-filter: ExpireByPrefix);
