//! Numbers for what a state is made of: names, contents, requests.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use isledb_core::format::layout::Layout;
use isledb_core::host::Version;
use xxhash_rust::xxh64::xxh64;

use crate::desk::Request;

/// Where the database lies.
pub(crate) const PREFIX: &str = "db";

/// The value of every write that becomes a blob.
pub(crate) const BLOB: &[u8] = b"a large value";

/// What an object is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Current,
    Log(u64),
    Snapshot,
    Table,
    Blob,
    Other,
}

/// A name with what follows from it.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A content with its version, which is its hash: two equal contents have one version, as in stores whose ETag is one.
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) version: Version,
}

/// Values by number.
struct Table<T> {
    values: Vec<T>,
    numbers: HashMap<u64, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T> Table<T> {
    fn number(&mut self, hash: u64, value: impl FnOnce() -> T) -> u32 {
        *self.numbers.entry(hash).or_insert_with(|| {
            self.values.push(value());
            self.values.len() as u32 - 1
        })
    }
}

/// All names, contents and requests that were seen. Number 0 of the contents is "none".
pub(crate) struct Names {
    pub(crate) layout: Layout,
    keys: Table<Key>,
    contents: Table<Content>,
    requests: Table<Arc<Request>>,
}

impl Names {
    pub(crate) fn new(layout: Layout) -> Names {
        let mut names =
            Names { layout, keys: Table::default(), contents: Table::default(), requests: Table::default() };
        names.content(&Bytes::new());
        names
    }

    pub(crate) fn key(&mut self, name: &str) -> u32 {
        let layout = &self.layout;
        self.keys.number(xxh64(name.as_bytes(), 1), || {
            let kind = if name == layout.current() {
                Kind::Current
            } else if let Some(slot) = layout.slot_of(name) {
                Kind::Log(slot)
            } else if name.starts_with(&layout.snapshot_prefix()) {
                Kind::Snapshot
            } else if layout.sst_id_of(name).is_some() {
                Kind::Table
            } else if layout.blob_id_of(name).is_some() {
                Kind::Blob
            } else {
                Kind::Other
            };
            Key { name: name.to_owned(), kind }
        })
    }

    pub(crate) fn content(&mut self, bytes: &Bytes) -> u32 {
        let hash = xxh64(bytes, 2);
        let version = || Version::new(format!("{hash:016x}"));
        self.contents.number(hash, || Content { bytes: bytes.clone(), version: version() })
    }

    pub(crate) fn request(&mut self, request: &Request) -> u32 {
        struct Fields(Vec<u8>);
        impl Hasher for Fields {
            fn finish(&self) -> u64 {
                xxh64(&self.0, 3)
            }
            fn write(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
        }
        let mut fields = Fields(Vec::new());
        request.hash(&mut fields);
        self.requests.number(fields.finish(), || Arc::new(request.clone()))
    }

    pub(crate) fn key_of(&self, number: u32) -> &Key {
        &self.keys.values[number as usize]
    }

    pub(crate) fn content_of(&self, number: u32) -> &Content {
        &self.contents.values[number as usize]
    }

    pub(crate) fn request_of(&self, number: u32) -> &Arc<Request> {
        &self.requests.values[number as usize]
    }
}
