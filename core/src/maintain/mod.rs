//! Maintenance: what keeps a database small and quick while others write and read it.
//!
//! One owner a database ([`Maintenance`], claimed by [`Db::maintenance`](crate::Db::maintenance)), in the writer's process, in
//! one of its own, or for the length of one call. `plan` says what to do: pure functions of state, policy and time. `merge`
//! does what the plan says with tables. Nothing here is needed for correct reads: a bucket without maintenance only grows.

pub mod budget;
mod clock;
mod compactor;
mod filter;
pub mod gc;
mod merge;
mod merges;
mod options;
mod owner;
pub mod plan;
mod report;
pub mod retain;

pub use clock::StoreClock;
pub use compactor::{Compactor, CompactorOptions};
pub use filter::{
    CompactionFilter, FilterEntry, FilterValue, MAX_FILTER_BATCH_BYTES, MAX_FILTER_BATCH_ENTRIES,
    MAX_REPLACEMENT_BYTES, Verdict,
};
pub use options::{MaintenanceOptions, MergeOptions};
pub use owner::Maintenance;
pub use report::{DryRun, MergeReport, Report};
