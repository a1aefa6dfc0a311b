//! Many sorted sources as one: the newest version of each key, in key order or against it.
//!
//! Everything here is synchronous. A source that needs bytes from the store says so ([`At::Load`]); the merge then stops
//! and hands it out to be loaded, so an `await` happens only at the edge of a block.

use std::cmp::Ordering;

use super::direction::Direction;
use crate::error::{Error, Result};
use crate::sort::sort_indexes;

/// Where a source stands after a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// On an entry.
    Entry,
    /// On an entry that must be loaded first.
    Load,
    /// Behind its last entry.
    End,
}

/// Entries in order. Forwards: user key ascending, and for one key the newest first. Backwards: user key descending, and of
/// each key the newest alone.
pub(crate) trait Sorted {
    /// The user key that it stands on. Only after [`At::Entry`].
    fn key(&self) -> &[u8];
    /// The sequence number of that entry.
    fn sequence(&self) -> u64;
    /// Which source wins between two entries of the same key and sequence: the lower rank, which was published later.
    fn rank(&self) -> u32;
    /// The object that it reads, for messages.
    fn object(&self) -> &str;
    /// Moves to the next entry.
    fn advance(&mut self) -> Result<At>;
}

/// What [`Merge::step`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// [`Merge::current`] stands on the newest version of the next key in the direction of the merge.
    Entry,
    /// Sources wait to be loaded: [`Merge::take_blocked`].
    Load,
    /// There is no further key.
    End,
}

/// A k-way merge by a binary heap of source indexes.
///
/// Order: key in the direction of the merge, then sequence descending, then rank ascending. Of each key only the first entry in this order is
/// shown, be it a put or a delete: older versions say nothing about the present.
pub(crate) struct Merge<S> {
    sources: Vec<S>,
    /// The way that all sources go.
    direction: Direction,
    /// Indexes of the sources that stand on an entry, as a binary heap.
    heap: Vec<usize>,
    /// Indexes of the sources that wait to be loaded.
    blocked: Vec<usize>,
    /// The key shown last: its other versions are skipped.
    last_key: Vec<u8>,
    /// The top of the heap has been shown and is moved by the next step.
    shown: bool,
    /// A key was shown since the last reset, so `last_key` means something.
    begun: bool,
}

impl<S: Sorted> Merge<S> {
    /// A merge of sources that all have to be loaded first.
    pub(crate) fn new(sources: Vec<S>, direction: Direction) -> Merge<S> {
        let mut merge = Merge {
            direction,
            heap: Vec::with_capacity(sources.len()),
            blocked: Vec::new(),
            sources,
            last_key: Vec::new(),
            shown: false,
            begun: false,
        };
        merge.reset(direction);
        merge
    }

    /// Forgets every position: all sources go this way now, and are blocked until they are loaded anew.
    pub(crate) fn reset(&mut self, direction: Direction) {
        self.direction = direction;
        self.heap.clear();
        self.blocked = (0..self.sources.len()).collect();
        self.shown = false;
        self.begun = false;
    }

    /// All sources, to move them before a [`Merge::reset`].
    pub(crate) fn sources_mut(&mut self) -> &mut [S] {
        &mut self.sources
    }

    /// How many sources there are.
    pub(crate) fn len(&self) -> usize {
        self.sources.len()
    }

    /// The source that stands on the entry of the last [`Step::Entry`].
    pub(crate) fn current(&self) -> Option<&S> {
        self.heap.first().map(|i| &self.sources[*i])
    }

    /// The key that was reached last since the reset.
    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.begun.then_some(&self.last_key[..])
    }

    /// The sources that wait to be loaded. Each must be loaded and reported through [`Merge::loaded`].
    pub(crate) fn blocked_mut(&mut self) -> Vec<(usize, &mut S)> {
        sort_indexes(&mut self.blocked, &|a, b| a.cmp(&b));
        let mut blocked = self.blocked.iter().copied().peekable();
        self.sources.iter_mut().enumerate().filter(|(i, _)| blocked.next_if_eq(i).is_some()).collect()
    }

    /// Source `i` has been loaded and stands there now.
    pub(crate) fn loaded(&mut self, i: usize, at: At) {
        if at != At::Load {
            self.blocked.retain(|b| *b != i);
        }
        if at == At::Entry {
            self.heap.push(i);
            self.sift_up(self.heap.len() - 1);
        }
    }

    /// Moves to the newest version of the next key.
    ///
    /// Errors: `Corrupt` where a source goes backwards.
    pub(crate) fn step(&mut self) -> Result<Step> {
        loop {
            if self.shown {
                self.move_top()?;
            }
            if !self.blocked.is_empty() {
                return Ok(Step::Load);
            }
            let Some(top) = self.heap.first() else { return Ok(Step::End) };
            let source = &self.sources[*top];
            self.shown = true;
            if self.begun {
                match self.direction.order(source.key(), &self.last_key) {
                    Ordering::Greater => {}
                    Ordering::Equal => continue,
                    Ordering::Less => {
                        return Err(Error::corrupt(
                            source.object(),
                            None,
                            "entries in key order",
                            format!("key {:?} behind {:?}", Escaped(source.key()), Escaped(&self.last_key)),
                        ));
                    }
                }
            }
            self.begun = true;
            self.last_key.clear();
            self.last_key.extend_from_slice(source.key());
            return Ok(Step::Entry);
        }
    }

    /// Moves the source on top of the heap, and restores the heap.
    fn move_top(&mut self) -> Result<()> {
        self.shown = false;
        let Some(&top) = self.heap.first() else { return Ok(()) };
        let at = self.sources[top].advance()?;
        if at == At::Entry {
            self.sift_down(0);
            return Ok(());
        }
        self.heap.swap_remove(0);
        self.sift_down(0);
        if at == At::Load {
            self.blocked.push(top);
        }
        Ok(())
    }

    /// True where heap slot `a` comes before heap slot `b`.
    fn before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.sources[self.heap[a]], &self.sources[self.heap[b]]);
        self.direction
            .order(a.key(), b.key())
            .then_with(|| b.sequence().cmp(&a.sequence()))
            .then_with(|| a.rank().cmp(&b.rank()))
            .is_lt()
    }

    fn sift_down(&mut self, mut slot: usize) {
        loop {
            let (left, right) = (2 * slot + 1, 2 * slot + 2);
            if left >= self.heap.len() {
                return;
            }
            let least = if right < self.heap.len() && self.before(right, left) { right } else { left };
            if !self.before(least, slot) {
                return;
            }
            self.heap.swap(slot, least);
            slot = least;
        }
    }

    fn sift_up(&mut self, mut slot: usize) {
        while slot > 0 {
            let parent = (slot - 1) / 2;
            if !self.before(slot, parent) {
                return;
            }
            self.heap.swap(slot, parent);
            slot = parent;
        }
    }
}

