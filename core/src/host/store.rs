//! What object stores have in common, and no more.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};

use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::maybe::{BoxFuture, BoxStream, MaybeSend, MaybeSync};

/// An opaque version of an object, as the store gives it: an ETag (S3, Azure), a generation (GCS), a hash of the content
/// (folder, memory). Equal versions of one key mean equal content; nothing else may be read from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// Wraps the store's own text.
    pub fn new(text: impl Into<Arc<str>>) -> Version {
        Version(text.into())
    }

    /// The store's own text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a store knows of an object without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Full key in the store.
    pub key: String,
    /// Bytes of the whole object.
    pub size: u64,
    /// Version, where the call that made this brings one (a listing may not).
    pub version: Option<Version>,
    /// Last-Modified by the store's own clock, in Unix milliseconds. `None` where the store does not say.
    pub last_modified_ms: Option<u64>,
}

/// Which part of an object to get, and on what condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Half-open byte range; `None` is the whole object. Must lie within the object: a store answers
    /// [`Error::Corrupt`] when it gives fewer bytes. Never a suffix range: presigned URLs and some stores do not do them.
    pub range: Option<Range<u64>>,
    /// Answer [`Error::NotModified`] if the object still has this version.
    pub if_none_match: Option<Version>,
}

/// On what condition a put may happen. The store decides it atomically with the write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Always.
    None,
    /// Only if there is no object of that name.
    IfAbsent,
    /// Only if the object has this version; an absent object does not match.
    IfMatch(Version),
}

/// The answer to a get.
pub struct GetResult {
    /// Meta data of the whole object. `version` is always there.
    pub meta: ObjectMeta,
    /// The bytes that `body` carries, as a range of the object.
    pub range: Range<u64>,
    /// The body, in pieces of the store's own choice.
    pub body: Body,
}

impl std::fmt::Debug for GetResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GetResult")
            .field("meta", &self.meta)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// A body has room made for it at once up to this size: how long it is, is only what the store says.
const MAX_ROOM_BYTES: u64 = 8 << 20;

/// A body as a stream. A stream that ends early yields an error first, never a silent short body.
pub struct Body(BoxStream<'static, Result<Bytes>>);

impl Body {
    /// A body that is already here.
    pub fn once(bytes: Bytes) -> Body {
        Body(Box::pin(stream::once(async move { Ok(bytes) })))
    }

    /// A body that arrives in pieces.
    pub fn stream(stream: BoxStream<'static, Result<Bytes>>) -> Body {
        Body(stream)
    }

    /// The pieces.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.0
    }

    /// The whole body, in memory. `expected` bytes are expected: more is an error before they are kept, fewer too.
    /// A single piece is passed on without a copy.
    pub async fn collect(mut self, key: &str, expected: u64) -> Result<Bytes> {
        let mismatch = |found: u64| {
            Error::corrupt(key, None, format!("a body of {expected} bytes"), format!("{found} bytes"))
        };
        let Some(first) = self.0.next().await.transpose()? else {
            return if expected == 0 { Ok(Bytes::new()) } else { Err(mismatch(0)) };
        };
        if first.len() as u64 == expected {
            while let Some(more) = self.0.next().await.transpose()? {
                if !more.is_empty() {
                    return Err(mismatch(expected + more.len() as u64));
                }
            }
            return Ok(first);
        }
        // In one go, since a buffer that grows is there twice whenever it does.
        let mut all = BytesMut::with_capacity(expected.min(MAX_ROOM_BYTES) as usize);
        let mut piece = Some(first);
        while let Some(p) = piece {
            if all.len() as u64 + p.len() as u64 > expected {
                return Err(mismatch(all.len() as u64 + p.len() as u64));
            }
            all.extend_from_slice(&p);
            piece = self.0.next().await.transpose()?;
        }
        if all.len() as u64 != expected {
            return Err(mismatch(all.len() as u64));
        }
        Ok(all.freeze())
    }
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Objects in bytewise order of their keys.
    pub objects: Vec<ObjectMeta>,
    /// True when more may follow: list again with `start_after` = the last key of this page.
    pub more: bool,
}

/// An upload in parts. Nothing is visible under the name before [`MultipartUpload::complete`] succeeds.
pub trait MultipartUpload: MaybeSend {
    /// Takes the next part. Every part but the last has at least 5 MiB. The future may be polled together with those of
    /// other parts: parts are numbered in the order of these calls.
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>>;

    /// Makes the object of all parts, which must have been uploaded. Unconditional.
    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>>;

    /// Gives up what was uploaded. Best effort: stores drop abandoned uploads by their own rules.
    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}

/// A place for objects: what S3, GCS, Azure, a folder and a page of memory have in common.
///
/// Keys are full keys, UTF-8, `/`-separated, without a leading slash. Every method is one request (the default of
/// [`ObjectStore::get_ranges`] is one a range). Implementations do **not** retry: a hidden retry hides an outcome. The
/// engine retries by [`crate::Error`]'s rules, within one deadline.
///
/// Errors, for every method: `Permission`, `Unavailable` (any answer or silence that is neither a success nor one of the
/// named errors). A write that ends in `Unavailable` may have been applied, or may be applied later.
///
/// Requests are cancelled by dropping their future; a write that is dropped has an open outcome too.
pub trait ObjectStore: MaybeSend + MaybeSync + 'static {
    /// Reads an object or a part of it, after its latest completed write (strong consistency).
    ///
    /// Errors: `NotFound`; `NotModified` where `if_none_match` names the present version; `Corrupt` where the range
    /// reaches beyond the object.
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>>;

    /// Reads several ranges of one object, answered in the order asked. Default: concurrent gets. All come from
    /// immutable objects, so nobody relies on their being of one version.
    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            let read = async |range: &Range<u64>| {
                let options = GetOptions { range: Some(range.clone()), if_none_match: None };
                self.get(key, options).await?.body.collect(key, range.end - range.start).await
            };
            let reads = ranges.iter().map(read).collect();
            try_all(usize::MAX, reads).await
        })
    }

    /// Meta data without the body. Readers never call it.
    ///
    /// Errors: `NotFound`.
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>>;

    /// Writes a whole object; readers see the old one or the new one, never a part. Returns the new version.
    ///
    /// Errors: `Precondition` where the condition does not hold, and wherever the store names a conflict with another
    /// writer (S3 409 `ConditionalRequestConflict`, Azure 409 `BlobAlreadyExists`). `IfMatch` on an absent object is
    /// `Precondition` too (AWS answers 404).
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>>;

    /// Begins an upload in parts, for bodies larger than a few MiB.
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>>;

    /// One page of the objects whose key starts with `prefix` (a plain string prefix), after `start_after`, in bytewise
    /// order; at most 1,000 a page, fewer at the store's choice. Readers never call it.
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>>;

    /// Deletes objects; a missing one is a success. One answer a key, in order; the outer error says that nothing can be
    /// told of any of them. Never repeated by the implementation.
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>>;
}
