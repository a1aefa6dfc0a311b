//! Bytes to values and back: everything that is laid down in a bucket.
//!
//! Pure: no input or output, no clock, no `usize` on the wire. What is read here was written by somebody else, so every
//! length is checked before it is allocated and every checksum before its bytes are used; what does not fit is an
//! [`crate::Error::Corrupt`] that names the object and, where there is one, the offset.

pub mod blob;
pub mod blob_list;
pub mod bloom;
pub mod gc;
pub(crate) mod json;
pub mod ksuid;
pub mod layout;
pub mod manifest;
pub mod sst;
pub mod time;
pub mod value;
