//! Changes on their way to the consumer.

use std::collections::VecDeque;

use super::change::Change;
use super::cursor::Cursor;

/// A change that was read and not handed out yet.
pub(super) struct Read {
    pub(super) change: Change,
    pub(super) source: Source,
}

/// Where a change comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// From the view that a bootstrap emits.
    View,
    /// From a commit, which its author's clock gave this time.
    Commit { unix_ms: u64 },
}

/// Changes that a batch has gathered. They stay here until they are handed out, so a call that is dropped loses none.
#[derive(Default)]
pub(super) struct Gathered {
    changes: VecDeque<Read>,
    bytes: u64,
    /// The place in front of the first of them.
    before: Option<Cursor>,
}

impl Gathered {
    /// `before` is the place in front of it.
    pub(super) fn push(&mut self, read: Read, before: Cursor) {
        self.before.get_or_insert(before);
        self.bytes += read.change.bytes();
        self.changes.push_back(read);
    }

    pub(super) fn pop(&mut self) -> Option<Read> {
        let read = self.changes.pop_front()?;
        self.bytes -= read.change.bytes();
        self.before = (!self.changes.is_empty()).then(|| read.change.cursor.clone());
        Some(read)
    }

    /// The place in front of the first of them, if there is one.
    pub(super) fn before(&self) -> Option<&Cursor> {
        self.before.as_ref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// True where a batch needs no more.
    pub(super) fn fills(&self, max_entries: usize, max_bytes: u64) -> bool {
        self.changes.len() >= max_entries || self.bytes >= max_bytes
    }
}
