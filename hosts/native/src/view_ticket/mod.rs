//! A view ticket as a store: `ticket:FILE` wherever a database's URL is wanted.

mod answer;
mod follow;
mod store;

pub use follow::SignerToken;
pub use store::TicketStore;

use store::permit;

use std::path::Path;

use isledb_core::ticket::{self, MAX_TICKET_BYTES, Ticket};
use isledb_core::{Error, Result};

/// Reads a ticket from a file. At most 16 MiB are read.
///
/// Errors: those of [`isledb_core::ticket::decode`]; `InvalidArgument` where the file is not there; `Permission`.
pub fn read_ticket(path: impl AsRef<Path>) -> Result<Ticket> {
    use std::io::Read;
    let path = path.as_ref();
    let failed = |error: &std::io::Error| {
        let (object, message) = (path.display().to_string(), error.to_string());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Error::Permission { object, message },
            _ => Error::InvalidArgument { what: format!("{object}: {message}") },
        }
    };
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut text = String::new();
    // One byte more than a ticket may have: then it is too long, and says so.
    file.take(MAX_TICKET_BYTES as u64 + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    let now_ms = isledb_core::host::Host::now_unix_ns(&crate::TokioHost::new()) / 1_000_000;
    ticket::decode(&text, now_ms)
}
