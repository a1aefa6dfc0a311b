//! The entries of one table by sequence number, within a bound of memory.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::sst::Kind;
use crate::mutation::{Mutation, mutated};
use crate::read::cursor::Cursor as TableCursor;
use crate::read::fetch::Loader;
use crate::read::merge::{At, Sorted};
use crate::read::range::KeyRange;
use crate::read::tables::TableRef;

/// What a pass fetches at once, in stored bytes.
const READ_AHEAD: u64 = 1 << 20;
/// What an entry takes in memory beside its key and value.
const ENTRY_OVERHEAD: u64 = 96;

/// One reading of the keys of a range in a table, which is in key order, that keeps its oldest entries behind `after`: as many as the limit holds,
/// at least one. A table that fits takes one pass, a larger one several.
pub(super) struct Pass {
    source: TableCursor,
    range: KeyRange,
    object: String,
    after: u64,
    limit: u64,
    kept: BinaryHeap<Kept>,
    kept_bytes: u64,
    /// The lowest sequence number that did not fit.
    dropped: Option<u64>,
}

/// One entry in memory of its own: what it was read from may go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) sequence: u64,
    pub(super) kind: Kind,
    pub(super) key: Bytes,
    pub(super) value: Bytes,
}

impl Kept {
    fn bytes(&self) -> u64 {
        self.key.len() as u64 + self.value.len() as u64 + ENTRY_OVERHEAD
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sequence.cmp(&other.sequence)
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Pass {
    pub(super) fn new(table: Arc<TableRef>, range: &KeyRange, after: u64, limit: u64) -> Pass {
        Pass {
            object: table.name.as_str().to_owned(),
            source: TableCursor::new(vec![table], range, READ_AHEAD),
            range: range.clone(),
            after,
            limit,
            kept: BinaryHeap::new(),
            kept_bytes: 0,
            dropped: None,
        }
    }

    /// Reads on as far as one load reaches; true at the end of the range. May be dropped and called again.
    ///
    /// Cost: one round of up to 1 MiB; for the first one the table's tail and an index partition beside it.
    pub(super) async fn round(&mut self, loader: &Loader) -> Result<bool> {
        let mut at = self.source.load(loader).await?;
        while at == At::Entry {
            if self.range.ends_before(self.source.key()) {
                return Ok(true);
            }
            self.keep()?;
            at = self.source.advance()?;
        }
        Ok(at == At::End)
    }

    fn keep(&mut self) -> Result<()> {
        let Some(entries) = self.source.entries() else { return Ok(()) };
        let sequence = entries.sequence();
        let skipped = u64::from(mutated(Mutation::FeedSkipsAfterRestart) && self.after > 0);
        if sequence <= self.after + skipped || self.dropped.is_some_and(|dropped| sequence >= dropped) {
            return Ok(());
        }
        let (key, value) = (entries.user_key(), entries.value_slice());
        let mut both = Vec::with_capacity(key.len() + value.len());
        both.extend_from_slice(key);
        both.extend_from_slice(value);
        let mut value = Bytes::from(both);
        let key = value.split_to(key.len());
        let kept = Kept { sequence, kind: entries.kind(), key, value };
        self.kept_bytes += kept.bytes();
        self.kept.push(kept);
        while self.kept_bytes > self.limit && self.kept.len() > 1 {
            let Some(newest) = self.kept.pop() else { break };
            if self.kept.peek() == Some(&newest)
                || self.kept.peek().is_some_and(|kept| kept.sequence == newest.sequence)
            {
                return Err(self.same_sequence(newest.sequence));
            }
            self.kept_bytes -= newest.bytes();
            self.dropped = Some(newest.sequence);
        }
        Ok(())
    }

    /// What was kept, oldest first, and whether that was all the rest of the table.
    pub(super) fn finish(self) -> Result<(VecDeque<Kept>, bool)> {
        if let Some(sequence) = self.repeated() {
            return Err(self.same_sequence(sequence));
        }
        let complete = self.dropped.is_none();
        Ok((self.kept.into_sorted_vec().into(), complete))
    }

    fn repeated(&self) -> Option<u64> {
        let mut sequences: Vec<u64> = self.kept.iter().map(|kept| kept.sequence).collect();
        sequences.sort_unstable();
        sequences.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Every write of a flush has its own number; a cursor could not tell two of the same apart.
    fn same_sequence(&self, sequence: u64) -> Error {
        Error::corrupt(
            &self.object,
            None,
            "a flushed table with each sequence number once",
            format!("{sequence} twice"),
        )
    }
}
