//! The two traits that a host implements, and what the engine builds on them.
//!
//! Everything that the engine cannot do itself comes through this door: objects ([`ObjectStore`]), and time, sleep and
//! randomness ([`Host`]). The simulation is a host too.

mod clock;
mod moment;
mod store;

pub use clock::Host;
pub use moment::Moment;
pub use store::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
