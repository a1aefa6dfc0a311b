//! The one error type of the engine: a variant is a decision of the caller.

use std::ops::RangeInclusive;

/// A result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and (through [`Error::kind`]) what the caller should do about it.
///
/// `object` is always the full key in the store, so that a message can be pasted into another tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store has no object of that name.
    #[error("{object}: not found")]
    NotFound {
        /// The object's key.
        object: String,
    },
    /// The condition of a put did not hold, or the store could not decide between two puts at once (S3 409, Azure 409,
    /// Ceph's 500 for a loser): read again and decide. A lost answer of one's own earlier put may be the cause.
    #[error("{object}: the condition of the write did not hold")]
    Precondition {
        /// The object's key.
        object: String,
    },
    /// A conditional get: the object still has the version that the caller knows.
    #[error("{object}: not modified")]
    NotModified {
        /// The object's key.
        object: String,
    },
    /// The store refuses: credentials missing, wrong or expired, or no right to this object. S3 answers so for a missing
    /// name too where the caller may not list.
    #[error("{object}: permission denied: {message}")]
    Permission {
        /// The object's key, or the store's address.
        object: String,
        /// What the store said.
        message: String,
    },
    /// No answer, or an answer that says "later". A *write* that ends so may have been applied, or may still be.
    #[error("{object}: the store did not serve the request: {message}")]
    Unavailable {
        /// The object's key.
        object: String,
        /// What the store or the network said.
        message: String,
    },
    /// The caller's deadline passed. For a write this too leaves the outcome open.
    #[error("{what}: no answer within {limit_ms} ms")]
    Timeout {
        /// What was waited for.
        what: String,
        /// The limit that passed, in milliseconds.
        limit_ms: u64,
    },
    /// Bytes that cannot be what the format says, a checksum that differs, or an object that the manifest names and the
    /// store does not have (after reading CURRENT again).
    #[error("{object}{}: corrupt: expected {expected}, found {found}", at(.offset))]
    Corrupt {
        /// The object's key.
        object: String,
        /// Byte offset in the object where it shows, where there is one.
        offset: Option<u64>,
        /// What the format wants there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A table that no trusted key signed, where the caller asked for signatures: do not use it, and find out who wrote it.
    #[error("{object}: not to be trusted: {reason}")]
    Untrusted {
        /// The table's key.
        object: String,
        /// Why not.
        reason: String,
    },
    /// Well-formed, but made by something that this version does not speak: a later layout, a columnar table, an unknown
    /// codec, a store without conditional writes.
    #[error("{object}: unsupported: {what}")]
    Unsupported {
        /// The object's key, or the store's address.
        object: String,
        /// What is not supported.
        what: String,
    },
    /// The call itself is wrong; trying again changes nothing.
    #[error("invalid argument: {what}")]
    InvalidArgument {
        /// Which argument, its value, and the bound that it breaks.
        what: String,
    },
    /// There is no database at this prefix.
    #[error("no database at {prefix:?}")]
    NoDatabase {
        /// The prefix that was opened.
        prefix: String,
    },
    /// Another owner holds the role: this handle is finished for good, nothing of the failed call was committed.
    #[error("fenced: the {role} role belongs to {holder:?} (epoch {epoch}) now")]
    Fenced {
        /// `writer` or `maintenance`.
        role: &'static str,
        /// The owner in CURRENT.
        holder: String,
        /// Its epoch.
        epoch: u64,
    },
    /// Too much waits to be committed and the deadline passed; nothing of the call was accepted.
    #[error("backpressure: {pending_bytes} bytes wait to be committed, for {waited_ms} ms")]
    Backpressure {
        /// Bytes in memtables that are not committed.
        pending_bytes: u64,
        /// How long the call waited.
        waited_ms: u64,
    },
    /// It cannot be told whether a commit happened. `retry` says whether a later call may settle it.
    #[error("outcome unknown: {what} (sequences {first_sequence}..={last_sequence}): {message}")]
    OutcomeUnknown {
        /// The flush or entry, by its table or log entry id.
        what: String,
        /// First sequence number of the flush (0 for other entries).
        first_sequence: u64,
        /// Last sequence number of the flush (0 for other entries).
        last_sequence: u64,
        /// Why it is unknown.
        message: String,
        /// True: the flush keeps its identity and the next call settles it. False: for good.
        retry: bool,
    },
    /// The view was used for longer than CURRENT allows; its objects may be gone.
    #[error("view expired: {age_ms} ms old, at most {limit_ms} ms are allowed; refresh")]
    ViewExpired {
        /// Age of the view.
        age_ms: u64,
        /// The database's `max_view_age_ms`.
        limit_ms: u64,
    },
    /// The view ticket was used for longer than whoever signed it allowed; its objects may be gone.
    #[error(
        "ticket expired: it was good until {expires_at_ms} (Unix milliseconds), it is {now_ms}; ask for a new one"
    )]
    TicketExpired {
        /// The ticket's `expires_at_ms`.
        expires_at_ms: u64,
        /// The wall clock, Unix milliseconds.
        now_ms: u64,
    },
    /// The change feed no longer reaches back to this cursor.
    #[error("cursor {cursor} expired: the oldest that works is {oldest}; a longer {setting} keeps more")]
    CursorExpired {
        /// The cursor that was asked for.
        cursor: String,
        /// The oldest cursor that works now.
        oldest: String,
        /// The setting that bounds it.
        setting: &'static str,
    },
    /// A merge needs more than the budget of the pass, and was not begun: raise the budget, or let a larger host do it.
    #[error("over budget: the next merge needs {what} of {need}, {limit} is the limit")]
    OverBudget {
        /// The option that bounds it: `max_requests` or `max_memory_bytes`.
        what: &'static str,
        /// What the merge needs, in all that the pass would have used behind it.
        need: u64,
        /// The value of the option.
        limit: u64,
    },
    /// The handle was closed.
    #[error("{what} is closed")]
    Closed {
        /// Which handle.
        what: &'static str,
    },
}

