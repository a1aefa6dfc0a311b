//! Garbage collection: deletes what no state, no view and no cursor of the change feed needs any more.
//!
//! `marks` is where it keeps what it must remember, `scan` lists what nothing may refer to, `reach` reads which blobs tables
//! refer to, and `collect` does what the planners ([`super::plan::sweep`], [`super::plan::doomed`]) say. A deletion is only
//! ever due to a rule that stays true once it is: a fenced owner that goes on for a while does no harm.

mod collect;
mod documents;
mod marks;
mod policy;
mod reach;
mod report;
mod scan;
#[cfg(test)]
mod tests;
mod time;

pub use collect::{Gc, GcPlace};
pub use marks::{LoadedMarks, MarkDocument, MarkStorage, MemoryMarks, ObjectMarks};
pub use policy::GcOptions;
pub use report::{GcDryRun, GcReport};
pub(super) use time::store_time_ms;
