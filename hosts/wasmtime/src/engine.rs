//! The engine that compiles and runs components.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component as Compiled, InstancePre, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::aot::AotCache;
use crate::bindings::exports::isledb::storage::{maintain, read, tail, write};
use crate::error::{Error, Result};
use crate::instance::State;
use crate::store::add_to_linker;

/// How often running guests are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(10);

const MIB: u64 = 1 << 20;

/// What guests may use. Invalid values are refused by [`Engine::new`], by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Guests that live at once; their memory is set aside beforehand (addresses, not pages), so that a new one takes
    /// microseconds. 0: no pool, each guest gets its memory from the system. Default 64; at most 1,000.
    pub pool: u32,
    /// Memory of one guest in bytes. Default 128 MiB; 4 MiB to 4 GiB.
    pub memory_bytes: u64,
    /// How long a call may take; what waits for changes ([`Tail::next_batch`](crate::Tail::next_batch)) excepted. Default 2 min;
    /// 1 ms to a day.
    pub deadline: Duration,
    /// How long a guest may compute without asking its host for anything. Default 10 s; 10 ms to an hour.
    pub busy: Duration,
    /// Requests of one guest that are with the store at once; more wait. Default 256; 1 to 10,000.
    pub requests: u32,
    /// A folder for machine code, so that a component is compiled once a machine and not once a process. Nobody else may
    /// write there. Default: none.
    pub aot_cache: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            pool: 64,
            memory_bytes: 128 * MIB,
            deadline: Duration::from_secs(120),
            busy: Duration::from_secs(10),
            requests: 256,
            aot_cache: None,
        }
    }
}

impl EngineOptions {
    fn validate(&self) -> Result<()> {
        within("pool", self.pool.into(), 0, 1_000)?;
        within("memory_bytes", self.memory_bytes, 4 * MIB, 4096 * MIB)?;
        within("deadline (ms)", millis(self.deadline), 1, 86_400_000)?;
        within("busy (ms)", millis(self.busy), 10, 3_600_000)?;
        within("requests", self.requests.into(), 1, 10_000)
    }
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::InvalidArgument { what: format!("{name} is {value}, allowed are {least} to {most}") })
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Compiles components and runs them within limits. Clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<AotCache>,
    options: EngineOptions,
}

impl Engine {
    /// An engine. It has a thread that looks at running guests, which ends with it.
    ///
    /// Errors: `InvalidArgument` for an option out of its bounds, and for a cache folder that others may write.
    pub fn new(options: EngineOptions) -> Result<Engine> {
        options.validate()?;
        let cache = options.aot_cache.as_deref().map(AotCache::open).transpose()?;
        let engine = wasmtime::Engine::new(&config(&options)).map_err(|error| Error::component(&error))?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(|error| Error::component(&error))?;
        tick(&engine)?;
        Ok(Engine(Arc::new(Shared { engine, linker, cache, options })))
    }

    /// Makes a component ready to run: compiles it, or takes it from the cache. Computes for some tenths of a second without
    /// a cache.
    ///
    /// Errors: `Component` for bytes that are none, and for one that imports anything but `isledb:storage`.
    pub fn load(&self, bytes: &[u8]) -> Result<Component> {
        let Shared { engine, linker, cache, .. } = &*self.0;
        let compiled = match cache {
            Some(cache) => cache.component(engine, bytes),
            None => Compiled::new(engine, bytes),
        };
        let compiled = compiled.map_err(|error| Error::component(&error))?;
        let instance = linker.instantiate_pre(&compiled).map_err(|error| Error::component(&error))?;
        let exports = Exports {
            read: read::GuestIndices::new(&instance).ok(),
            tail: tail::GuestIndices::new(&instance).ok(),
            write: write::GuestIndices::new(&instance).ok(),
            maintain: maintain::GuestIndices::new(&instance).ok(),
        };
        Ok(Component { engine: self.clone(), instance, exports: Arc::new(exports) })
    }

    /// As [`Engine::load`], from a file such as `isledb-component-build` makes.
    ///
    /// Errors: also `Component` where the file cannot be read.
    pub fn load_file(&self, path: impl AsRef<std::path::Path>) -> Result<Component> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|error| Error::Component { message: format!("{}: {error}", path.display()) })?;
        self.load(&bytes)
    }

    /// What this engine allows.
    pub fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }
}

/// A component that is ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    pub(crate) engine: Engine,
    pub(crate) instance: InstancePre<State>,
    pub(crate) exports: Arc<Exports>,
}

/// Where the interfaces of `wit/storage` are that a component exports.
pub(crate) struct Exports {
    pub(crate) read: Option<read::GuestIndices>,
    pub(crate) tail: Option<tail::GuestIndices>,
    pub(crate) write: Option<write::GuestIndices>,
    pub(crate) maintain: Option<maintain::GuestIndices>,
}

fn config(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    if options.pool > 0 {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(options.pool);
        pool.total_core_instances(options.pool * 4);
        pool.total_memories(options.pool);
        pool.total_tables(options.pool * 4);
        // A call that is under way has a stack of its own.
        pool.total_stacks(options.pool * 16);
        pool.max_memory_size(usize::try_from(options.memory_bytes).unwrap_or(usize::MAX));
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// Lets time pass for guests, for as long as the engine lives.
fn tick(engine: &wasmtime::Engine) -> Result<()> {
    let engine = engine.weak();
    let ticking = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    let thread = std::thread::Builder::new().name("isledb-wasmtime".to_owned()).spawn(ticking);
    thread.map(drop).map_err(|error| Error::InvalidArgument { what: format!("no thread to be had: {error}") })
}
