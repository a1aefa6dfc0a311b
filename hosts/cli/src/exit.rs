//! What a failed command says, and the exit code that it leaves.

use isledb::Error;
use serde::Serialize;

/// Exit codes: the only numbers that the command returns (and `INTERRUPTED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// The key is not there, or there is no database at the URL.
    NotThere = 1,
    /// The call is wrong.
    Usage = 2,
    /// The store could not be reached, or time ran out.
    Unreachable = 3,
    /// Another owner holds the role.
    Fenced = 4,
    /// An object is damaged or gone, or no trusted key signed it.
    Corrupt = 5,
    /// A later layout, a store without conditional writes, an unknown codec.
    Unsupported = 6,
    /// No right, or no credentials.
    Permission = 7,
    /// It cannot be told whether a flush was committed.
    OutcomeUnknown = 8,
    /// A view, cursor or ticket is too old.
    Expired = 9,
    /// Ctrl-C before the work was done (the shell's own number for it).
    Interrupted = 130,
}

/// A failure: what, where, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// Stable word for programs.
    kind: &'static str,
    message: String,
    object: Option<String>,
    offset: Option<u64>,
    advice: Option<String>,
    /// True where the reader of our output went away: nobody is left to tell.
    quiet: bool,
}

/// What every command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(code: Code, kind: &'static str, message: impl Into<String>) -> Failure {
        Failure {
            code,
            kind,
            message: message.into(),
            object: None,
            offset: None,
            advice: None,
            quiet: false,
        }
    }

    /// The call is wrong (exit code 2).
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Code::Usage, "invalid_argument", message)
    }

    /// Somebody wanted the command to stop before its end.
    pub(crate) fn interrupted() -> Failure {
        Failure::new(Code::Interrupted, "interrupted", "interrupted")
    }

    /// The same failure with another thing to do.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Failure {
        self.advice = Some(advice.into());
        self
    }

    /// The same failure about this object or file.
    pub(crate) fn at(mut self, object: impl Into<String>) -> Failure {
        self.object = Some(object.into());
        self
    }

    /// A local file could not be read or written.
    pub(crate) fn file(path: &str, error: &std::io::Error) -> Failure {
        let code = match error.kind() {
            std::io::ErrorKind::PermissionDenied => (Code::Permission, "permission"),
            _ => (Code::Usage, "invalid_argument"),
        };
        Failure::new(code.0, code.1, format!("{path}: {error}"))
    }

    /// True where it says that the store has no object of this name.
    pub(crate) fn is_missing(&self, object: &str) -> bool {
        self.kind == "not_found" && self.object.as_deref() == Some(object)
    }

    /// True where there is nobody to tell.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// `error: what, where; what to do`.
    pub(crate) fn line(&self) -> String {
        let mut line = self.message.clone();
        if let Some(object) = &self.object
            && !self.message.contains(object.as_str())
        {
            line.push_str(&format!(", {object}"));
        }
        if let Some(offset) = self.offset {
            line.push_str(&format!(" at byte {offset}"));
        }
        if let Some(advice) = &self.advice {
            line.push_str(&format!("; {advice}"));
        }
        line.replace('\n', " ")
    }

    /// `{"error": {kind, message, object, offset}}`.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Wrapper<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            kind: &'a str,
            message: String,
            object: Option<&'a str>,
            offset: Option<u64>,
        }
        let message = match &self.advice {
            Some(advice) => format!("{}; {advice}", self.message),
            None => self.message.clone(),
        };
        let error = Inner { kind: self.kind, message, object: self.object.as_deref(), offset: self.offset };
        serde_json::to_string(&Wrapper { error }).unwrap_or_default()
    }
}

/// Output that cannot be written. A reader that went away (`| head`) is not a failure of ours.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        let gone = error.kind() == std::io::ErrorKind::BrokenPipe;
        Failure {
            quiet: gone,
            ..Failure::new(Code::Usage, "output", format!("cannot write the output: {error}"))
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (code, kind, message, advice) = told(&error);
        Failure {
            code,
            kind,
            message,
            object: error.object().map(str::to_owned),
            offset: error.offset(),
            advice: advice.map(str::to_owned),
            quiet: false,
        }
    }
}

