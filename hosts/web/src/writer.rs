//! The writer.

use std::time::Duration;

use isledb_core::write::{WriteBatch, Writer as CoreWriter, WriterOptions as CoreOptions};
use isledb_core::{Error, Result};
use js_sys::{BigInt, Promise};
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::options::whole;

#[wasm_bindgen]
extern "C" {
    /// `js/src/writer.ts`: how to write.
    pub type WriterOptions;
    #[wasm_bindgen(method, getter)]
    fn owner(this: &WriterOptions) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    fn takeover(this: &WriterOptions) -> Option<bool>;
    #[wasm_bindgen(method, getter, js_name = memtableBytes)]
    fn memtable_bytes(this: &WriterOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = blobThresholdBytes)]
    fn blob_threshold_bytes(this: &WriterOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = flushIntervalMs)]
    fn flush_interval_ms(this: &WriterOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxViewAgeMs)]
    fn max_view_age_ms(this: &WriterOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = changeRetentionMs)]
    fn change_retention_ms(this: &WriterOptions) -> Option<f64>;

    /// One operation of a batch.
    pub type Operation;
    #[wasm_bindgen(method, getter)]
    fn key(this: &Operation) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn value(this: &Operation) -> Option<Vec<u8>>;
    #[wasm_bindgen(method, getter, js_name = ttlMs)]
    fn ttl_ms(this: &Operation) -> Option<f64>;
}

/// The default of `memtableBytes`: a quarter of the engine's own, since an edge worker has 128 MiB for everything.
const MEMTABLE_BYTES: u64 = 4 << 20;

impl WriterOptions {
    pub(crate) fn read(&self) -> Result<CoreOptions> {
        let default = CoreOptions::default();
        let duration = |name, number| Ok::<_, Error>(whole(name, number)?.map(Duration::from_millis));
        Ok(CoreOptions {
            owner: self.owner().unwrap_or(default.owner),
            takeover: self.takeover().unwrap_or(default.takeover),
            memtable_size: whole("memtableBytes", self.memtable_bytes())?.unwrap_or(MEMTABLE_BYTES),
            blob_threshold: whole("blobThresholdBytes", self.blob_threshold_bytes())?
                .unwrap_or(default.blob_threshold),
            flush_interval: duration("flushIntervalMs", self.flush_interval_ms())?
                .unwrap_or(default.flush_interval),
            max_view_age: duration("maxViewAgeMs", self.max_view_age_ms())?,
            change_retention: duration("changeRetentionMs", self.change_retention_ms())?,
            ..default
        })
    }
}

/// Writes, as the one owner of the writer role. Nothing runs by itself.
#[wasm_bindgen]
pub struct Writer(CoreWriter);

impl Writer {
    pub(crate) fn new(writer: CoreWriter) -> Writer {
        Writer(writer)
    }
}

#[wasm_bindgen]
impl Writer {
    /// Writes all operations or none. The sequence number of the last.
    pub fn write(&self, operations: Vec<Operation>) -> Promise {
        let (writer, batch) = (self.0.clone(), batch(&operations));
        promise(None, None, async move { Ok(BigInt::from(writer.write(batch?).await?).into()) })
    }

    /// Commits everything written so far. The sequence number up to which all is committed.
    pub fn flush(&self) -> Promise {
        let writer = self.0.clone();
        promise(None, None, async move { Ok(BigInt::from(writer.flush().await?).into()) })
    }

    /// Commits everything and ends the writer.
    pub fn close(&self) -> Promise {
        let writer = self.0.clone();
        promise(None, None, async move {
            writer.close().await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Commits by size and time until `cancel` settles or the writer ends.
    pub fn run(&self, cancel: Option<Promise>) -> Promise {
        let writer = self.0.clone();
        promise(None, cancel, async move {
            writer.run().await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Of the last write that was accepted.
    #[wasm_bindgen(getter, js_name = lastSequence)]
    pub fn last_sequence(&self) -> u64 {
        self.0.last_sequence()
    }

    /// Everything up to it is committed.
    #[wasm_bindgen(getter, js_name = committedSequence)]
    pub fn committed_sequence(&self) -> u64 {
        self.0.committed_sequence()
    }

    /// What would be lost now.
    #[wasm_bindgen(getter, js_name = uncommittedBytes)]
    pub fn uncommitted_bytes(&self) -> f64 {
        self.0.uncommitted_bytes() as f64
    }
}

fn batch(operations: &[Operation]) -> Result<WriteBatch> {
    let mut batch = WriteBatch::new();
    for operation in operations {
        match (operation.value(), whole("ttlMs", operation.ttl_ms())?) {
            (Some(value), Some(ttl_ms)) => {
                batch.put_with_ttl(&operation.key(), &value, Duration::from_millis(ttl_ms));
            }
            (Some(value), None) => {
                batch.put(&operation.key(), &value);
            }
            (None, _) => {
                batch.delete(&operation.key());
            }
        }
    }
    Ok(batch)
}
