//! The reader side: from a view of the manifest to values.
//!
//! A [`Reader`] holds the latest [`View`], which all who came from one [`Coordinator`] `refresh` together; `tables` says which
//! tables of it a key or a range needs; `table` opens them and finds the place of a key; `fetch` brings their parts, from
//! the [`BlockCache`], from a load under way (`flight`), or from the store with neighbours coalesced; `gather` brings those
//! of many tables at once; `trusted` reads tables whole where signatures or checksums are checked. On top of that `get` finds
//! the newest version of one key and `probe` those of many, a [`Scan`] merges the sorted sources (`cursor`, over the blocks
//! that `walk` brings) of a range in either direction, with its blobs fetched ahead (`blob_queue`), `ahead` loads what reads
//! will need, and a [`ValueStream`] reads one value in pieces. Nothing here writes, lists, or asks for more than named
//! objects by range.

mod ahead;
pub(crate) mod blob;
mod blob_queue;
mod blob_refs;
pub(crate) mod cache;
mod catch_up;
mod coalesce;
mod coordinator;
pub(crate) mod cursor;
pub(crate) mod direction;
pub(crate) mod fetch;
mod flight;
mod gather;
mod get;
mod get_many;
pub(crate) mod merge;
mod pinned;
mod probe;
pub(crate) mod range;
mod reader;
mod refresh;
mod scan;
mod scan_options;
pub(crate) mod table;
pub(crate) mod tables;
mod tailing;
mod trusted;
mod value_stream;
mod version;
mod view;
mod walk;
mod why;

pub use ahead::{Prefetched, Warmed};
pub use cache::{BlockCache, CacheStats, DEFAULT_CACHE_BYTES};
pub use catch_up::{CatchUpError, CatchUpOptions, CatchUpResult};
pub use coordinator::Coordinator;
pub use reader::{DEFAULT_READ_AHEAD_BYTES, ReadSource, Reader, ReaderOptions};
pub use scan::{Scan, TryNext};
pub use scan_options::ScanOptions;
pub use tailing::{TailingReader, TailingReaderOptions};
pub use value_stream::{MAX_PIECE_BYTES, ValueStream};
pub use version::Entry;
pub use view::View;
pub use why::{Answer, FilterVerdict, Held, KeyPlace, KeyVersion, MAX_VERSIONS, Skip, Source, Why};
