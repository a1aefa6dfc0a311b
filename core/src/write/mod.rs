//! The write path: from a put to a committed table.
//!
//! A write is appended to the active [`memtable`]; a full one waits among the pending ones. `flush` takes those in order:
//! `table` builds and `upload` sends several at once, then each is published, oldest first, by the commit protocol. Values
//! past a threshold go beside the table as blobs (`blob`). Nothing here runs by itself: whoever waits for a commit drives it,
//! and [`Writer::run`] is the waiter that a host may keep in the background.

mod batch;
mod blob;
pub(crate) mod container;
mod context;
mod flush;
pub mod memtable;
mod options;
mod run;
mod signal;
mod state;
mod table;
pub(crate) mod upload;
mod writer;

pub use batch::WriteBatch;
pub use options::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, WriterOptions};
pub use writer::{WeakWriter, Writer};

#[cfg(test)]
mod tests;
