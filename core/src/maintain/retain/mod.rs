//! Retention: removes tables whose data is old enough. What goes is decided by the planners ([`super::plan::fifo`],
//! [`super::plan::window`]); this publishes it.

mod compactor;
mod policy;
mod run;
#[cfg(test)]
mod tests;

pub use compactor::{RetentionCompactor, RetentionCompactorOptions, RetentionStats};
pub use policy::{Retention, RetentionMode};
pub use run::{RetentionReport, retain};
