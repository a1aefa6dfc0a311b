//! Plugins from files: what `--plugin`, `--transform` and `--format-keys` name.
//!
//! The flags are there in every build, so that scripts get a useful answer from a build without WebAssembly.

#[cfg(not(feature = "plugins"))]
mod absent;
#[cfg(feature = "plugins")]
mod sandbox;

#[cfg(not(feature = "plugins"))]
pub(crate) use absent::{Formatter, Transform, compaction_filter};
#[cfg(feature = "plugins")]
pub(crate) use sandbox::{Formatter, Transform, compaction_filter};
