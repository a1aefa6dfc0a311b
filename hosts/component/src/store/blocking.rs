//! The store over imports that block.

use std::mem;

use bytes::{Bytes, BytesMut};
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

use super::{byte_range, deleted, error, get_options, get_result, list_page, meta, put_condition, queue};
use crate::imports::isledb::storage::object_store_blocking as imports;

/// The store of this component's host. Parts of immutable objects are read by the batch; everything else is served at once.
#[derive(Debug)]
pub struct WitStore;

impl ObjectStore for WitStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let (Some(range), None) = (options.range.clone(), &options.if_none_match) else {
                let got = imports::get(key, &get_options(&options));
                return got.map(get_result).map_err(|e| error(key, e));
            };
            let body = queue::read(key, byte_range(range.clone())).await.map_err(|e| error(key, e))?;
            // Only the bytes are known of it, and a reader of a part asks for no more.
            let meta = ObjectMeta {
                key: key.to_owned(),
                size: range.end,
                version: Some(Version::new("")),
                last_modified_ms: None,
            };
            Ok(GetResult { meta, range, body: Body::once(Bytes::from(body)) })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { imports::head(key).map(meta).map_err(|e| error(key, e)) })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let put = imports::put(key, &body, &put_condition(&condition));
            put.map(Version::new).map_err(|e| error(key, e))
        })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        let upload = Parts { key: key.to_owned(), body: BytesMut::new() };
        Box::pin(async move { Ok(Box::new(upload) as Box<dyn MultipartUpload>) })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(
            async move { imports::list(prefix, start_after).map(list_page).map_err(|e| error(prefix, e)) },
        )
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let first = keys.first().map_or("delete", String::as_str);
            deleted(keys, imports::delete(keys).map_err(|e| error(first, e))?)
        })
    }
}

/// An upload that is one put in the end.
struct Parts {
    key: String,
    body: BytesMut,
}

impl MultipartUpload for Parts {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        self.body.extend_from_slice(&part);
        Box::pin(async { Ok(()) })
    }

    fn complete(mut self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let body = mem::take(&mut self.body);
            let put = imports::put(&self.key, &body, &put_condition(&PutCondition::None));
            put.map(Version::new).map_err(|e| error(&self.key, e))
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok::<(), Error>(()) })
    }
}
