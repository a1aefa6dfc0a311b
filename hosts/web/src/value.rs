//! One value in pieces.

use isledb_core::read::ValueStream as CoreStream;
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::turn::Turn;

/// A value that is too large to be held whole.
#[wasm_bindgen]
pub struct ValueStream {
    stream: Turn<CoreStream>,
    size: u64,
    timeout_ms: u64,
}

impl ValueStream {
    pub(crate) fn new(stream: CoreStream, timeout_ms: u64) -> ValueStream {
        ValueStream { size: stream.len(), stream: Turn::new(stream), timeout_ms }
    }
}

#[wasm_bindgen]
impl ValueStream {
    /// Bytes of the whole value.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> f64 {
        self.size as f64
    }

    /// The next piece, of at most 1 MiB; `undefined` behind the last one.
    pub fn next(&self, cancel: Option<Promise>) -> Promise {
        let taken = self.stream.take();
        promise(self.timeout_ms, cancel, async move {
            let mut taken = taken?;
            let piece = taken.inner.next().await;
            taken.put_back();
            Ok(piece?.map_or(JsValue::UNDEFINED, |piece| Uint8Array::from(&piece[..]).into()))
        })
    }
}
