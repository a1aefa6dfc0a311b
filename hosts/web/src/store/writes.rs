//! Requests that only writing and maintenance send.

use bytes::Bytes;
use isledb_core::host::{ListPage, MultipartUpload, ObjectMeta, PutCondition, Version};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;

use super::{Waiting, whole};
use crate::error;
use crate::js::{Bridge, Meta, Page};

fn meta_of(meta: &Meta) -> ObjectMeta {
    ObjectMeta {
        key: meta.key(),
        size: whole(meta.size()),
        version: meta.version().map(Version::new),
        last_modified_ms: meta.last_modified_ms().map(whole),
    }
}

pub(super) async fn head(bridge: &Bridge, key: &str) -> Result<ObjectMeta> {
    let answer = Waiting::new(bridge.head(key)).await.map_err(|thrown| error::from_js(key, thrown))?;
    Ok(meta_of(answer.unchecked_ref()))
}

pub(super) async fn put(bridge: &Bridge, key: &str, body: Bytes, condition: PutCondition) -> Result<Version> {
    let (kind, version) = match &condition {
        PutCondition::None => ("none", None),
        PutCondition::IfAbsent => ("if-absent", None),
        PutCondition::IfMatch(version) => ("if-match", Some(version.as_str())),
    };
    let call = bridge.put(key, &Uint8Array::from(&body[..]), kind, version);
    let answer = Waiting::new(call).await.map_err(|thrown| error::from_js(key, thrown))?;
    Ok(Version::new(answer.as_string().unwrap_or_default()))
}

pub(super) async fn list(bridge: &Bridge, prefix: &str, start_after: Option<&str>) -> Result<ListPage> {
    let call = bridge.list(prefix, start_after);
    let answer = Waiting::new(call).await.map_err(|thrown| error::from_js(prefix, thrown))?;
    let page: Page = answer.unchecked_into();
    Ok(ListPage { objects: page.objects().iter().map(meta_of).collect(), more: page.more() })
}

pub(super) async fn delete(bridge: &Bridge, keys: &[String]) -> Result<Vec<Result<()>>> {
    let first = keys.first().map_or("", String::as_str);
    let answer =
        Waiting::new(bridge.delete(keys.to_vec())).await.map_err(|thrown| error::from_js(first, thrown))?;
    let answers: Array = answer.unchecked_into();
    let answer_of = |(key, answer): (&String, wasm_bindgen::JsValue)| match answer.is_null() {
        true => Ok(()),
        false => Err(error::from_js(key, answer)),
    };
    Ok(keys.iter().zip(answers.iter()).map(answer_of).collect())
}

/// Parts are gathered and sent as one put: what is uploaded here is a table of some MiB.
pub(super) async fn put_multipart(bridge: &Bridge, key: &str) -> Result<Box<dyn MultipartUpload>> {
    let (bridge, key) =
        (bridge.unchecked_ref::<wasm_bindgen::JsValue>().clone().unchecked_into(), key.to_owned());
    Ok(Box::new(Gathering { bridge, key, body: Vec::new() }))
}

/// An upload whose parts wait.
struct Gathering {
    bridge: Bridge,
    key: String,
    body: Vec<u8>,
}

/// The largest object that is gathered, in bytes.
const MAX_GATHERED_BYTES: usize = 512 << 20;

impl MultipartUpload for Gathering {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        if self.body.len() + part.len() > MAX_GATHERED_BYTES {
            let what = format!(
                "an object of more than {MAX_GATHERED_BYTES} bytes, which this host sends as one request"
            );
            let object = self.key.clone();
            return Box::pin(async move { Err(Error::Unsupported { object, what }) });
        }
        self.body.extend_from_slice(&part);
        Box::pin(async { Ok(()) })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let Gathering { bridge, key, body } = *self;
            put(&bridge, &key, body.into(), PutCondition::None).await
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
