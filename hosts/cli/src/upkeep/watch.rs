//! Where a pass is, for a progress bar.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use isledb::host::{Event, Observer};

/// Counts what merges have read. What it sees it passes on to the observer behind it.
#[derive(Default)]
pub(super) struct Watch {
    /// Bytes that the finished merges read.
    finished: AtomicU64,
    /// Bytes that the merge under way has read, and those it will.
    done: AtomicU64,
    of: AtomicU64,
    behind: Option<Arc<dyn Observer>>,
}

impl Watch {
    pub(super) fn before(behind: Option<Arc<dyn Observer>>) -> Watch {
        Watch { behind, ..Watch::default() }
    }

    /// Bytes that all merges have read.
    pub(super) fn done(&self) -> u64 {
        self.finished.load(Ordering::Relaxed) + self.done.load(Ordering::Relaxed)
    }

    /// Bytes that all merges, as far as they are known, read.
    pub(super) fn of(&self) -> u64 {
        self.finished.load(Ordering::Relaxed) + self.of.load(Ordering::Relaxed)
    }
}

impl Observer for Watch {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::MergeBegun { bytes, .. } => self.of.store(*bytes, Ordering::Relaxed),
            Event::MergeProgress { bytes, .. } => self.done.store(*bytes, Ordering::Relaxed),
            Event::MergeEnd { .. } => {
                let read = self.of.swap(0, Ordering::Relaxed);
                self.done.store(0, Ordering::Relaxed);
                self.finished.fetch_add(read, Ordering::Relaxed);
            }
            _ => {}
        }
        if let Some(behind) = &self.behind {
            behind.observe(event);
        }
    }
}
