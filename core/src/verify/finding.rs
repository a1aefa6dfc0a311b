//! What a check finds, and what it adds up to.

use crate::error::{Error, Result};

/// Something about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object's full key.
    pub object: String,
    /// Where in it, where there is a place.
    pub offset: Option<u64>,
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// In words, without the object.
    pub message: String,
    /// Size of the object, for orphans.
    pub bytes: Option<u64>,
    /// How long ago the object was written, by the store's clock and ours, in milliseconds; for orphans, where the store
    /// says.
    pub age_ms: Option<u64>,
}

/// The kinds of findings. All but [`FindingKind::Orphan`] are problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// The database names the object, and it is not there.
    Missing,
    /// The object has another size than the manifest says.
    Size,
    /// Its bytes are not what the format or a checksum says.
    Corrupt,
    /// A table that no trusted key signed, where signatures are asked for.
    Untrusted,
    /// Something that this version does not speak.
    Unsupported,
    /// What the manifest, an index, a filter or a property says of the content is not so.
    Disagrees,
    /// Nothing names the object. Not a problem: maintenance removes it in time, or it is of a write under way.
    Orphan,
}

impl FindingKind {
    /// A stable word for programs.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Missing => "missing",
            FindingKind::Size => "size",
            FindingKind::Corrupt => "corrupt",
            FindingKind::Untrusted => "untrusted",
            FindingKind::Unsupported => "unsupported",
            FindingKind::Disagrees => "disagrees",
            FindingKind::Orphan => "orphan",
        }
    }

    /// True where something is wrong.
    pub fn is_problem(self) -> bool {
        self != FindingKind::Orphan
    }
}

impl Finding {
    pub(super) fn new(object: &str, kind: FindingKind, message: impl Into<String>) -> Finding {
        let message = message.into();
        Finding { object: object.to_owned(), offset: None, kind, message, bytes: None, age_ms: None }
    }

    /// What an error says of an object. Errors that say nothing of the database (no answer, no right) stay errors.
    pub(super) fn of(error: Error) -> Result<Finding> {
        match error {
            Error::Corrupt { object, offset, expected, found } => Ok(Finding {
                offset,
                ..Finding::new(&object, FindingKind::Corrupt, format!("expected {expected}, found {found}"))
            }),
            Error::Untrusted { object, reason } => Ok(Finding::new(&object, FindingKind::Untrusted, reason)),
            Error::Unsupported { object, what } => Ok(Finding::new(&object, FindingKind::Unsupported, what)),
            Error::NotFound { object } => {
                Ok(Finding::new(&object, FindingKind::Missing, "the database names it, and it is not there"))
            }
            other => Err(other),
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Tables of the present state.
    pub tables: u64,
    /// Tables that only the change feed still needs.
    pub feed_tables: u64,
    /// Log entries that were read.
    pub log_entries: u64,
    /// Snapshots that were read.
    pub snapshots: u64,
    /// Different blobs that tables refer to.
    pub blobs: u64,
    /// Objects that were listed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Problems that were told.
    pub problems: u64,
    /// Orphans that were told.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// False where a table could not be read that may name blobs: then no blob was taken for an orphan.
    pub blob_orphans_known: bool,
}
