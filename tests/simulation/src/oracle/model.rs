//! What the database must hold: every accepted write, applied in the order in which the log commits them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::check::{Check, Violation};
use super::manifest::{Flush, Removal};

/// A write as its writer made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its key.
    pub key: Bytes,
    /// Its value; `None` is a delete.
    pub value: Option<Bytes>,
    /// When it expires, in Unix milliseconds by the writer's clock.
    pub expires_at_ms: Option<u64>,
}

/// A committed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The slot that committed it.
    pub slot: u64,
    /// Its sequence number.
    pub sequence: u64,
    /// What it was.
    pub written: Written,
}

impl Committed {
    /// Whether a reader whose clock stands between these times may, and must, see the value.
    pub fn shows(&self, now_ms: (u64, u64)) -> (bool, bool) {
        match (&self.written.value, self.written.expires_at_ms) {
            (None, _) => (false, false),
            (Some(_), None) => (true, true),
            (Some(_), Some(at)) => (at > now_ms.0, at > now_ms.1),
        }
    }
}

/// Accepted writes by owner, and the committed ones in commit order.
#[derive(Debug, Default)]
pub struct Model {
    accepted: BTreeMap<String, BTreeMap<u64, Written>>,
    feed: Vec<Committed>,
    by_key: BTreeMap<Bytes, Vec<usize>>,
    removals: Vec<Removal>,
    /// First and last sequence number of each batch, by owner and first number.
    batches: BTreeMap<String, BTreeMap<u64, u64>>,
}

impl Model {
    /// `owner` was given this sequence number for this write.
    pub fn accept(&mut self, owner: &str, sequence: u64, written: Written) -> Result<(), Violation> {
        let of = self.accepted.entry(owner.to_owned()).or_default();
        if of.last_key_value().is_some_and(|(last, _)| *last >= sequence) {
            let detail = format!("{owner} was given {sequence} after {:?}", of.last_key_value());
            return Err(Violation::new(Check::SequenceGoesBackwards, detail));
        }
        of.insert(sequence, written);
        Ok(())
    }

    /// `owner` was given these sequence numbers for one batch.
    pub fn accept_batch(&mut self, owner: &str, first: u64, last: u64) {
        self.batches.entry(owner.to_owned()).or_default().insert(first, last);
    }

    /// The batch of `owner` that reaches over this end of a flush.
    fn split_at(&self, owner: &str, last: u64) -> Option<(u64, u64)> {
        let (first, end) = self.batches.get(owner)?.range(..=last).next_back()?;
        (*end > last).then_some((*first, *end))
    }

    /// A flush of `owner` became visible.
    pub fn commit(&mut self, owner: &str, flush: &Flush) -> Result<(), Violation> {
        let Some(accepted) = self.accepted.get(owner) else { return Ok(()) };
        if let Some(batch) = self.split_at(owner, flush.sequences.1) {
            return Err(Violation::new(Check::BatchIsSplit, format!("{batch:?} of {owner} by {flush:?}")));
        }
        for sequence in flush.sequences.0..=flush.sequences.1 {
            let Some(written) = accepted.get(&sequence) else {
                let detail = format!("{flush:?} has {sequence}, which {owner} was never given");
                return Err(Violation::new(Check::ReaderShowsWrongState, detail));
            };
            self.by_key.entry(written.key.clone()).or_default().push(self.feed.len());
            self.feed.push(Committed { slot: flush.slot, sequence, written: written.clone() });
        }
        Ok(())
    }

    /// Retention removed a table.
    pub fn remove(&mut self, removal: Removal) {
        self.removals.push(removal);
    }

