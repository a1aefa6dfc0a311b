//! A scan, page by page.

use isledb_core::Result;
use isledb_core::read::{Entry, Scan as CoreScan, TryNext};
use js_sys::{Promise, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::call::promise;
use crate::record::Record;
use crate::turn::Turn;

/// A scan of one view.
#[wasm_bindgen]
pub struct Scan {
    scan: Turn<CoreScan>,
    timeout_ms: u64,
}

impl Scan {
    pub(crate) fn new(scan: CoreScan, timeout_ms: u64) -> Scan {
        Scan { scan: Turn::new(scan), timeout_ms }
    }
}

#[wasm_bindgen]
impl Scan {
    /// The next entries: what can be had without waiting, up to the one that brings them to `max_bytes`, and at least one. A
    /// page of no entries is the end.
    ///
    /// A page is `{ bytes, ends }`: keys and values one behind the other, and where each of them ends. One copy out of the
    /// engine's memory, however many entries.
    #[wasm_bindgen(js_name = nextPage)]
    pub fn next_page(&self, max_bytes: u32, keys_only: bool, cancel: Option<Promise>) -> Promise {
        let taken = self.scan.take();
        promise(self.timeout_ms, cancel, async move {
            let mut taken = taken?;
            let page = Page::fill(&mut taken.inner, max_bytes as usize, keys_only).await;
            taken.put_back();
            Ok(page?.into_js())
        })
    }
}

#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Page {
    async fn fill(scan: &mut CoreScan, max_bytes: usize, keys_only: bool) -> Result<Page> {
        let mut page = Page::default();
        while page.bytes.len() < max_bytes {
            let next = match scan.try_next() {
                // What is here goes out first; the error comes again.
                Err(_) if !page.ends.is_empty() => break,
                next => next?,
            };
            let entry = match next {
                TryNext::Entry(entry) => entry,
                TryNext::Wait if page.ends.is_empty() => match scan.next().await? {
                    Some(entry) => entry,
                    None => break,
                },
                TryNext::Wait | TryNext::End => break,
            };
            page.push(&entry, keys_only);
        }
        Ok(page)
    }

    fn push(&mut self, entry: &Entry, keys_only: bool) {
        self.bytes.extend_from_slice(&entry.key);
        self.ends.push(self.bytes.len() as u32);
        if !keys_only {
            self.bytes.extend_from_slice(&entry.value);
        }
        self.ends.push(self.bytes.len() as u32);
    }

    fn into_js(self) -> JsValue {
        Record::new()
            .value("bytes", Uint8Array::from(&self.bytes[..]))
            .value("ends", Uint32Array::from(&self.ends[..]))
            .into()
    }
}
