//! isledb as a WebAssembly component: the engine behind `wit/storage`, which imports nothing else.
//!
//! `store` and `host` are the engine's two host traits over the imports; `exports` is the engine over the exported interfaces.
//! The same code makes four components, by two features: `full` adds writer and maintenance, and `blocking` takes the worlds
//! without asynchronous functions, where an executor of its own ([`store`]) sends what is ready to be read in one batch.
//!
//! Built by `cargo run -p isledb-component-build`. On other targets than WebAssembly this crate is empty but for what its
//! tests need: it has a meaning only as a component.

#[cfg(target_family = "wasm")]
mod bindings;
#[cfg(all(target_family = "wasm", feature = "exports"))]
mod exports;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(target_family = "wasm")]
mod store;

#[cfg(target_family = "wasm")]
pub use self::{bindings::imports, host::WitHost, store::WitStore};
