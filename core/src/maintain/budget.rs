//! What a merge needs, and whether a pass may have it. Pure.

use super::options::{MaintenanceOptions, MergeOptions};
use super::plan::chains;
use super::plan::merge::Job;
use crate::error::{Error, Result};

/// Bytes that the filters of a table take up while it is built, for each entry, and the most entries that count.
const FILTER_BYTES: u64 = 24;
const FILTER_ENTRIES: u64 = 1 << 20;

/// Requests of a commit: the entry, CURRENT, and the look at CURRENT behind it; a snapshot may come too.
const COMMIT_REQUESTS: u64 = 4;

/// What one merge needs at most, estimated from sizes alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Requests, if none has to be repeated.
    pub requests: u64,
    /// Bytes in memory, beside what the engine holds anyway.
    pub memory_bytes: u64,
}

/// What `job` needs with these options.
pub fn need(job: &Job, options: &MergeOptions) -> Need {
    let (bytes, table) = (job.bytes(), options.policy.table_size);
    let stretch = (options.read_ahead / 2).max(1);
    // Footer and index; then the blocks, a stretch at a time.
    let reads: u64 = job.inputs.iter().map(|sst| 3 + sst.size.div_ceil(stretch)).sum();
    let tables = bytes.div_ceil(table).max(1);
    let parts = if table.min(bytes) <= options.part_size { 1 } else { table.div_ceil(options.part_size) + 2 };
    let inputs = chains(job.inputs.iter().collect(), |sst| (&sst.min_key[..], &sst.max_key[..]));
    let ahead = inputs.len() as u64 * options.read_ahead;
    let entries: Option<u64> = job.inputs.iter().map(|sst| sst.entry_count).sum();
    let filters = FILTER_BYTES * entries.unwrap_or(FILTER_ENTRIES).min(FILTER_ENTRIES);
    Need {
        requests: reads + tables * parts + COMMIT_REQUESTS,
        memory_bytes: ahead.min(bytes) + (3 * options.part_size).min(table).min(bytes) + filters,
    }
}

/// Errors: `OverBudget` where a merge that needs so much may not begin, behind others of the pass that had `spent` requests.
pub(super) fn check(options: &MaintenanceOptions, need: Need, spent: u64) -> Result<()> {
    let refuse = |what, need, limit| Err(Error::OverBudget { what, need, limit });
    let requests = need.requests.saturating_add(spent);
    match (options.max_requests, options.max_memory_bytes) {
        (Some(limit), _) if requests > limit => refuse("max_requests", requests, limit),
        (_, Some(limit)) if need.memory_bytes > limit => refuse("max_memory_bytes", need.memory_bytes, limit),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::format::manifest::SstMeta;
    use crate::maintain::plan::merge::JobKind;

    const MIB: u64 = 1 << 20;

    /// So many tables of level 0 that overlap, each with a thousand entries.
    fn job(tables: usize, size: u64) -> Job {
        let table = |i: usize| SstMeta {
            id: i.to_string(),
            size,
            min_key: Bytes::from_static(b"a"),
            max_key: Bytes::from_static(b"z"),
            entry_count: Some(1_000),
            ..SstMeta::default()
        };
        Job {
            kind: JobKind::Level0,
            inputs: (0..tables).map(|i| Arc::new(table(i))).collect(),
            moved: Vec::new(),
            runs: Vec::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn a_small_merge_needs_little_and_a_large_one_what_its_inputs_hold_ahead() {
        let options = MergeOptions::default();
        let small = need(&job(10, 1_000), &options);
        // Each table in one stretch, one table out.
        assert_eq!(small, Need { requests: 10 * 4 + 1 + 4, memory_bytes: 10_000 + 10_000 + 240_000 });
        let large = need(&job(16, 64 * MIB), &options);
        // 64 stretches a table; 16 tables out, of 8 parts each.
        assert_eq!(large.requests, 16 * (3 + 64) + 16 * 10 + 4);
        assert_eq!(large.memory_bytes, 16 * 2 * MIB + 24 * MIB + 24 * 16_000);
    }

    #[test]
    fn what_the_budget_does_not_hold_is_named_with_what_it_needs() {
        let need = Need { requests: 100, memory_bytes: 5_000 };
        let options = |max_requests, max_memory_bytes| MaintenanceOptions {
            max_requests,
            max_memory_bytes,
            ..MaintenanceOptions::default()
        };
        assert_eq!(check(&options(None, None), need, u64::MAX), Ok(()));
        assert_eq!(check(&options(Some(100), Some(5_000)), need, 0), Ok(()));
        let refused = |what, need, limit| Err(Error::OverBudget { what, need, limit });
        assert_eq!(check(&options(Some(100), None), need, 1), refused("max_requests", 101, 100));
        assert_eq!(check(&options(None, Some(4_999)), need, 0), refused("max_memory_bytes", 5_000, 4_999));
        let text = check(&options(None, Some(1)), need, 0).unwrap_err().to_string();
        assert!(text.contains("5000") && text.contains("max_memory_bytes"), "{text}");
    }
}
