//! Garbage collection over whole databases in memory: what it deletes, and what it must not.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]
#![cfg(feature = "maintain")]

mod bench;
#[path = "../bucket/mod.rs"]
mod bucket;
mod fixtures;
#[path = "../host/mod.rs"]
mod host;
mod interrupted;
mod model;
mod runs;
