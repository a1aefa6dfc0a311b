//! What an actor tells the explorer: it is checked against the bucket's history when the step is taken.

/// Something that an actor was told by the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// This flush is committed.
    Acknowledged(u8),
    /// This flush is not committed, and is not tried again.
    NotCommitted(u8),
    /// A view with these tables, those of level 0 first, each from the newest on.
    View { next_seq: u64, tables: Vec<String> },
    /// The change at this place of the feed from slot `from` on has this sequence number and key.
    Change { from: u64, place: usize, sequence: u64, key: Vec<u8> },
    /// The tailer that began at slot `from` is at the end of the feed, and so many changes came.
    FeedEnds { from: u64, changes: usize, slot: u64 },
    /// A cursor at this slot has expired.
    CursorExpired { slot: u64 },
    /// What must never happen.
    Never(String),
}
