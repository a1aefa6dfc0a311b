//! What was found so far, on its way to the caller.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::finding::{Finding, Summary};

/// Gathers findings. The parts of a check share it, and none of them has to know who listens.
#[derive(Debug, Default)]
pub(super) struct Report(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    untold: Vec<Finding>,
    summary: Summary,
}

impl Report {
    pub(super) fn tell(&self, finding: Finding) {
        let mut found = self.found();
        let summary = &mut found.summary;
        if finding.kind.is_problem() {
            summary.problems += 1;
        } else {
            summary.orphans += 1;
            summary.orphan_bytes += finding.bytes.unwrap_or(0);
        }
        found.untold.push(finding);
    }

    /// What was not taken yet.
    pub(super) fn take(&self) -> Vec<Finding> {
        std::mem::take(&mut self.found().untold)
    }

    /// The counts of all findings.
    pub(super) fn summary(&self) -> Summary {
        self.found().summary
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
