//! The manifest: which tables make up the database, and how that changes under many processes at once.
//!
//! `manifest/log/<slot>` is created if absent, so each slot is decided exactly once; CURRENT says how far readers look. Pure
//! parts: [`state`] (what the entries add up to) and [`replay`] (which entries count). Driver: [`view`] (what a reader pins).

mod memory;
pub mod replay;
pub mod state;
mod storage;
pub mod view;

pub use memory::MemoryManifest;
pub use replay::Replay;
pub use state::State;
pub use storage::{CurrentRead, ManifestStorage};
pub use view::ManifestView;
