//! What can go wrong between a host and its guest.

use crate::bindings::isledb::storage::database::Failure;

/// A result of this host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. After `Panicked`, `Busy`, `Memory` and `Trapped` the guest is gone: every later call fails the same way,
/// and whoever wants to go on opens anew. Nothing else of the host is concerned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine in the component said so.
    #[error("{message}")]
    Engine {
        /// What the caller should decide: see `failure.code` in `wit/storage/database.wit`.
        code: String,
        /// For people.
        message: String,
        /// The full key of the object that it is about.
        object: Option<String>,
        /// The byte in that object where it shows.
        offset: Option<u64>,
        /// True: the same call may succeed later.
        retryable: bool,
    },
    /// The deadline of the call passed. The guest may still be at it; a write leaves its outcome open.
    #[error("the component gave no answer within {limit_ms} ms")]
    Timeout {
        /// The deadline in milliseconds.
        limit_ms: u64,
    },
    /// The guest panicked.
    #[error("the component panicked: {message}")]
    Panicked {
        /// Its last words.
        message: String,
    },
    /// The guest computed for too long without asking its host for anything.
    #[error("the component was stopped: it computed for {limit_ms} ms without a pause")]
    Busy {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// The guest wanted more memory than it may have.
    #[error("the component was stopped: it wanted {asked} bytes of memory, {limit} are allowed")]
    Memory {
        /// The size that it wanted to grow to.
        asked: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The guest did something that WebAssembly does not allow.
    #[error("the component trapped: {message}")]
    Trapped {
        /// What wasmtime says of it.
        message: String,
    },
    /// These bytes are no component that this host can run.
    #[error("not a component that can be run here: {message}")]
    Component {
        /// What is wrong with it.
        message: String,
    },
    /// The call itself is wrong.
    #[error("invalid argument: {what}")]
    InvalidArgument {
        /// Which argument, and what is wrong with it.
        what: String,
    },
}

impl Error {
    /// The code of the engine's error, where it is one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Engine { code, .. } => Some(code),
            _ => None,
        }
    }

    /// True where the guest is gone.
    pub fn ends_guest(&self) -> bool {
        matches!(
            self,
            Error::Panicked { .. } | Error::Busy { .. } | Error::Memory { .. } | Error::Trapped { .. }
        )
    }

    pub(crate) fn component(error: &wasmtime::Error) -> Error {
        Error::Component { message: format!("{error:#}") }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let Failure { code, message, object, offset, retryable } = failure;
        Error::Engine { code, message, object, offset, retryable }
    }
}
