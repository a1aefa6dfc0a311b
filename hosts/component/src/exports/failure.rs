//! The engine's errors as the component's callers see them.

use isledb_core::{Error, ErrorKind};

use super::types::Failure;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let retryable = match &error {
            Error::OutcomeUnknown { retry, .. } => *retry,
            other => other.kind() == ErrorKind::Retry,
        };
        Failure {
            code: error.code().to_owned(),
            message: error.to_string(),
            object: error.object().map(str::to_owned),
            offset: error.offset(),
            retryable,
        }
    }
}

/// An argument that no call can have.
pub(super) fn invalid(what: impl Into<String>) -> Failure {
    Error::InvalidArgument { what: what.into() }.into()
}
