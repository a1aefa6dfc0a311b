//! What maintenance says of its work.

use super::gc::{GcDryRun, GcReport};
use super::plan::debt::Debt;
use super::plan::merge::{Job, JobKind};
use super::plan::removal::RetentionPlan;
use super::retain::RetentionReport;
use crate::error::{Error, Result};

/// What one pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The merges that were committed, in order.
    pub merges: Vec<MergeReport>,
    /// What still waits to be merged.
    pub debt: Debt,
    /// What retention did, where it is on.
    pub retention: Option<RetentionReport>,
    /// What garbage collection did, where it ran.
    pub gc: Option<GcReport>,
    /// Why the next merge was not begun, where the budget of the pass was the reason: `OverBudget`, with what it needs.
    pub over_budget: Option<Error>,
    /// Something is due, and waits for the live original's next entry.
    pub waits_for_writer: bool,
}

/// One committed merge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeReport {
    /// What was merged.
    pub kind: JobKind,
    /// The slot that it was committed at.
    pub slot: u64,
    /// Tables that were read.
    pub tables_read: u64,
    /// Tables that were listed in the new run as they were.
    pub tables_moved: u64,
    /// Tables that were written.
    pub tables_written: u64,
    /// Bytes of the tables that were read.
    pub bytes_read: u64,
    /// Bytes of the tables that were written.
    pub bytes_written: u64,
    /// Entries that were read, without those that moved.
    pub entries_read: u64,
    /// Entries that were written.
    pub entries_written: u64,
}

/// What a pass would do first, and what waits behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// The next merge.
    pub merge: Option<Job>,
    /// All that waits to be merged.
    pub debt: Debt,
    /// What retention would remove, and what stays although it is old; or that it is refused. `None`: it is off.
    pub retention: Option<Result<RetentionPlan>>,
    /// What garbage collection would do; without merge and retention before it. `None`: it is off.
    pub gc: Option<GcDryRun>,
}
