//! `manifest/gc/blobs.json`: blobs that are about to go.

use bytes::Bytes;

use super::MAX_GC_DOCUMENT_BYTES;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::json::{self, object};
use crate::format::time::Timestamp;

/// The blobs that a writer must not rely on. Ours alone; the original knows no such document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoomedBlobs {
    /// 1.
    pub version: i64,
    /// By id, ascending, each once.
    pub blobs: Vec<DoomedBlob>,
}

/// A blob that nothing reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoomedBlob {
    /// The blob.
    pub id: BlobId,
    /// When it was named, in the store's time.
    pub named_at: Timestamp,
    /// When its one DELETE was decided, in the store's time; `None`: it may still be spared.
    pub condemned_at: Option<Timestamp>,
    /// Its bytes, where the listing that found it said.
    pub size: Option<u64>,
}

object!(DoomedBlobs { version: "version", blobs: "blobs" });

object!(DoomedBlob = DoomedBlob { id: BlobId([0; 32]), named_at: Timestamp::ZERO, condemned_at: None, size: None }; {
    id: "id" required,
    named_at: "named_at" required,
    condemned_at: "condemned_at" omit_empty,
    size: "size" omit_empty,
});

impl Default for DoomedBlobs {
    fn default() -> Self {
        DoomedBlobs { version: 1, blobs: Vec::new() }
    }
}

impl DoomedBlobs {
    /// Reads the document.
    ///
    /// Errors: `Corrupt`, also where the ids do not ascend, since a lookup would then miss one.
    pub fn decode(object: &str, bytes: &[u8]) -> Result<DoomedBlobs> {
        let doomed: DoomedBlobs =
            json::decode(object, "a list of doomed blobs", bytes, MAX_GC_DOCUMENT_BYTES)?;
        if doomed.version != 1 {
            return Err(Error::Unsupported {
                object: object.to_owned(),
                what: format!("version {} of the list of doomed blobs", doomed.version),
            });
        }
        if !doomed.blobs.is_sorted_by(|a, b| a.id < b.id) {
            return Err(Error::corrupt(object, None, "ascending blob ids", "others"));
        }
        Ok(doomed)
    }

    /// The stored form, with its checksum.
    pub fn encode(&self) -> Bytes {
        json::encode_sealed(self)
    }

    /// The blob's line, if it is named or condemned: a flush then must not rely on it.
    pub fn get(&self, id: &BlobId) -> Option<&DoomedBlob> {
        let at = self.blobs.binary_search_by(|blob| blob.id.cmp(id)).ok()?;
        self.blobs.get(at)
    }
}
