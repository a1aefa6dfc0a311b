//! The change feed.

use isledb_core::tail::{Change, ChangeOp, Tailer};
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::record::Record;
use crate::turn::Turn;

/// Bytes of keys and values at which a batch ends.
const MAX_BATCH_BYTES: u64 = 1 << 20;

/// Follows the feed.
#[wasm_bindgen]
pub struct Tail(Turn<Tailer>);

impl Tail {
    pub(crate) fn new(tailer: Tailer) -> Tail {
        Tail(Turn::new(tailer))
    }
}

#[wasm_bindgen]
impl Tail {
    /// The next changes, at least one: waits for it, however long. Whoever does not want to wait cancels it.
    #[wasm_bindgen(js_name = nextBatch)]
    pub fn next_batch(&self, max_entries: u32, cancel: Option<Promise>) -> Promise {
        let taken = self.0.take();
        promise(None, cancel, async move {
            let mut taken = taken?;
            let batch = taken.inner.next_batch(max_entries as usize, MAX_BATCH_BYTES).await;
            taken.put_back();
            Ok(batch?.iter().map(record).collect::<Array>().into())
        })
    }
}

fn record(change: &Change) -> JsValue {
    let record = Record::new()
        .text("cursor", &change.cursor.to_string())
        .bigint("sequence", change.sequence)
        .bytes("key", &change.key);
    match &change.op {
        ChangeOp::Put { value, expires_at_ms } => {
            record.text("op", "put").bytes("value", value).maybe_number("expiresAtMs", *expires_at_ms).into()
        }
        ChangeOp::Delete => record.text("op", "delete").into(),
    }
}
