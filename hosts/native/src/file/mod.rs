//! A folder as an object store: every object is a file.
//!
//! Objects are replaced by writing a temporary file, syncing it, and renaming it over the old one, so whoever reads (this
//! process, another one, or nobody because the power failed) finds the old content or the new one. All that changes a name
//! happens under an advisory lock on a file of the same folder, so conditions are decided atomically between processes,
//! as long as the file system has working locks (network file systems may not).
//!
//! The original IsleDB keeps a sidecar `<file>.attrs` beside an object, with a hash of its content. We never read one, and
//! remove it before the object changes, so that the original never takes a stale hash for the version of new content.

pub(crate) mod blocking;
mod key;
mod list;
mod read;
mod store;
mod write;

pub use store::FileStore;
