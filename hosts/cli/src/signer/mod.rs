//! The signer: an HTTP service that gives out presigned URLs and view tickets of the databases that it was started with.
//!
//! `access` lets in whoever has a token, so often a second; `databases` says which names may be asked for; `api` answers; where a
//! store has no presigned URLs of its own (a folder), `link` makes some, and `object` serves what they name; `refusal` is what
//! everybody else gets, with a line in the log; `server` holds it all together, over
//! `connections` that are bounded in number and in time. The protocol is in `docs/tickets.md`.

mod access;
mod api;
mod connections;
mod databases;
mod link;
mod object;
mod refusal;
mod server;

pub(crate) use access::Access;
pub(crate) use connections::{Limits, run};
pub(crate) use databases::Databases;
pub(crate) use link::Links;
pub(crate) use object::{etag_of_store, get as get_object};
pub(crate) use refusal::{Refusal, log};
pub(crate) use server::{Origins, listen, router};

use std::time::Duration;

/// What the requests of a signer share.
pub(crate) struct Signer {
    pub(crate) databases: Databases,
    pub(crate) access: Access,
    pub(crate) links: Links,
    /// How long a URL of `/v1/sign` is good for.
    pub(crate) ttl: Duration,
    /// URLs to write with are given out too.
    pub(crate) write: bool,
    /// Where clients reach it, without a slash at the end.
    pub(crate) public_url: String,
}
