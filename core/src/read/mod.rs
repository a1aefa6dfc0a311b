//! The reader side: from a view of the manifest to values.
//!
//! A [`Reader`] holds the latest [`View`], which all who came from one [`Coordinator`] `refresh` together; `tables` says which
//! tables of it a key or a range needs; `table` opens them and finds the place of a key; `fetch` brings their parts, from
//! the [`BlockCache`], from a load under way (`flight`), or from the store with neighbours coalesced; `trusted` reads tables
//! whole where signatures or checksums are checked. On top of that `get` finds the newest version of one key, and a [`Scan`]
//! merges the sorted sources (`cursor`, over the blocks that `walk` brings) of a range. Nothing here writes, lists, or asks
//! for more than named objects by range.

pub(crate) mod blob;
pub(crate) mod cache;
mod catch_up;
mod coalesce;
mod coordinator;
pub(crate) mod cursor;
pub(crate) mod fetch;
mod flight;
mod get;
pub(crate) mod merge;
mod pinned;
pub(crate) mod range;
mod reader;
mod refresh;
mod scan;
pub(crate) mod table;
pub(crate) mod tables;
mod tailing;
mod trusted;
mod version;
mod view;
mod walk;
mod why;

pub use cache::{BlockCache, CacheStats, DEFAULT_CACHE_BYTES};
pub use catch_up::{CatchUpError, CatchUpOptions, CatchUpResult};
pub use coordinator::Coordinator;
pub use reader::{ReadSource, Reader, ReaderOptions};
pub use scan::{Scan, ScanOptions, TryNext};
pub use tailing::{TailingReader, TailingReaderOptions};
pub use version::Entry;
pub use view::View;
pub use why::{Answer, FilterVerdict, Held, KeyPlace, KeyVersion, MAX_VERSIONS, Skip, Source, Why};
