//! A plugin that is loaded: found to be what it should be, ready to be called.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
};
use wasmtime::{Store, Trap};

use super::engine::PluginEngine;
use super::error::{Fault, PluginError};
use super::kind::PluginKind;
use super::memory::Memory;

/// Both begin so; then a component says which layer it is.
const WASM: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
/// The text of the only error that says that the host's bound for one answer is passed.
const ANSWER_TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";

/// A function of a plugin's interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    pub(super) name: &'static str,
    index: ComponentExportIndex,
}

/// A plugin of a known kind. Every call runs in a new instance: what one call did to its memory, the next does not see, so
/// an answer follows from the arguments alone.
pub(super) struct Plugin {
    engine: PluginEngine,
    name: String,
    pre: InstancePre<Memory>,
    kind: PluginKind,
    interface: ComponentExportIndex,
}

impl Plugin {
    /// Reads a file, and compiles it. Its name in errors is the file's.
    pub(super) fn load(engine: &PluginEngine, kind: PluginKind, path: &Path) -> Result<Plugin, PluginError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match read(path, engine.limits.file_bytes) {
            Ok(bytes) => Plugin::compile(engine, kind, &name, &bytes),
            Err(fault) => Err(PluginError { plugin: path.display().to_string(), fault }),
        }
    }

    /// Compiles a component. No code of it has run when this returns, but what it does to start.
    pub(super) fn compile(
        engine: &PluginEngine,
        kind: PluginKind,
        name: &str,
        bytes: &[u8],
    ) -> Result<Plugin, PluginError> {
        let hash = Sha256::digest(bytes);
        let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{name} (sha256 {digits})");
        let plugin = pre_instantiate(engine, kind, bytes).map(|(pre, interface)| Plugin {
            engine: engine.clone(),
            name: name.clone(),
            pre,
            kind,
            interface,
        });
        let plugin = plugin.map_err(|fault| PluginError { plugin: name, fault })?;
        plugin.start().map_err(|fault| plugin.error(fault))?;
        Ok(plugin)
    }

    /// The file's name and the first digits of its hash.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn error(&self, fault: Fault) -> PluginError {
        PluginError { plugin: self.name.clone(), fault }
    }

    /// A function of its interface, with the types that the host has for it.
    pub(super) fn function<P, R>(&self, name: &'static str) -> Result<Function, PluginError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let wrong = |message| self.error(Fault::WrongTypes { kind: self.kind, message });
        let found = self.pre.component().get_export_index(Some(&self.interface), name);
        let index = found.ok_or_else(|| wrong(format!("it has no function `{name}`")))?;
        let (mut store, instance) = self.start().map_err(|fault| self.error(fault))?;
        let typed = instance.get_typed_func::<P, R>(&mut store, index);
        typed.map_err(|error| wrong(format!("`{name}`: {error:#}")))?;
        Ok(Function { name, index })
    }

    /// Calls a function with types that [`Plugin::function`] has checked.
    pub(super) fn call<P, R>(&self, function: Function, arguments: P) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let (mut store, instance) = self.start()?;
        let called = instance
            .get_typed_func::<P, R>(&mut store, function.index)
            .and_then(|typed| typed.call(&mut store, arguments));
        called.map_err(|error| self.fault(&error, store.data(), Some(function.name)))
    }

    /// A new instance, with nothing used up.
    fn start(&self) -> Result<(Store<Memory>, Instance), Fault> {
        let limits = &self.engine.limits;
        let mut store = Store::new(&self.engine.engine, Memory::new(limits.memory_bytes));
        store.limiter(|memory| memory);
        store.set_hostcall_fuel(usize::try_from(limits.answer_bytes).unwrap_or(usize::MAX));
        let started = store.set_fuel(limits.fuel).and_then(|()| self.pre.instantiate(&mut store));
        match started {
            Ok(instance) => Ok((store, instance)),
            Err(error) => Err(self.fault(&error, store.data(), None)),
        }
    }

    /// What a failed call comes to.
    fn fault(&self, error: &wasmtime::Error, memory: &Memory, function: Option<&'static str>) -> Fault {
        let limits = &self.engine.limits;
        if let Some(wanted) = memory.refused {
            return Fault::OutOfMemory { function, wanted, limit: limits.memory_bytes };
        }
        let message = error.root_cause().to_string();
        match (error.downcast_ref::<Trap>(), function) {
            (Some(Trap::OutOfFuel), _) => Fault::OutOfFuel { function, fuel: limits.fuel },
            (Some(_), _) | (None, None) => Fault::Trapped { function, message },
            (None, Some(function)) if message.contains(ANSWER_TOO_LARGE) => {
                Fault::AnswerTooLarge { function, limit: limits.answer_bytes }
            }
            (None, Some(function)) => Fault::BadAnswer { function, message },
        }
    }
}

/// One answer an entry, or the fault that there are not as many.
pub(super) fn one_each<T>(function: Function, entries: usize, answers: Vec<T>) -> Result<Vec<T>, Fault> {
    if answers.len() == entries {
        return Ok(answers);
    }
    Err(Fault::WrongCount { function: function.name, entries, answers: answers.len() })
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| Fault::Unreadable { message: error.to_string() };
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > limit {
        return Err(Fault::TooLarge { bytes, limit });
    }
    // It may grow meanwhile, or be a pipe.
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

/// Checks and compiles a component, and finds its interface. None of its code runs.
fn pre_instantiate(
    engine: &PluginEngine,
    kind: PluginKind,
    bytes: &[u8],
) -> Result<(InstancePre<Memory>, ComponentExportIndex), Fault> {
    let limit = engine.limits.file_bytes;
    if bytes.len() as u64 > limit {
        return Err(Fault::TooLarge { bytes: bytes.len() as u64, limit });
    }
    match bytes.strip_prefix(WASM) {
        Some(rest) if rest.starts_with(COMPONENT) => {}
        rest => return Err(Fault::NotAComponent { core_module: rest.is_some() }),
    }
    let invalid = |error: wasmtime::Error| Fault::Invalid { message: format!("{error:#}") };
    let component = Component::from_binary(&engine.engine, bytes).map_err(invalid)?;
    let its_type = component.component_type();
    let names: Vec<String> = its_type.imports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
    if !names.is_empty() {
        return Err(Fault::Imports { names });
    }
    let Some(interface) = component.get_export_index(None, kind.interface()) else {
        let exports = its_type.exports(&engine.engine).map(|(name, _)| name.to_owned()).collect();
        return Err(Fault::WrongKind { wanted: kind, exports });
    };
    // Nothing is ever added to it.
    let linker = Linker::new(&engine.engine);
    Ok((linker.instantiate_pre(&component).map_err(invalid)?, interface))
}
