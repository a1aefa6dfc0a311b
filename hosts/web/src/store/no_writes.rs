//! A reader writes nothing: the requests that it never sends.

use bytes::Bytes;
use isledb_core::host::{ListPage, MultipartUpload, ObjectMeta, PutCondition, Version};
use isledb_core::{Error, Result};

use crate::js::Bridge;

fn refused<T>(key: &str) -> Result<T> {
    Err(Error::Unsupported { object: key.to_owned(), what: "writing: import isledb/full".to_owned() })
}

pub(super) async fn head(_bridge: &Bridge, key: &str) -> Result<ObjectMeta> {
    refused(key)
}

pub(super) async fn put(
    _bridge: &Bridge,
    key: &str,
    _body: Bytes,
    _condition: PutCondition,
) -> Result<Version> {
    refused(key)
}

pub(super) async fn put_multipart(_bridge: &Bridge, key: &str) -> Result<Box<dyn MultipartUpload>> {
    refused(key)
}

pub(super) async fn list(_bridge: &Bridge, prefix: &str, _start_after: Option<&str>) -> Result<ListPage> {
    refused(prefix)
}

pub(super) async fn delete(_bridge: &Bridge, keys: &[String]) -> Result<Vec<Result<()>>> {
    refused(keys.first().map_or("", String::as_str))
}
