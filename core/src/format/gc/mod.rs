//! The documents of deletion: which tables and blobs wait to go, and what maintenance saw when.

mod blobs;
mod checkpoint;
mod marks;

pub use blobs::{DoomedBlob, DoomedBlobs};
pub use checkpoint::{GcCheckpoint, Sighting, UnnamedSnapshot};
pub use marks::{Mark, PendingMarks};

use crate::error::{Error, Result};

/// Largest of these documents that is read, in bytes.
pub const MAX_GC_DOCUMENT_BYTES: u64 = 64 << 20;

/// The documents say 1; where the field is missing nothing else is meant.
fn check_version(object: &str, what: &str, version: i64) -> Result<()> {
    if version == 0 || version == 1 {
        return Ok(());
    }
    Err(Error::Unsupported { object: object.to_owned(), what: format!("version {version} of {what}") })
}
