//! Which deletes still hide something.

use std::sync::Arc;

use crate::format::manifest::SstMeta;
use crate::maintain::plan::merge::Job;
use crate::manifest::State;
use crate::mutation::{Mutation, mutated};

/// The tables of the state that take no part in a job.
///
/// A delete of key `k` with sequence `s` that a job has found to be the newest version among its inputs may be left out
/// exactly where no other table can hold a version of `k` that it hides. That is so where every table outside the job either does
/// not cover `k`, or holds only sequences above `s`:
/// - a version that the delete hides has a sequence of at most `s` (readers take the highest sequence, and at an equal one the
///   table that was published later, so an equal one counts as hidden);
/// - first and last key and the lowest sequence of a table are bounds of what is in it; where the manifest does not know the
///   sequences (0), any is possible;
/// - older versions within the inputs are consumed by the same job. Tables that move overlap no input, so they hold no version of `k`;
/// - tables that come between plan and commit are flushes: their sequences are above all that was committed before, `s` too.
///   A removal in between only takes tables away;
/// - readers of the original go by position: newer tables in front of the new run answer first, with or without the delete,
///   and behind it there is nothing of `k` to be found.
///
/// The same holds for a put that has expired, which hides older versions as a delete does.
pub(super) struct Below {
    /// By first key.
    tables: Vec<Arc<SstMeta>>,
    /// The first table that begins behind the last key asked for.
    next: usize,
    /// Those of the tables before it that may not have ended yet.
    open: Vec<usize>,
}

impl Below {
    pub(super) fn new(state: &State, job: &Job) -> Below {
        let of_job: hashbrown::HashSet<&str> =
            job.inputs.iter().chain(&job.moved).map(|sst| sst.id.as_str()).collect();
        let outside = state.tables().filter(|sst| !of_job.contains(sst.id.as_str()));
        let mut tables: Vec<_> = outside.cloned().collect();
        tables.sort_by(|a, b| a.min_key.cmp(&b.min_key));
        Below { tables, next: 0, open: Vec::new() }
    }

    /// Begins anew: the next key may be any.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
        self.open.clear();
    }

    /// True where a table outside the job may hold a version of `key` that the one of `sequence` hides. Keys must ascend from
    /// call to call.
    pub(super) fn may_hold(&mut self, key: &[u8], sequence: u64) -> bool {
        while self.tables.get(self.next).is_some_and(|sst| &sst.min_key[..] <= key) {
            self.open.push(self.next);
            self.next += 1;
        }
        self.open.retain(|i| &self.tables[*i].max_key[..] >= key);
        let older = self.open.iter().any(|i| {
            let sst = &self.tables[*i];
            sst.seq_hi == 0 || sst.seq_lo <= sequence
        });
        older && !mutated(Mutation::TombstoneDropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::manifest::SortedRun;
    use crate::maintain::plan::merge::{MergePolicy, Turn, plan_full};

    fn table(id: &str, keys: (&str, &str), sequences: (u64, u64)) -> Arc<SstMeta> {
        Arc::new(SstMeta {
            id: id.into(),
            min_key: keys.0.to_owned().into(),
            max_key: keys.1.to_owned().into(),
            seq_lo: sequences.0,
            seq_hi: sequences.1,
            size: 1,
            ..SstMeta::default()
        })
    }

    #[test]
    fn only_tables_outside_that_cover_the_key_with_an_older_sequence_count() {
        let inputs = State { l0: vec![table("in", ("a", "z"), (50, 60))], ..State::default() };
        let job = plan_full(&inputs, &MergePolicy::default(), &Turn::default()).unwrap();
        let mut state = inputs;
        state.l0.insert(0, table("newer", ("a", "z"), (61, 70)));
        let ssts = vec![table("old", ("c", "e"), (1, 40)), table("unknown", ("g", "h"), (0, 0))];
        state.runs.push(SortedRun { id: 0, ssts });
        let mut below = Below::new(&state, &job);
        for _ in 0..2 {
            let asked = ["a", "c", "d", "e", "f", "g", "i"].map(|key| below.may_hold(key.as_bytes(), 55));
            assert_eq!(asked, [false, true, true, true, false, true, false]);
            below.rewind();
        }
        assert!(below.may_hold(b"d", 1) && !below.may_hold(b"d", 0), "an equal sequence counts");
        assert!(below.may_hold(b"x", 61), "and so does a newer table, for what is newer still");
    }
}
