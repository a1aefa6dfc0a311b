//! Values that lie in objects of their own.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::layout::Layout;
use crate::host::{Event, Requests};

/// The value with this id, verified by its hash. Cost: one request; at most 256 MiB, checked before they are read.
///
/// Errors: `NotFound`; `Corrupt` where the object is not what its name says.
pub(crate) async fn fetch(requests: &Requests, layout: &Layout, id: &BlobId) -> Result<Bytes> {
    let begun = requests.begin();
    let value = fetch_verified(requests, layout, id).await;
    requests.ended(begun, |elapsed| Event::BlobFetch {
        result: value.as_ref().map(|value| value.len() as u64),
        elapsed,
    });
    value
}

async fn fetch_verified(requests: &Requests, layout: &Layout, id: &BlobId) -> Result<Bytes> {
    let name = layout.blob(id);
    let value = requests.get(&name).await?.body;
    verified(&name, id, value)
}

/// The content of the blob object `name`, if it is what its name says.
pub(crate) fn verified(name: &str, id: &BlobId, content: Bytes) -> Result<Bytes> {
    let found = BlobId::of(&content);
    if found == *id { Ok(content) } else { Err(mismatch(name, id, &found)) }
}

/// The error of a blob object whose content has another hash than its name says.
pub(crate) fn mismatch(name: &str, id: &BlobId, found: &BlobId) -> Error {
    Error::corrupt(name, None, format!("content with the SHA-256 {id}"), found.to_string())
}
