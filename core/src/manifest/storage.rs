//! Where the manifest lives: the seam between the commit protocol and its objects.
//!
//! Tables and blobs always lie in the database's object store; CURRENT, the log and the snapshots may lie elsewhere, as
//! long as that place decides "create if absent" and "replace if unchanged" atomically.

use bytes::Bytes;

use crate::error::Result;
use crate::format::layout::Layout;
use crate::host::Version;
use crate::maybe::{BoxFuture, MaybeSend, MaybeSync};

/// CURRENT as it was read: bytes and version belong together, from one answer.
#[derive(Debug, Clone)]
pub struct CurrentRead {
    /// The document.
    pub bytes: Bytes,
    /// Its version, to be named in the next [`ManifestStorage::write_current`].
    pub version: Version,
    /// Last-Modified by the store's clock, Unix milliseconds, where the store says.
    pub last_modified_ms: Option<u64>,
}

/// Storage for CURRENT, log entries and snapshots.
///
/// Reads are retried by the implementation within its deadline. The two conditional writes are sent **once**: what
/// their failure means is for the commit protocol to find out. `Unavailable` and `Timeout` of a write leave its outcome
/// open.
pub trait ManifestStorage: MaybeSend + MaybeSync + 'static {
    /// The layout in whose terms errors name objects.
    fn layout(&self) -> &Layout;

    /// Proves that this place decides the two conditional writes, and that a missing name is "not found". Asked once, before
    /// the first write to a prefix that holds no database of ours. In an object store: 6 requests in 4 rounds.
    ///
    /// Errors: `Unsupported`, naming what is ignored; `Permission`.
    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>>;

    /// Reads CURRENT: one request. Errors: `NotFound`; `NotModified` where it still has the version `if_none_match`.
    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>>;

    /// Replaces CURRENT if it still has the version `expected`; `None` creates it if there is none. One request.
    /// Errors: `Precondition`.
    fn write_current<'a>(&'a self, body: Bytes, expected: Option<Version>) -> BoxFuture<'a, Result<Version>>;

    /// Reads the log entry of a slot: one request. Errors: `NotFound`.
    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>>;

    /// Creates the log entry of a slot, if there is none: one request. Errors: `Precondition`.
    fn write_log<'a>(&'a self, slot: u64, body: Bytes) -> BoxFuture<'a, Result<()>>;

    /// The slots above `after` that have an entry, ascending; one page, empty behind the last one. Asked where CURRENT is
    /// absent, and by garbage collection.
    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>>;

    /// Reads a snapshot by its id: one request. Errors: `NotFound`.
    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>>;

    /// Writes a snapshot under a new id: one request, repeated at will since nobody else writes that name.
    fn write_snapshot<'a>(&'a self, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<()>>;

    /// The snapshots that were written before CURRENT got its present content: found *first*, then compared with a CURRENT
    /// read *after* that. A put of CURRENT that names one of them and has not happened by now never will, since it was to
    /// replace an older one. In an object store: one LIST a page, and one HEAD.
    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Deletes log entries; missing ones are a success. Repeated at will: a slot is never decided anew. One request for a
    /// thousand.
    fn delete_log<'a>(&'a self, slots: &'a [u64]) -> BoxFuture<'a, Result<()>>;

    /// Deletes snapshots by their ids; missing ones are a success. Repeated at will. One request for a thousand.
    fn delete_snapshots<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<()>>;
}
