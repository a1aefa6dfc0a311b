//! The two traits that a host implements, and what the engine builds on them.
//!
//! Everything that the engine cannot do itself comes through this door: objects ([`ObjectStore`]), and time, sleep and
//! randomness ([`Host`]). The simulation is a host too.

mod backoff;
mod clock;
mod cost;
mod memory;
mod meter;
mod moment;
mod observe;
mod probe;
mod retry;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use backoff::Backoff;
pub use clock::Host;
pub use cost::{Cost, PriceList};
pub use memory::{MAX_LIST_PAGE, MemoryStore};
pub use meter::{Meter, Metered, Span};
pub use moment::Moment;
pub use observe::{Begun, CachePart, Collected, Event, Flushed, Observer};
pub use probe::probe;
pub use retry::{Fetched, MAX_WHOLE_BYTES, Requests, RetryPolicy};
pub use store::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
