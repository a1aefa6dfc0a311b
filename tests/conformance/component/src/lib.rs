//! The lists of cases as a WebAssembly component: the same source as natively, over the store of whoever runs the component.
//! On other targets it is empty.

#![cfg(target_family = "wasm")]

use std::sync::Arc;

use futures::channel::oneshot;
use isledb_component::{WitHost, WitStore};
use isledb_conformance::{Place, case_named};
use isledb_core::maybe::BoxFuture;

#[allow(clippy::all, missing_docs, unreachable_pub, rust_2018_idioms, reason = "generated from the world")]
mod world {
    wit_bindgen::generate!({ path: "wit", world: "cases" });
}

struct Cases;

world::export!(Cases with_types_in world);

impl world::Guest for Cases {
    async fn run(name: String, prefix: String) {
        let host = Arc::new(WitHost::new());
        let Some(case) = case_named(&name) else { panic!("there is no case {name}") };
        let place = Place { store: Arc::new(WitStore), prefix, host, spawn: Arc::new(spawn) };
        (case.run)(place).await;
    }
}

fn spawn(future: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
    let (done, ended) = oneshot::channel();
    wit_bindgen::spawn_local(async move {
        future.await;
        // Whoever waited may be gone.
        let _ = done.send(());
    });
    Box::pin(async move {
        // It is dropped unsent only where the component is at its end.
        let _ = ended.await;
    })
}