/// What the caller should do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is not there.
    NotFound,
    /// Read the object again, then decide.
    Conflict,
    /// Try again later; for a write the outcome is open.
    Retry,
    /// Refresh the view, or start again from the oldest cursor.
    Expired,
    /// Ask for rights or credentials.
    Permission,
    /// Report it: the bucket is damaged.
    Corrupt,
    /// Find out who wrote it, or trust the key that did.
    Untrusted,
    /// Use a version or a store that can.
    Unsupported,
    /// Correct the call.
    InvalidArgument,
    /// Stop: another owner took the role.
    Fenced,
    /// Find out what is committed before writing it again.
    Unknown,
    /// Open a new handle.
    Closed,
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotFound { .. } | Error::NoDatabase { .. } => ErrorKind::NotFound,
            Error::Precondition { .. } | Error::NotModified { .. } => ErrorKind::Conflict,
            Error::Unavailable { .. } | Error::Timeout { .. } | Error::Backpressure { .. } => {
                ErrorKind::Retry
            }
            Error::ViewExpired { .. } | Error::TicketExpired { .. } | Error::CursorExpired { .. } => {
                ErrorKind::Expired
            }
            Error::Permission { .. } => ErrorKind::Permission,
            Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Untrusted { .. } => ErrorKind::Untrusted,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::InvalidArgument { .. } | Error::OverBudget { .. } => ErrorKind::InvalidArgument,
            Error::Fenced { .. } => ErrorKind::Fenced,
            Error::OutcomeUnknown { .. } => ErrorKind::Unknown,
            Error::Closed { .. } => ErrorKind::Closed,
        }
    }

    /// Its name in other languages: what crosses the border of a component or of a script instead of the variant. Hosts without
    /// Rust types decide by it, so a name never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not-found",
            Error::Precondition { .. } => "precondition",
            Error::NotModified { .. } => "not-modified",
            Error::Permission { .. } => "permission",
            Error::Unavailable { .. } => "unavailable",
            Error::Timeout { .. } => "timeout",
            Error::Corrupt { .. } => "corrupt",
            Error::Untrusted { .. } => "untrusted",
            Error::Unsupported { .. } => "unsupported",
            Error::InvalidArgument { .. } => "invalid-argument",
            Error::NoDatabase { .. } => "no-database",
            Error::Fenced { .. } => "fenced",
            Error::Backpressure { .. } => "backpressure",
            Error::OverBudget { .. } => "over-budget",
            Error::OutcomeUnknown { .. } => "outcome-unknown",
            Error::ViewExpired { .. } => "view-expired",
            Error::CursorExpired { .. } => "cursor-expired",
            Error::TicketExpired { .. } => "ticket-expired",
            Error::Closed { .. } => "closed",
        }
    }

    /// The error that a store on the other side of such a border means by `code` and `message`. A code that no store has
    /// counts as `Unavailable`, which leaves the outcome of a write open.
    pub fn of_store(code: &str, object: &str, message: String) -> Error {
        let object = object.to_owned();
        match code {
            "not-found" => Error::NotFound { object },
            "precondition" => Error::Precondition { object },
            "not-modified" => Error::NotModified { object },
            "permission" => Error::Permission { object, message },
            "corrupt" => Error::corrupt(&object, None, "what was asked of the store", message),
            "unsupported" => Error::Unsupported { object, what: message },
            "invalid-argument" => Error::InvalidArgument { what: format!("{object}: {message}") },
            _ => Error::Unavailable { object, message },
        }
    }

    /// The object that it is about, where there is one.
    pub fn object(&self) -> Option<&str> {
        match self {
            Error::NotFound { object }
            | Error::Precondition { object }
            | Error::NotModified { object }
            | Error::Permission { object, .. }
            | Error::Unavailable { object, .. }
            | Error::Corrupt { object, .. }
            | Error::Untrusted { object, .. }
            | Error::Unsupported { object, .. } => Some(object),
            _ => None,
        }
    }

    /// The byte offset in that object, where there is one.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Error::Corrupt { offset, .. } => *offset,
            _ => None,
        }
    }

    /// True where a write that ended so may nevertheless have been applied.
    pub fn leaves_outcome_open(&self) -> bool {
        matches!(self, Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { .. })
    }

    pub(crate) fn corrupt(
        object: &str,
        offset: impl Into<Option<u64>>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Corrupt {
            object: object.to_owned(),
            offset: offset.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The error of code that the user brought, under its name: no store is at fault, and trying again changes nothing.
    #[cfg(feature = "write")]
    pub(crate) fn of_user_code(self, name: &str) -> Error {
        match self {
            Error::InvalidArgument { what } => Error::invalid(format!("{name}: {what}")),
            other => Error::invalid(format!("{name}: {other}")),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Error {
        Error::InvalidArgument { what: what.into() }
    }
}

/// Errors: `InvalidArgument` with the option's name where `value` is out of its bounds.
pub(crate) fn within(name: &str, value: u64, bounds: RangeInclusive<u64>) -> Result<()> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is {value}, allowed are {} to {}", bounds.start(), bounds.end())))
}

/// An option's duration in milliseconds, which is what bounds and requests count in.
#[cfg(feature = "write")]
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A key in an error: printable, and cut where it is long.
#[cfg(feature = "write")]
pub(crate) fn key_text(key: &[u8]) -> String {
    const MAX_BYTES: usize = 64;
    match key.split_at_checked(MAX_BYTES) {
        Some((start, rest)) if !rest.is_empty() => format!("\"{}\"...", start.escape_ascii()),
        _ => format!("\"{}\"", key.escape_ascii()),
    }
}

fn at(offset: &Option<u64>) -> String {
    offset.map(|o| format!(" at byte {o}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_may_say_keeps_its_code_across_a_border() {
        let codes = [
            "not-found",
            "precondition",
            "not-modified",
            "permission",
            "unavailable",
            "corrupt",
            "unsupported",
            "invalid-argument",
        ];
        for code in codes {
            let error = Error::of_store(code, "db/manifest/CURRENT", "words of the store".to_owned());
            assert_eq!(error.code(), code);
            assert!(error.to_string().starts_with("db/manifest/CURRENT") || code == "invalid-argument");
        }
        let strange = Error::of_store("teapot", "k", String::new());
        assert!(strange.leaves_outcome_open(), "{strange}");
    }
}
