//! The engine that all plugins of a process share.

use super::limits::PluginLimits;

/// Compiles plugins, and holds each call to the same limits.
///
/// It has no clock and no thread of its own. Cheap to clone.
#[derive(Clone)]
pub struct PluginEngine {
    pub(super) engine: wasmtime::Engine,
    pub(super) limits: PluginLimits,
}

impl PluginEngine {
    /// Errors: `InvalidArgument` for a limit out of its bounds; `Unsupported` where this machine cannot run WebAssembly.
    pub fn new(limits: PluginLimits) -> isledb::Result<PluginEngine> {
        limits.validate()?;
        let engine = wasmtime::Engine::new(&config()).map_err(|error| isledb::Error::Unsupported {
            object: "plugins".to_owned(),
            what: format!("wasmtime on this machine: {error:#}"),
        })?;
        Ok(PluginEngine { engine, limits })
    }

    /// What each call may use.
    pub fn limits(&self) -> &PluginLimits {
        &self.limits
    }
}

/// Whatever could make two runs of the same plugin differ is off or fixed.
fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    // Calls are plain and synchronous; without it each is 1.5 us cheaper.
    config.concurrency_support(false);
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config
}