    /// True where retention may have taken this write in slots below `next_seq`: a table that was removed covers its key and its
    /// sequence number. Then nothing is shown of the key, and never an older version: only the latest is ever asked for here.
    pub fn may_be_gone(&self, committed: &Committed, next_seq: u64) -> bool {
        let key = &committed.written.key[..];
        let took = |removal: &&Removal| {
            let (keys, sequences) = (&removal.keys, removal.sequences);
            (&keys.0[..] <= key && key <= &keys.1[..])
                && (sequences.0..=sequences.1).contains(&committed.sequence)
        };
        self.removals.iter().take_while(|removal| removal.slot < next_seq).any(|removal| took(&removal))
    }

    /// All committed writes, in commit order.
    pub fn feed(&self) -> &[Committed] {
        &self.feed
    }

    /// How many committed writes lie in slots below `next_seq`.
    pub fn committed_below(&self, next_seq: u64) -> usize {
        self.feed.partition_point(|committed| committed.slot < next_seq)
    }

    /// The last write of `key` in slots below `next_seq`, deletes included.
    pub fn latest(&self, key: &[u8], next_seq: u64) -> Option<&Committed> {
        let of = self.by_key.get(key)?;
        let below = of.partition_point(|at| self.feed[*at].slot < next_seq);
        below.checked_sub(1).map(|last| &self.feed[of[last]])
    }

    /// The last write of every key in slots below `next_seq`, deletes included, in key order.
    pub fn state(&self, next_seq: u64) -> impl Iterator<Item = &Committed> {
        self.by_key.keys().filter_map(move |key| self.latest(key, next_seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &'static str, value: &'static str) -> Written {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Written { key: bytes(key), value: Some(bytes(value)), expires_at_ms: None }
    }

    fn flush(slot: u64, first: u64, last: u64) -> Flush {
        Flush { slot, epoch: 1, sequences: (first, last), table: format!("{slot}") }
    }

    #[test]
    fn a_view_shows_what_was_committed_below_it() {
        let mut model = Model::default();
        for (sequence, value) in [(1, "one"), (2, "two"), (3, "three")] {
            model.accept("w", sequence, put("k", value)).unwrap();
        }
        model.commit("w", &flush(2, 1, 2)).unwrap();
        model.commit("w", &flush(4, 3, 3)).unwrap();
        assert_eq!(model.latest(b"k", 2), None);
        assert_eq!(model.latest(b"k", 3).unwrap().sequence, 2, "the later one of a slot");
        assert_eq!(model.latest(b"k", 5).unwrap().written, put("k", "three"));
        assert_eq!((model.committed_below(4), model.feed().len()), (2, 3));
        assert!(model.commit("w", &flush(5, 4, 4)).is_err(), "nobody was given 4");
        assert!(model.accept("w", 3, put("k", "again")).is_err());
    }

    #[test]
    fn retention_takes_what_its_tables_cover_and_nothing_else() {
        let mut model = Model::default();
        for (sequence, key) in [(1, "a"), (2, "k"), (3, "z"), (4, "k")] {
            model.accept("w", sequence, put(key, "v")).unwrap();
        }
        model.commit("w", &flush(2, 1, 3)).unwrap();
        model.commit("w", &flush(3, 4, 4)).unwrap();
        model.remove(Removal { slot: 4, keys: (b"a".to_vec(), b"k".to_vec()), sequences: (1, 3) });
        let gone = |key: &[u8], next_seq| model.may_be_gone(model.latest(key, next_seq).unwrap(), next_seq);
        assert!(!gone(b"a", 4), "not yet");
        assert!(gone(b"a", 5));
        assert!(!gone(b"z", 5), "beyond its keys");
        assert!(!gone(b"k", 5), "a newer version lies elsewhere");
    }

    #[test]
    fn an_expiring_write_may_be_seen_until_it_expires() {
        let written = Written { expires_at_ms: Some(50), ..put("k", "v") };
        let committed = Committed { slot: 1, sequence: 1, written };
        assert_eq!(committed.shows((40, 45)), (true, true));
        assert_eq!(committed.shows((40, 60)), (true, false));
        assert_eq!(committed.shows((50, 60)), (false, false));
    }
}
