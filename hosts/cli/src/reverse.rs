//! A range from its last key to its first.
//!
//! Blocks are made to be read forward. So the range is read forward once, and the key at which each piece of it begins is
//! kept; then the pieces are read again, the last one first (that one is still in memory). All of it in one view. Memory:
//! one piece, and a key for each. A limit within the last piece costs no second reading.

use std::collections::VecDeque;
use std::ops::Bound;

use bytes::Bytes;
use isledb::read::{Entry, ScanOptions, View};

use crate::exit::Outcome;

/// A piece has at most so many entries, or about so many bytes.
const PIECE_ENTRIES: usize = 4096;
const PIECE_BYTES: usize = 4 << 20;

/// The entries of a range, descending.
pub(crate) struct Reverse {
    view: View,
    options: ScanOptions,
    /// Where the pieces begin that were not shown yet.
    starts: Vec<Bytes>,
    /// What is left of the present piece.
    entries: VecDeque<Entry>,
    left: u64,
}

impl Reverse {
    /// Reads the range forward.
    pub(crate) async fn new(view: View, options: ScanOptions) -> Outcome<Reverse> {
        let left = options.limit.unwrap_or(u64::MAX);
        let options = ScanOptions { limit: None, ..options };
        let mut scan = view.scan(&options);
        let mut starts = Vec::new();
        let mut entries = VecDeque::new();
        let mut bytes = 0;
        while let Some(entry) = scan.next().await? {
            if entries.is_empty() || entries.len() >= PIECE_ENTRIES || bytes >= PIECE_BYTES {
                starts.push(entry.key.clone());
                entries.clear();
                bytes = 0;
            }
            bytes += entry.key.len() + entry.value.len();
            entries.push_back(entry);
        }
        let options = match starts.pop() {
            // The last piece is here; what is read again ends where it begins.
            Some(start) => ScanOptions { end: Bound::Excluded(start), ..options },
            None => options,
        };
        Ok(Reverse { view, options, starts, entries, left })
    }

    /// The next entry; `None` before the first of the range or beyond the limit.
    pub(crate) async fn next(&mut self) -> Outcome<Option<Entry>> {
        if self.left == 0 {
            return Ok(None);
        }
        while self.entries.is_empty() {
            let Some(start) = self.starts.pop() else { return Ok(None) };
            let mut scan = self
                .view
                .scan(&ScanOptions { start: Bound::Included(start.clone()), ..self.options.clone() });
            self.options.end = Bound::Excluded(start);
            while let Some(entry) = scan.next().await? {
                self.entries.push_back(entry);
            }
        }
        self.left -= 1;
        Ok(self.entries.pop_back())
    }
}
