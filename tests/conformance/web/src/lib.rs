//! The lists of cases as WebAssembly, for every host that runs JavaScript: the same source as natively, over whatever store the
//! host has. On other targets it is empty.

#![cfg(target_family = "wasm")]

use std::sync::Arc;

use futures::channel::oneshot;
use isledb_conformance::{LISTS, Place, case_named};
use isledb_core::maybe::BoxFuture;
use isledb_web::{Bridge, JsHost, JsStore};
use js_sys::Promise;
use js_sys::futures::{future_to_promise, spawn_local};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A case fails by a panic, and a panic ends the module: the host is told before, since the promise never settles.
    #[wasm_bindgen(js_name = isledbCaseFailed)]
    fn failed(message: &str);
}

/// Sends every panic to the host.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| failed(&panic.to_string())));
}

/// The cases of all lists, as `list::case`; only those that need no more than gets and puts by name, where a place has no more.
#[wasm_bindgen]
pub fn cases(by_name_alone: bool) -> Vec<String> {
    let all = LISTS.iter().flat_map(|(list, cases)| cases.iter().map(move |case| (list, case)));
    let served = all.filter(|(_, case)| !by_name_alone || case.needs.is_empty());
    served.map(|(list, case)| format!("{list}::{}", case.name)).collect()
}

/// Runs one case at a prefix where nothing is.
#[wasm_bindgen]
pub fn run(name: String, bridge: Bridge, prefix: String) -> Promise {
    future_to_promise(async move {
        let case = case_named(&name);
        let case = case.ok_or_else(|| JsValue::from_str(&format!("there is no case {name}")))?;
        let place = Place {
            store: Arc::new(JsStore::new(bridge)),
            prefix,
            host: Arc::new(JsHost),
            spawn: Arc::new(spawn),
        };
        (case.run)(place).await;
        Ok(JsValue::UNDEFINED)
    })
}

fn spawn(future: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let (done, ended) = oneshot::channel();
    spawn_local(async move {
        future.await;
        // Whoever waited may be gone.
        let _ = done.send(());
    });
    Box::pin(async move {
        // It is dropped unsent only where the module is at its end.
        let _ = ended.await;
    })
}
