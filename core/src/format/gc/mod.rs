//! The documents of deletion: which tables and blobs wait to go, and what maintenance saw when.

mod blobs;
mod checkpoint;
mod marks;

pub use blobs::{DoomedBlob, DoomedBlobs};
pub use checkpoint::{GcCheckpoint, Sighting, UnnamedSnapshot};
pub use marks::{Mark, PendingMarks};

/// Largest of these documents that is read, in bytes.
pub const MAX_GC_DOCUMENT_BYTES: u64 = 64 << 20;
