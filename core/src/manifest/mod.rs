//! The manifest: which tables make up the database, and how that changes under many processes at once.
//!
//! `manifest/log/<slot>` is created if absent, so each slot is decided exactly once; CURRENT says how far readers look. Pure
//! parts: [`state`] (what the entries add up to), [`replay`] (which entries count), `cover` (what a decided slot makes of
//! CURRENT), `lsn` (what it does to the LSNs there). Drivers: [`view`] (what a reader pins); `publish`, `claim`, `settle`,
//! `snapshot` and `upkeep` (the commit protocol).

mod lsn;
mod memory;
mod object;
#[cfg(feature = "write")]
mod phases;
pub mod replay;
pub mod state;
mod storage;
pub mod view;

#[cfg(feature = "write")]
mod claim;
#[cfg(feature = "write")]
mod cover;
#[cfg(feature = "write")]
mod draft;
#[cfg(feature = "write")]
mod publish;
#[cfg(feature = "write")]
mod settle;
#[cfg(feature = "write")]
mod snapshot;
#[cfg(feature = "maintain")]
mod upkeep;

#[cfg(feature = "write")]
pub use claim::{ClaimOptions, NEW_DATABASE_MAX_VIEW_AGE_MS};
#[cfg(feature = "write")]
pub use draft::{Draft, Reliance};
#[cfg(feature = "write")]
pub use lsn::lsn_effects;
pub use lsn::{BigEndianLsn, LsnExtractor};
pub use memory::MemoryManifest;
pub use object::ObjectManifest;
#[cfg(feature = "write")]
pub use publish::{Attempt, Published, Publisher};
pub use replay::Replay;
pub use state::State;
pub use storage::{CurrentRead, ManifestStorage};
pub use view::ManifestView;
pub(crate) use view::read_current;

#[cfg(all(test, feature = "write"))]
mod tests;
