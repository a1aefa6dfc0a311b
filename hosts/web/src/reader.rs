//! A reader, and what it shares with its scopes.

use bytes::Bytes;
use futures::Future;
use isledb_core::read::{Coordinator, Entry, Reader as CoreReader};
use isledb_core::{Db, Result};
use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::error;
use crate::options::{FollowOptions, RangeOptions};
use crate::record::Record;
use crate::scan::Scan;
use crate::tail::Tail;
use crate::value::ValueStream;
use crate::{view, why};

/// Reads a database; hands out scans and tails that share what one of them learns.
#[wasm_bindgen]
pub struct Reader {
    db: Db,
    coordinator: Coordinator,
    timeout_ms: u64,
}

impl Reader {
    pub(crate) fn new(db: Db, coordinator: Coordinator, timeout_ms: u64) -> Reader {
        Reader { db, coordinator, timeout_ms }
    }

    fn call<F>(&self, cancel: Option<Promise>, work: impl FnOnce(CoreReader) -> F + 'static) -> Promise
    where
        F: Future<Output = Result<JsValue>> + 'static,
    {
        let reader = self.coordinator.reader();
        promise(self.timeout_ms, cancel, async move { work(reader?).await })
    }
}

#[wasm_bindgen]
impl Reader {
    /// A reader of the same views and cache that waits for no promise of another scope.
    pub fn scoped(&self) -> Reader {
        Reader { db: self.db.clone(), coordinator: self.coordinator.scoped(), timeout_ms: self.timeout_ms }
    }

    /// From now on nothing new is read, here and in all scopes.
    pub fn close(&self) {
        self.coordinator.close();
    }

    /// The live value of `key`: a `Uint8Array`, or `undefined`.
    pub fn get(&self, key: Vec<u8>, cancel: Option<Promise>) -> Promise {
        self.call(cancel, move |reader| async move { Ok(value(reader.get(&key).await?)) })
    }

    /// The same with `sequence` and `expiresAtMs`.
    #[wasm_bindgen(js_name = getEntry)]
    pub fn get_entry(&self, key: Vec<u8>, cancel: Option<Promise>) -> Promise {
        self.call(cancel, move |reader| async move {
            Ok(reader.get_entry(&key).await?.map_or(JsValue::UNDEFINED, |found| entry(&found)))
        })
    }

    /// The live values of many keys, in their order.
    #[wasm_bindgen(js_name = getMany)]
    pub fn get_many(&self, keys: Vec<Uint8Array>, cancel: Option<Promise>) -> Promise {
        let keys: Vec<Bytes> = keys.iter().map(|key| key.to_vec().into()).collect();
        self.call(cancel, move |reader| async move {
            let values = reader.get_many(&keys).await?;
            Ok(values.into_iter().map(value).collect::<Array>().into())
        })
    }

    /// A [`ValueStream`], or `undefined`.
    #[wasm_bindgen(js_name = getStream)]
    pub fn get_stream(&self, key: Vec<u8>, cancel: Option<Promise>) -> Promise {
        let timeout_ms = self.timeout_ms;
        self.call(cancel, move |reader| async move {
            let stream = reader.get_stream(&key).await?;
            Ok(stream.map_or(JsValue::UNDEFINED, |stream| ValueStream::new(stream, timeout_ms).into()))
        })
    }

    /// A [`Scan`].
    pub fn scan(&self, range: RangeOptions, cancel: Option<Promise>) -> Promise {
        let (options, timeout_ms) = (range.scan(), self.timeout_ms);
        self.call(cancel, move |reader| async move {
            Ok(Scan::new(reader.scan(options?).await?, timeout_ms).into())
        })
    }

    /// A [`Tail`].
    pub fn tail(&self, options: FollowOptions, cancel: Option<Promise>) -> Promise {
        let (coordinator, options) = (self.coordinator.clone(), options.tail());
        promise(
            self.timeout_ms,
            cancel,
            async move { Ok(Tail::new(coordinator.tailer(options?).await?).into()) },
        )
    }

    /// Reads CURRENT again; whether it changed.
    pub fn refresh(&self, cancel: Option<Promise>) -> Promise {
        self.call(cancel, |reader| async move { Ok(reader.refresh().await?.into()) })
    }

    /// What the manifest says. No request.
    pub fn view(&self) -> Result<JsValue, JsValue> {
        let view = self.coordinator.current().map_err(|error| error::to_js(&error))?;
        Ok(view::record(&view, self.db.layout().prefix()))
    }

    /// What each table says of `key`.
    pub fn why(&self, key: Vec<u8>, cancel: Option<Promise>) -> Promise {
        self.call(cancel, move |reader| async move {
            let mut view = reader.view();
            if view.expires_in_ms() == 0 {
                view = view.renew().await?;
            }
            Ok(why::record(&view.why(&key).await?))
        })
    }

    /// What the cache of decoded blocks holds.
    #[wasm_bindgen(js_name = cacheStats)]
    pub fn cache_stats(&self) -> JsValue {
        let stats = self.db.cache().stats();
        Record::new()
            .number("hits", stats.hits)
            .number("misses", stats.misses)
            .number("evictions", stats.evictions)
            .number("entries", stats.entries)
            .number("bytes", stats.bytes)
            .number("capacityBytes", stats.capacity_bytes)
            .into()
    }
}

fn value(value: Option<Bytes>) -> JsValue {
    value.map_or(JsValue::UNDEFINED, |value| Uint8Array::from(&value[..]).into())
}

fn entry(entry: &Entry) -> JsValue {
    Record::new()
        .bytes("value", &entry.value)
        .bigint("sequence", entry.sequence)
        .maybe_number("expiresAtMs", entry.expires_at_ms)
        .into()
}
