//! A cache of objects' chunks on the local disk, between an engine and its store.
//!
//! **What it keeps**: aligned chunks of objects that are written once under a name that nobody uses again: tables, blobs,
//! snapshots of the manifest. CURRENT and the documents of garbage collection change; log entries do not, but a slot's number
//! comes again when a prefix is emptied and used anew, and they are small: none of these is kept.
//!
//! **How it lies on the disk**: one file of fixed slots, cut into sets. A set is a page of 16 index entries and, behind it, the
//! 16 slots of one chunk each. An object and a chunk's number choose the set; within it the entry least recently used makes room.
//! There are no temporary files, no folders to walk, no locks and no index in memory, so any number of processes read and write
//! the file at the same time, and what was there before a restart is there after it. That gives the properties:
//!
//! - *The bound holds at all times and across processes*, because no process ever writes behind it: the last slot ends before it.
//!   (Processes with different bounds in one folder: the largest counts. One that opens a longer file cuts it.)
//! - *Never a wrong answer*. An entry carries a 128-bit checksum over itself and its chunk: store, bucket and name of the object
//!   (their SHA-256), the chunk's number and size, the object's size and version. A torn write, a `kill -9`, two processes that
//!   write one slot, flipped bits, a truncated file, a chunk of another object or database: the checksum differs, and that is a
//!   miss. Nothing is synced, nothing has to be.
//! - *It stands aside*: a folder that cannot be made, written or found any more, a full disk, a reading error cost the requests
//!   that a store without cache would cost, and are counted.
//!
//! **What it asks of the store**: never more requests than a store without cache. What is missing of a read comes by one get, from
//! the first missing chunk to the last, widened to whole chunks. Reads of more than [`MAX_READ_BYTES`] pass by: they are copies,
//! and would throw out what is used.
//!
//! **Why not a library**: foyer (0.22), made for this, keeps its index in memory and its device to one process; cacache shares a folder
//! between processes and checks content, but never evicts; caches with one file a chunk know their size by walking, so
//! processes together overshoot. An embedded database (LMDB: shared, bounded) trusts its pages, and dies of flipped bits.

mod cache;
mod counters;
mod entry;
mod file;
mod flight;
mod identity;
mod options;
mod plan;
mod slots;
mod store;

pub use cache::DiskCache;
pub use counters::DiskCacheCounters;
pub use options::{
    DEFAULT_CHUNK_BYTES, DEFAULT_DISK_CACHE_BYTES, DiskCacheOptions, MAX_CHUNK_BYTES, MAX_DISK_CACHE_BYTES,
    MIN_CHUNK_BYTES, MIN_DISK_CACHE_BYTES,
};
pub use store::{CachedStore, MAX_READ_BYTES};