/// A key in a message: printable bytes as they are, others escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl std::fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 64;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if self.0.len() > SHOWN { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A source over a list that has to be "loaded" before every `stride`-th entry.
    struct Listed {
        entries: Vec<(Vec<u8>, u64)>,
        rank: u32,
        stride: usize,
        at: Option<usize>,
    }

    impl Listed {
        fn load(&mut self) -> At {
            let next = self.at.unwrap_or(0);
            self.at = Some(next);
            if next < self.entries.len() { At::Entry } else { At::End }
        }
    }

    impl Sorted for Listed {
        fn key(&self) -> &[u8] {
            &self.entries[self.at.unwrap()].0
        }
        fn sequence(&self) -> u64 {
            self.entries[self.at.unwrap()].1
        }
        fn rank(&self) -> u32 {
            self.rank
        }
        fn object(&self) -> &str {
            "listed"
        }
        fn advance(&mut self) -> Result<At> {
            let next = self.at.unwrap() + 1;
            self.at = Some(next);
            Ok(match next < self.entries.len() {
                true if next.is_multiple_of(self.stride) => At::Load,
                true => At::Entry,
                false => At::End,
            })
        }
    }

    type Shown = Vec<(Vec<u8>, u64, u32)>;

    fn drain(merge: &mut Merge<Listed>) -> Result<Shown> {
        let mut shown = Vec::new();
        loop {
            match merge.step()? {
                Step::Entry => {
                    let source = merge.current().unwrap();
                    shown.push((source.key().to_vec(), source.sequence(), source.rank()));
                }
                Step::Load => {
                    let loaded: Vec<_> =
                        merge.blocked_mut().into_iter().map(|(i, s)| (i, s.load())).collect();
                    assert!(!loaded.is_empty());
                    loaded.into_iter().for_each(|(i, at)| merge.loaded(i, at));
                }
                Step::End => return Ok(shown),
            }
        }
    }

    #[test]
    fn at_equal_sequence_the_lower_rank_wins() {
        let one = |rank| Listed { entries: vec![(b"k".to_vec(), 7)], rank, stride: 1, at: None };
        let shown = drain(&mut Merge::new(vec![one(3), one(1), one(2)], Direction::Forward)).unwrap();
        assert_eq!(shown, [(b"k".to_vec(), 7, 1)]);
    }

    #[test]
    fn a_source_that_goes_backwards_is_named() {
        let entries = vec![(b"b".to_vec(), 2), (b"a".to_vec(), 1)];
        let listed = Listed { entries, rank: 0, stride: 9, at: None };
        let merged = drain(&mut Merge::new(vec![listed], Direction::Forward));
        assert!(matches!(merged, Err(Error::Corrupt { object, .. }) if object == "listed"));
    }

    #[test]
    fn no_source_is_no_entry() {
        assert!(drain(&mut Merge::new(vec![], Direction::Forward)).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn equals_a_model(
            tables in prop::collection::vec(
                (prop::collection::vec((prop::collection::vec(0u8..4, 1..4), 1u64..20), 0..40), 1usize..6), 0..7)
        ) {
            let mut model: BTreeMap<Vec<u8>, (u64, std::cmp::Reverse<u32>)> = BTreeMap::new();
            let mut sources = Vec::new();
            for (rank, (mut entries, stride)) in tables.into_iter().enumerate() {
                let rank = rank as u32;
                entries.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
                entries.dedup();
                for (key, sequence) in &entries {
                    let best = model.entry(key.clone()).or_insert((*sequence, std::cmp::Reverse(rank)));
                    *best = (*best).max((*sequence, std::cmp::Reverse(rank)));
                }
                sources.push(Listed { entries, rank, stride, at: None });
            }
            let wanted: Shown = model.into_iter().map(|(key, (seq, rank))| (key, seq, rank.0)).collect();
            let mut merge = Merge::new(sources, Direction::Forward);
            prop_assert_eq!(&drain(&mut merge).unwrap(), &wanted);
            // A reset with the sources taken back to their start shows the same again.
            merge.sources_mut().iter_mut().for_each(|s| s.at = None);
            merge.reset(Direction::Forward);
            prop_assert_eq!(&drain(&mut merge).unwrap(), &wanted);
            // So it does backwards, once each source shows the newest of each key alone.
            for source in merge.sources_mut() {
                source.entries.dedup_by(|a, b| a.0 == b.0);
                source.entries.reverse();
                source.at = None;
            }
            merge.reset(Direction::Backward);
            prop_assert_eq!(drain(&mut merge).unwrap(), wanted.into_iter().rev().collect::<Shown>());
        }
    }
}
