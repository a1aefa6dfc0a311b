//! The two ways through a range.

use std::cmp::Ordering;

/// Which way a source, a merge or a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Keys ascend.
    Forward,
    /// Keys descend.
    Backward,
}

impl Direction {
    /// Backward where `backward` holds.
    pub(crate) fn backward_if(backward: bool) -> Direction {
        if backward { Direction::Backward } else { Direction::Forward }
    }

    /// The other one.
    pub(crate) fn turned(self) -> Direction {
        Direction::backward_if(self == Direction::Forward)
    }

    /// How two keys follow each other when going this way.
    #[inline]
    pub(crate) fn order(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Direction::Forward => a.cmp(b),
            Direction::Backward => b.cmp(a),
        }
    }

    /// The index of the `nth` of `count` things that lie in ascending order, when they are passed this way. Its own inverse.
    #[inline]
    pub(crate) fn nth(self, nth: usize, count: usize) -> usize {
        match self {
            Direction::Forward => nth,
            Direction::Backward => count.saturating_sub(1).saturating_sub(nth),
        }
    }
}