/// Exit code, word, what happened, and what to do.
fn told(error: &Error) -> (Code, &'static str, String, Option<&'static str>) {
    match error {
        Error::NoDatabase { prefix } => (
            Code::NotThere,
            "no_database",
            format!("no database at {prefix}"),
            Some("check the URL, or write something to it first"),
        ),
        Error::NotFound { .. } => (
            Code::Corrupt,
            "not_found",
            "the object is missing".into(),
            Some("check the name; if the manifest names it, the bucket is damaged"),
        ),
        Error::Precondition { .. } => (
            Code::Unreachable,
            "conflict",
            "another writer changed the object at the same time".into(),
            Some("try again"),
        ),
        Error::NotModified { .. } => {
            (Code::Unreachable, "conflict", "the object did not change".into(), Some("try again"))
        }
        Error::Permission { message, .. } => (
            Code::Permission,
            "permission",
            format!("permission denied: {message}"),
            Some("check the credentials and the rights on the bucket"),
        ),
        Error::Unavailable { message, .. } => (
            Code::Unreachable,
            "unavailable",
            format!("the store did not serve the request: {message}"),
            Some("check the endpoint and the network, then try again"),
        ),
        Error::Timeout { what, limit_ms } => (
            Code::Unreachable,
            "timeout",
            format!("no answer within {}, {what}", crate::duration::text_ms(*limit_ms)),
            Some("try again, or allow more with --timeout"),
        ),
        Error::Corrupt { expected, found, .. } => (
            Code::Corrupt,
            "corrupt",
            format!("corrupt object: expected {expected}, found {found}"),
            Some("keep the bucket as it is and restore this object from a copy"),
        ),
        Error::Untrusted { reason, .. } => (
            Code::Corrupt,
            "untrusted",
            format!("a table is not to be trusted: {reason}"),
            Some("find out who wrote it, or give --verify-key the key that signed it"),
        ),
        Error::Unsupported { what, .. } => (
            Code::Unsupported,
            "unsupported",
            format!("unsupported: {what}"),
            Some("use a version or a store that can"),
        ),
        Error::InvalidArgument { what } => {
            (Code::Usage, "invalid_argument", format!("invalid argument: {what}"), Some("correct the call"))
        }
        Error::Fenced { role, holder, epoch } => (
            Code::Fenced,
            "fenced",
            format!("fenced: the {role} role belongs to {holder} since epoch {epoch}"),
            Some(
                "nothing of this call was committed; stop the other process, or run this one again to take over",
            ),
        ),
        Error::Backpressure { pending_bytes, waited_ms } => (
            Code::Unreachable,
            "backpressure",
            format!("{pending_bytes} bytes waited {} to be committed", crate::duration::text_ms(*waited_ms)),
            Some("the store is slow or away: try again"),
        ),
        Error::OutcomeUnknown { what, first_sequence, last_sequence, message, .. } => (
            Code::OutcomeUnknown,
            "outcome_unknown",
            format!(
                "outcome unknown: flush {what}, sequences {first_sequence} to {last_sequence}, may or may not be \
                 committed: {message}"
            ),
            Some("read the keys back before writing them again"),
        ),
        Error::ViewExpired { age_ms, limit_ms } => (
            Code::Expired,
            "view_expired",
            format!(
                "the view is {} old, at most {} are allowed",
                crate::duration::text_ms(*age_ms),
                crate::duration::text_ms(*limit_ms)
            ),
            Some("start again; `export --start` goes on behind the last key"),
        ),
        Error::TicketExpired { expires_at_ms, .. } => (
            Code::Expired,
            "ticket_expired",
            format!("the ticket was good until {}", crate::duration::date_ms(*expires_at_ms)),
            Some("ask whoever signed it for a new one"),
        ),
        Error::CursorExpired { cursor, oldest, .. } => (
            Code::Expired,
            "cursor_expired",
            format!("cursor {cursor} expired, the oldest that works is {oldest}"),
            Some("start from that one and lose what lies between, or take everything with --bootstrap"),
        ),
        Error::Closed { what } => {
            (Code::Unreachable, "closed", format!("{what} is closed"), Some("try again"))
        }
        // The enum may grow; what it says of itself is better than nothing.
        other => (Code::Unreachable, "error", other.to_string(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_where_and_what_to_do() {
        let error = Error::Corrupt {
            object: "p/sstable/1.sst".into(),
            offset: Some(17),
            expected: "crc 1".into(),
            found: "crc 2".into(),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.code, Code::Corrupt);
        assert_eq!(
            failure.line(),
            "corrupt object: expected crc 1, found crc 2, p/sstable/1.sst at byte 17; keep the bucket as it is and \
             restore this object from a copy"
        );
        let json: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        assert_eq!(json["error"]["kind"], "corrupt");
        assert_eq!(json["error"]["object"], "p/sstable/1.sst");
        assert_eq!(json["error"]["offset"], 17);
    }

    #[test]
    fn every_decision_has_its_code() {
        let object = || "o".to_owned();
        let cases = [
            (Error::NoDatabase { prefix: object() }, 1),
            (Error::InvalidArgument { what: object() }, 2),
            (Error::Unavailable { object: object(), message: object() }, 3),
            (Error::Timeout { what: object(), limit_ms: 1 }, 3),
            (Error::Backpressure { pending_bytes: 1, waited_ms: 1 }, 3),
            (Error::Fenced { role: "writer", holder: object(), epoch: 1 }, 4),
            (Error::NotFound { object: object() }, 5),
            (Error::Untrusted { object: object(), reason: object() }, 5),
            (Error::Unsupported { object: object(), what: object() }, 6),
            (Error::Permission { object: object(), message: object() }, 7),
            (
                Error::OutcomeUnknown {
                    what: object(),
                    first_sequence: 1,
                    last_sequence: 2,
                    message: object(),
                    retry: false,
                },
                8,
            ),
            (Error::ViewExpired { age_ms: 2, limit_ms: 1 }, 9),
            (Error::TicketExpired { expires_at_ms: 1, now_ms: 2 }, 9),
            (Error::CursorExpired { cursor: object(), oldest: object(), setting: "change_retention" }, 9),
        ];
        for (error, code) in cases {
            assert_eq!(Failure::from(error.clone()).code as u8, code, "{error}");
        }
    }
}
