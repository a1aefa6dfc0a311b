//! What a scan covers, and which way it goes.

use std::ops::Bound;

use bytes::Bytes;

use super::range::KeyRange;

/// What to scan. The default is everything, forwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// The lower bound of the keys.
    pub start: Bound<Bytes>,
    /// The upper bound of the keys.
    pub end: Bound<Bytes>,
    /// Only keys that begin so; within the bounds too.
    pub prefix: Option<Bytes>,
    /// At most so many entries; `None`: all.
    pub limit: Option<u64>,
    /// From the upper bound down: [`super::Scan::next`] goes to lower keys, and [`super::Scan::prev`] to higher ones.
    pub reverse: bool,
}

impl Default for ScanOptions {
    fn default() -> ScanOptions {
        ScanOptions {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            prefix: None,
            limit: None,
            reverse: false,
        }
    }
}

impl ScanOptions {
    /// The keys of `start..end`.
    pub fn range(start: impl Into<Bytes>, end: impl Into<Bytes>) -> ScanOptions {
        let (start, end) = (Bound::Included(start.into()), Bound::Excluded(end.into()));
        ScanOptions { start, end, ..ScanOptions::default() }
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> ScanOptions {
        ScanOptions { prefix: Some(prefix.into()), ..ScanOptions::default() }
    }

    /// The same, but at most `limit` entries.
    pub fn limit(self, limit: u64) -> ScanOptions {
        ScanOptions { limit: Some(limit), ..self }
    }

    /// The same, but from the last key to the first.
    pub fn reversed(self) -> ScanOptions {
        ScanOptions { reverse: true, ..self }
    }

    pub(crate) fn keys(&self) -> KeyRange {
        KeyRange::new(&self.start, &self.end, self.prefix.as_ref())
    }
}
