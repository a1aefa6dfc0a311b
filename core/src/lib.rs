//! The IsleDB engine: an embedded key-value database whose only durable storage is a prefix of an object store.
//!
//! The engine is a library of pure formats, pure planners and thin async drivers over two small host traits
//! ([`host::ObjectStore`] and [`host::Host`]). It has no runtime, no threads, no clock, no files and no network, so the same
//! source runs natively, in a browser, in an edge worker and in a wasmtime plugin. Data flows one way:
//! bytes -> blocks -> tables -> runs -> view -> iterator.

#![deny(unsafe_code)]

mod concurrent;
pub mod db;
pub mod error;
pub mod format;
pub mod host;
#[cfg(feature = "maintain")]
pub mod maintain;
pub mod manifest;
pub mod maybe;
#[cfg(feature = "mutations")]
pub mod mutation;
#[cfg(not(feature = "mutations"))]
mod mutation;
pub mod read;
pub mod signature;
mod sort;
pub mod tail;
pub mod ticket;
pub mod verify;
#[cfg(feature = "write")]
pub mod write;

pub use db::{Db, DbOptions};
pub use error::{Error, ErrorKind, Result};
