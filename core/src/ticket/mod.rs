//! View tickets: one version of a database as a document, with a presigned URL for each of its objects.
//!
//! Whoever holds a [`Ticket`] reads that version without credentials, without fetching CURRENT, and without any request but
//! GETs of named URLs. `document` is the JSON (in and out, hostile text too), `names` says which keys and URLs may stand in
//! it, `range` which tables it is to cover, and `draft` which objects a version consists of. Who signs the URLs is the host's
//! business.

mod document;
mod draft;
mod names;
mod range;

pub use document::{
    Follow, MAX_OBJECTS, MAX_TICKET_BYTES, MAX_TTL_MS, MAX_URL_BYTES, Ticket, TicketCurrent, decode, encode,
};
pub use draft::{TicketDraft, draft, objects_of};
pub use names::is_url;
pub use range::TicketRange;
