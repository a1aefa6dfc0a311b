//! The manifest in a page of memory: for tests, and for databases that live as long as their process.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::storage::{CurrentRead, ManifestStorage};
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::host::Version;
use crate::maybe::BoxFuture;

#[derive(Default)]
struct Documents {
    writes: u64,
    current: Option<(Bytes, u64)>,
    log: BTreeMap<u64, Bytes>,
    /// With the number of the write that made each.
    snapshots: BTreeMap<String, (Bytes, u64)>,
}

/// A [`ManifestStorage`] in memory.
pub struct MemoryManifest {
    layout: Layout,
    documents: Mutex<Documents>,
}

impl MemoryManifest {
    /// An empty one; `layout` only names objects in errors.
    pub fn new(layout: Layout) -> MemoryManifest {
        MemoryManifest { layout, documents: Mutex::default() }
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        // A poisoned lock means a panic between two plain assignments; the maps themselves are whole.
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(n: u64) -> Version {
    Version::new(format!("m{n}"))
}

impl ManifestStorage for MemoryManifest {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Every write decides under one lock.
    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>> {
        Box::pin(async move {
            let object = self.layout.current();
            let found = self.documents().current.clone();
            let (bytes, n) = found.ok_or_else(|| Error::NotFound { object: object.clone() })?;
            if if_none_match == Some(version(n)) {
                return Err(Error::NotModified { object });
            }
            Ok(CurrentRead { bytes, version: version(n), last_modified_ms: None })
        })
    }

    fn write_current<'a>(&'a self, body: Bytes, expected: Option<Version>) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let mut documents = self.documents();
            if documents.current.as_ref().map(|(_, n)| version(*n)) != expected {
                return Err(Error::Precondition { object: self.layout.current() });
            }
            documents.writes += 1;
            let n = documents.writes;
            documents.current = Some((body, n));
            Ok(version(n))
        })
    }

    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move {
            let found = self.documents().log.get(&slot).cloned();
            found.ok_or_else(|| Error::NotFound { object: self.layout.log(slot) })
        })
    }

    fn write_log<'a>(&'a self, slot: u64, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut documents = self.documents();
            if documents.log.contains_key(&slot) {
                return Err(Error::Precondition { object: self.layout.log(slot) });
            }
            documents.log.insert(slot, body);
            Ok(())
        })
    }

    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>> {
        Box::pin(async move {
            let documents = self.documents();
            Ok(documents
                .log
                .range((Bound::Excluded(after), Bound::Unbounded))
                .map(|(slot, _)| *slot)
                .collect())
        })
    }

    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move {
            let found = self.documents().snapshots.get(id).map(|(body, _)| body.clone());
            found.ok_or_else(|| Error::NotFound { object: self.layout.snapshot(id) })
        })
    }

    fn write_snapshot<'a>(&'a self, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut documents = self.documents();
            documents.writes += 1;
            let n = documents.writes;
            documents.snapshots.insert(id.to_owned(), (body, n));
            Ok(())
        })
    }

    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let documents = self.documents();
            let current = documents.current.as_ref().map_or(0, |(_, n)| *n);
            let older = documents.snapshots.iter().filter(|(_, (_, n))| *n < current);
            Ok(older.map(|(id, _)| id.clone()).collect())
        })
    }

    fn delete_log<'a>(&'a self, slots: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut documents = self.documents();
            slots.iter().for_each(|slot| drop(documents.log.remove(slot)));
            Ok(())
        })
    }

    fn delete_snapshots<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut documents = self.documents();
            ids.iter().for_each(|id| drop(documents.snapshots.remove(id)));
            Ok(())
        })
    }
}
