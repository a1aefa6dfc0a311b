//! Where maintenance keeps what it must remember between its runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::host::{PutCondition, Requests, Version};
use crate::maybe::{BoxFuture, MaybeSend, MaybeSync};

/// One of the documents of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkDocument {
    /// Tables that wait to be deleted: [`PendingMarks`](crate::format::gc::PendingMarks).
    Pending,
    /// How far the log was examined, and what was seen when: [`GcCheckpoint`](crate::format::gc::GcCheckpoint).
    Checkpoint,
}

impl MarkDocument {
    /// Both.
    pub const ALL: [MarkDocument; 2] = [MarkDocument::Pending, MarkDocument::Checkpoint];

    /// Its name under the database's prefix.
    pub fn object(self, layout: &Layout) -> String {
        match self {
            MarkDocument::Pending => layout.pending_marks(),
            MarkDocument::Checkpoint => layout.gc_checkpoint(),
        }
    }
}

/// A document as it was loaded: bytes and version belong together, from one answer.
#[derive(Debug, Clone)]
pub struct LoadedMarks {
    /// The document.
    pub bytes: Bytes,
    /// Its version, to be named in the next [`MarkStorage::store`].
    pub version: Version,
}

/// Storage for the marks of garbage collection. The documents are opaque here.
///
/// It must last as long as the database does: marks that are lost are made again from the log, or by a scan for what nothing
/// refers to, and the waits begin anew. Nothing wrong is ever deleted for want of it. Every maintenance owner of a database
/// must use the same one.
///
/// The list of blobs that are about to go (`manifest/gc/blobs.json`) is not kept here but always beside the blobs: every
/// writer must find it.
pub trait MarkStorage: MaybeSend + MaybeSync + 'static {
    /// What errors call the document: in an object store its key.
    fn name(&self, document: MarkDocument) -> String;

    /// Loads a document; `None` where there is none. One request, repeated within the implementation's deadline.
    fn load<'a>(&'a self, document: MarkDocument) -> BoxFuture<'a, Result<Option<LoadedMarks>>>;

    /// Replaces a document if it still has the version `expected`; `None` creates it if there is none. Decided atomically, and
    /// sent once.
    ///
    /// Errors: `Precondition`: load it again and decide; `Unavailable`, `Timeout`: the outcome is open.
    fn store<'a>(
        &'a self,
        document: MarkDocument,
        body: Bytes,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Version>>;
}

/// The marks as objects under `manifest/gc/`, where the original keeps them: in the database's own store, or in another one.
/// The store must decide conditional puts.
pub struct ObjectMarks {
    requests: Requests,
    layout: Layout,
}

impl ObjectMarks {
    /// The marks under `layout`'s prefix of the store behind `requests`.
    pub fn new(requests: Requests, layout: Layout) -> ObjectMarks {
        ObjectMarks { requests, layout }
    }
}

impl MarkStorage for ObjectMarks {
    fn name(&self, document: MarkDocument) -> String {
        document.object(&self.layout)
    }

    fn load<'a>(&'a self, document: MarkDocument) -> BoxFuture<'a, Result<Option<LoadedMarks>>> {
        Box::pin(async move {
            let object = self.name(document);
            match self.requests.get(&object).await {
                Ok(fetched) => {
                    let version = fetched.meta.version.ok_or_else(|| Error::Unsupported {
                        object,
                        what: "the store gives no version (ETag, generation) with an object".to_owned(),
                    })?;
                    Ok(Some(LoadedMarks { bytes: fetched.body, version }))
                }
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn store<'a>(
        &'a self,
        document: MarkDocument,
        body: Bytes,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let condition = expected.map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
            self.requests.put_once(&self.name(document), body, condition).await
        })
    }
}

/// The marks in memory: for tests, and for databases that live as long as their process. Clones share the documents.
#[derive(Clone)]
pub struct MemoryMarks {
    layout: Layout,
    documents: Arc<Mutex<Documents>>,
}

#[derive(Default)]
struct Documents {
    stores: u64,
    pending: Option<LoadedMarks>,
    checkpoint: Option<LoadedMarks>,
}

impl MemoryMarks {
    /// None yet; `layout` only names the documents in errors.
    pub fn new(layout: Layout) -> MemoryMarks {
        MemoryMarks { layout, documents: Arc::default() }
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        // A poisoned lock means a panic between two plain assignments; the documents themselves are whole.
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Documents {
    fn slot(&mut self, document: MarkDocument) -> &mut Option<LoadedMarks> {
        match document {
            MarkDocument::Pending => &mut self.pending,
            MarkDocument::Checkpoint => &mut self.checkpoint,
        }
    }
}

impl MarkStorage for MemoryMarks {
    fn name(&self, document: MarkDocument) -> String {
        document.object(&self.layout)
    }

    fn load<'a>(&'a self, document: MarkDocument) -> BoxFuture<'a, Result<Option<LoadedMarks>>> {
        Box::pin(async move { Ok(self.documents().slot(document).clone()) })
    }

    fn store<'a>(
        &'a self,
        document: MarkDocument,
        body: Bytes,
        expected: Option<Version>,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let mut documents = self.documents();
            documents.stores += 1;
            let version = Version::new(format!("m{}", documents.stores));
            let slot = documents.slot(document);
            if slot.as_ref().map(|loaded| &loaded.version) != expected.as_ref() {
                return Err(Error::Precondition { object: self.name(document) });
            }
            *slot = Some(LoadedMarks { bytes: body, version: version.clone() });
            Ok(version)
        })
    }
}
