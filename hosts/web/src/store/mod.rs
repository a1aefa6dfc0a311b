//! The object store that the bridge stands for.

use bytes::Bytes;
use futures::{Future, stream};
use isledb_core::Result;
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use js_sys::futures::JsFuture;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use wasm_bindgen::{JsCast, JsValue};

use crate::error;
use crate::js::{Bridge, Call, Got};

#[cfg(feature = "full")]
mod writes;
#[cfg(not(feature = "full"))]
#[path = "no_writes.rs"]
mod writes;

/// An object store in JavaScript.
pub struct JsStore {
    bridge: Bridge,
}

impl JsStore {
    /// Over an object with the methods of `js/src/bridge.ts`.
    pub fn new(bridge: Bridge) -> JsStore {
        JsStore { bridge }
    }
}

/// Waits for a call; cancels it when dropped before its answer.
struct Waiting {
    call: Call,
    answer: JsFuture,
    answered: bool,
}

impl Waiting {
    fn new(call: Call) -> Waiting {
        Waiting { answer: JsFuture::from(call.answer()), call, answered: false }
    }
}

impl Future for Waiting {
    type Output = Result<JsValue, JsValue>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        self.answered = true;
        Poll::Ready(answer)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.answered {
            self.call.cancel();
        }
    }
}

/// A body that comes in pieces; closed when dropped before its end.
struct Pieces {
    got: Got,
    key: String,
    ended: bool,
}

impl Pieces {
    async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.ended {
            return None;
        }
        let piece = Waiting::new(self.got.next()).await;
        self.ended = !matches!(&piece, Ok(piece) if !piece.is_undefined());
        match piece {
            Ok(piece) if piece.is_undefined() => None,
            Ok(piece) => Some(Ok(js_sys::Uint8Array::from(piece).to_vec().into())),
            Err(thrown) => Some(Err(error::from_js(&self.key, thrown))),
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if !self.ended {
            self.got.close();
        }
    }
}

/// A number of JavaScript as a count of bytes or milliseconds; the cast saturates.
fn whole(number: f64) -> u64 {
    number as u64
}

impl ObjectStore for JsStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let (start, end) = options.range.map(|range| (range.start as f64, range.end as f64)).unzip();
            let call = self.bridge.get(key, start, end, options.if_none_match.as_ref().map(Version::as_str));
            let answer = Waiting::new(call).await.map_err(|thrown| error::from_js(key, thrown))?;
            let got: Got = answer.unchecked_into();
            let meta = ObjectMeta {
                key: key.to_owned(),
                size: whole(got.size()),
                version: Some(Version::new(got.version())),
                last_modified_ms: got.last_modified_ms().map(whole),
            };
            let range = whole(got.start())..whole(got.end());
            let body = match got.bytes() {
                Some(bytes) => Body::once(bytes.to_vec().into()),
                None => {
                    let pieces = Pieces { got, key: key.to_owned(), ended: false };
                    Body::stream(Box::pin(stream::unfold(pieces, |mut pieces| async move {
                        pieces.next().await.map(|piece| (piece, pieces))
                    })))
                }
            };
            Ok(GetResult { meta, range, body })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(writes::head(&self.bridge, key))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(writes::put(&self.bridge, key, body, condition))
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(writes::put_multipart(&self.bridge, key))
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(writes::list(&self.bridge, prefix, start_after))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(writes::delete(&self.bridge, keys))
    }
}
