//! The engine for JavaScript: what the TypeScript package in `js/` calls.
//!
//! Everything that has a better form in TypeScript lives there: sources, errors with advice, iterators, caches, the meter. This
//! crate is the thin rest. It sees JavaScript through two doors: [`js`] names the globals that it uses (there is no `window` in
//! a worker, and workerd has no scope object to ask) and the bridge that `js/src/bridge.ts` implements over any object store.
//!
//! No exported method is `async`, and none holds a borrow while it waits: each clones what it needs and returns a promise
//! ([`call`]), so calls may overlap and a handle may be freed at any time. u64 that count data are `bigint`.
//!
//! On other targets than WebAssembly it is empty.

#![cfg(target_family = "wasm")]
#![deny(unsafe_code)]
// The engine shares by `Arc` on every target; here there is one thread.
#![allow(clippy::arc_with_non_send_sync)]

mod call;
mod database;
mod error;
mod host;
mod js;
#[cfg(feature = "full")]
mod maintenance;
mod options;
mod reader;
mod record;
mod scan;
mod store;
mod tail;
pub mod ticket;
mod turn;
mod value;
mod view;
mod why;
#[cfg(feature = "full")]
mod writer;

// For the conformance cases, which bring a module of their own.
pub use host::JsHost;
pub use js::Bridge;
pub use store::JsStore;
