//! What is used of JavaScript.

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(done: &Function, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: &JsValue);
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    pub(crate) fn fill_random(bytes: &mut [u8]);
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub(crate) fn monotonic_ms() -> f64;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    pub(crate) fn unix_ms() -> f64;

    /// `js/src/bridge.ts`: an object store, metered.
    pub type Bridge;
    #[wasm_bindgen(method)]
    pub(crate) fn get(
        this: &Bridge,
        key: &str,
        start: Option<f64>,
        end: Option<f64>,
        known: Option<&str>,
    ) -> Call;

    #[cfg(feature = "full")]
    #[wasm_bindgen(method)]
    pub(crate) fn head(this: &Bridge, key: &str) -> Call;
    /// `kind`: `none`, `if-absent`, or `if-match` with a version.
    #[cfg(feature = "full")]
    #[wasm_bindgen(method)]
    pub(crate) fn put(this: &Bridge, key: &str, body: &Uint8Array, kind: &str, version: Option<&str>)
    -> Call;
    #[cfg(feature = "full")]
    #[wasm_bindgen(method)]
    pub(crate) fn list(this: &Bridge, prefix: &str, start_after: Option<&str>) -> Call;
    #[cfg(feature = "full")]
    #[wasm_bindgen(method)]
    pub(crate) fn delete(this: &Bridge, keys: Vec<String>) -> Call;

    /// What a store knows of an object.
    pub type Meta;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn key(this: &Meta) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn size(this: &Meta) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn version(this: &Meta) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = lastModifiedMs)]
    pub(crate) fn last_modified_ms(this: &Meta) -> Option<f64>;

    /// A page of a listing.
    pub type Page;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn objects(this: &Page) -> Vec<Meta>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn more(this: &Page) -> bool;

    /// A request under way. Its promise settles also after it was cancelled.
    pub type Call;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn answer(this: &Call) -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn cancel(this: &Call);

    /// What a get brought.
    pub type Got;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn size(this: &Got) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn version(this: &Got) -> String;
    #[wasm_bindgen(method, getter, js_name = lastModifiedMs)]
    pub(crate) fn last_modified_ms(this: &Got) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn start(this: &Got) -> f64;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn end(this: &Got) -> f64;
    /// The body, where it is here already.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn bytes(this: &Got) -> Option<Uint8Array>;
    /// The next piece of the body; `undefined` behind the last.
    #[wasm_bindgen(method)]
    pub(crate) fn next(this: &Got) -> Call;
    /// Nobody wants the rest of the body.
    #[wasm_bindgen(method)]
    pub(crate) fn close(this: &Got);

    /// What a request failed with.
    pub type Failure;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn code(this: &Failure) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn message(this: &Failure) -> String;
}
