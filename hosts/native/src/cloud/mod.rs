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
pub(crate) use store::install_tls;

/// The decision that an answer of a store leaves, which is neither a success nor a 304, 404, 409 or 412.
pub(crate) fn refused(key: &str, status: u16, region: Option<String>, body: &str) -> isledb_core::Error {
    refusal::Refusal::new(status, region, body.to_owned()).to_error(key)
}

/// What an error of `object_store` says, in one short line.
pub(crate) fn message(error: &object_store::Error) -> String {
    translate::summary(&translate::chain(error))
}
