//! S3, Google Cloud Storage and Azure, through the `object_store` crate.
//!
//! The crate's own retries are off: a hidden retry would hide an outcome (a put refused because of its own first try) and
//! could repeat a delete. The engine retries by its own rules. The parts of an upload are the exception: nobody sees a part,
//! so sending it again changes nothing.

mod etag;
mod parts;
mod refusal;
mod store;
mod translate;

pub use store::CloudStore;
