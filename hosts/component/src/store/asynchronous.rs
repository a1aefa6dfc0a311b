//! The store over asynchronous imports.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use isledb_core::Result;
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::{BoxFuture, BoxStream};
use wit_bindgen::{FutureReader, StreamReader, StreamResult};

use super::{byte_range, deleted, error, get_options, get_result, list_page, meta, put_condition};
use crate::imports::isledb::storage::object_store::{self as imports, MultipartUpload as Upload};
use crate::imports::isledb::storage::types;

/// Longer bodies, and those whose length is not known, come as streams: they never lie in the host and here at once.
const STREAM_FROM: u64 = 1 << 20;

/// Bytes that are taken from a stream at once.
const PIECE_BYTES: u64 = 256 << 10;

pub(crate) async fn sleep(duration: Duration) {
    match u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX) {
        0 => wit_bindgen::yield_async().await,
        ms => imports::sleep_ms(ms).await,
    }
}

/// The store of this component's host.
#[derive(Debug)]
pub struct WitStore;

impl ObjectStore for WitStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let asked = get_options(&options);
            if options.range.is_some_and(|range| range.end.saturating_sub(range.start) <= STREAM_FROM) {
                let got = imports::get(key.to_owned(), asked).await;
                return got.map(get_result).map_err(|e| error(key, e));
            }
            let got = imports::get_stream(key.to_owned(), asked).await;
            let (of, range, body, end) = got.map_err(|e| error(key, e))?;
            let range = range.start..range.end;
            let body = Body::stream(pieces(key, range.end.saturating_sub(range.start), body, end));
            Ok(GetResult { meta: meta(of), range, body })
        })
    }

    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            let asked = ranges.iter().cloned().map(byte_range).collect();
            let bodies = imports::get_ranges(key.to_owned(), asked).await.map_err(|e| error(key, e))?;
            Ok(bodies.into_iter().map(Bytes::from).collect())
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { imports::head(key.to_owned()).await.map(meta).map_err(|e| error(key, e)) })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let put = imports::put(key.to_owned(), body.into(), put_condition(&condition)).await;
            put.map(Version::new).map_err(|e| error(key, e))
        })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let upload = imports::put_multipart(key.to_owned()).await.map_err(|e| error(key, e))?;
            Ok(Box::new(WitUpload { key: key.into(), upload }) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let page = imports::list(prefix.to_owned(), start_after.map(str::to_owned)).await;
            page.map(list_page).map_err(|e| error(prefix, e))
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let first = keys.first().map_or("delete", String::as_str);
            deleted(keys, imports::delete(keys.to_vec()).await.map_err(|e| error(first, e))?)
        })
    }
}

struct WitUpload {
    key: Rc<str>,
    upload: Upload,
}

impl MultipartUpload for WitUpload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let (key, done) = (self.key.clone(), self.upload.put_part(&part));
        Box::pin(async move { done.await.map_err(|e| error(&key, e)) })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let WitUpload { key, upload } = *self;
            Upload::complete(upload).await.map(Version::new).map_err(|e| error(&key, e))
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let WitUpload { key, upload } = *self;
            Upload::abort(upload).await.map_err(|e| error(&key, e))
        })
    }
}

/// A body on its way.
struct Pieces {
    key: String,
    /// Bytes that are still expected.
    left: u64,
    body: StreamReader<u8>,
    end: FutureReader<Result<(), types::Error>>,
}

/// The pieces of a body of `length` bytes; how it ended comes last.
fn pieces(
    key: &str,
    length: u64,
    body: StreamReader<u8>,
    end: FutureReader<Result<(), types::Error>>,
) -> BoxStream<'static, Result<Bytes>> {
    let body = Pieces { key: key.to_owned(), left: length, body, end };
    Box::pin(stream::unfold(Some(body), |body| async move {
        let Pieces { key, left, mut body, end } = body?;
        loop {
            // One byte at least: behind the last one comes the end, or what should not be there.
            let room = left.clamp(1, PIECE_BYTES) as usize;
            let (result, bytes) = body.read(Vec::with_capacity(room)).await;
            if !bytes.is_empty() {
                let left = left.saturating_sub(bytes.len() as u64);
                return Some((Ok(Bytes::from(bytes)), Some(Pieces { key, left, body, end })));
            }
            if let StreamResult::Dropped | StreamResult::Cancelled = result {
                let ended = end.await.map_err(|e| error(&key, e));
                return ended.err().map(|error| (Err(error), None));
            }
        }
    }))
}
