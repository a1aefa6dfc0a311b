//! isledb in wasmtime: the engine as a component over any store, and plugins that cannot harm their host.

pub mod plugin;
