//! Plugins: a user's code inside the engine, from a file, unable to harm its host.
//!
//! A plugin is a component of one of the worlds in `wit/plugin`. It imports nothing, so it has no clock, no files and no
//! network; it runs in an engine of its own, each call in a new instance, within [`PluginLimits`]: memory, fuel (which counts
//! instructions, so that a call that fails here fails everywhere), and the size of its answer. Whatever it does wrong is a
//! [`PluginError`] that names its file, the hash of its content, and what it did; the call that asked it fails, and nothing
//! is changed.
//!
//! ```no_run
//! use std::sync::Arc;
//! use isledb::maintain::{MaintenanceOptions, MergeOptions};
//! use isledb_wasmtime::plugin::{CompactionFilterPlugin, PluginEngine, PluginLimits};
//!
//! # async fn example(db: isledb::Db) -> isledb::Result<()> {
//! let engine = PluginEngine::new(PluginLimits::default())?;
//! let filter = CompactionFilterPlugin::load(&engine, "expire.wasm")?;
//! let merge = MergeOptions { filter: Some(Arc::new(filter)), ..MergeOptions::default() };
//! let options = MaintenanceOptions { merge: Some(merge), ..MaintenanceOptions::default() };
//! db.maintenance(options).await?.run_once().await?; // fails by the plugin's name where it fails
//! # Ok(())
//! # }
//! ```
//!
//! `loaded` loads and calls, whatever the kind; there is one file a kind, with its types as the WIT has them.

mod batch;
mod compaction;
mod engine;
mod error;
mod format;
mod kind;
mod limits;
mod loaded;
mod lsn;
mod memory;
mod transform;

pub use compaction::CompactionFilterPlugin;
pub use engine::PluginEngine;
pub use error::{Fault, PluginError};
pub use format::KeyFormatterPlugin;
pub use kind::PluginKind;
pub use limits::PluginLimits;
pub use lsn::LsnPlugin;
pub use transform::{Transformed, ValueTransformPlugin};
