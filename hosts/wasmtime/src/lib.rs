//! isledb in wasmtime: the engine as a component over any store, and plugins that cannot harm their host.
//!
//! [`Engine`] compiles a component of `hosts/component` (or takes it from a cache); [`Database`], [`Tail`], [`Writer`] and
//! [`run_maintenance`] run it over a store of the host, limited to one prefix. Whatever the component does, its host stays whole: memory,
//! processor time, requests in flight and the reach of its keys are bounded, and what it did wrong is an [`Error`] with a name.

#![deny(unsafe_code)]

mod aot;
mod bindings;
mod database;
mod engine;
mod error;
mod instance;
mod maintenance;
pub mod plugin;
mod store;
mod tail;
mod writer;

pub use bindings::isledb::storage::database::{
    Change, Entry, Failure, MaintenanceOptions, MaintenanceReport, OpenOptions, ScanOptions, Stats,
    TailOptions, TailStart, Write, WriterOptions,
};
pub use database::{Database, Scan};
pub use engine::{Component, Engine, EngineOptions};
pub use error::{Error, Result};
pub use instance::{Instance, Place};
pub use maintenance::run_maintenance;
pub use tail::Tail;
pub use writer::Writer;
