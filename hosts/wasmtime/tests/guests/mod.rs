//! What the tests have in common: an engine, components that are built once, places, and the fixture buckets.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod slow;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use isledb::TokioHost;
use isledb::host::{MemoryStore, ObjectStore, PutCondition};
use isledb_component_build::World;
use isledb_wasmtime::{Component, Engine, EngineOptions, OpenOptions, Place};

/// One engine for all tests of a binary; its machine code outlives them in cargo's target folder.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| engine(EngineOptions::default()));

/// An engine that compiles each component once for all runs.
pub(crate) fn engine(options: EngineOptions) -> Engine {
    let folder = component_file(isledb_component_build::READER).with_file_name("aot");
    Engine::new(EngineOptions { aot_cache: Some(folder), ..options }).unwrap()
}

/// The file of one of isledb's components.
pub(crate) fn component_file(world: World) -> PathBuf {
    world.build().unwrap_or_else(|error| panic!("{}: {error}", world.name))
}

/// One of isledb's components, on the common engine.
pub(crate) fn component(world: World) -> Component {
    ENGINE.load_file(component_file(world)).unwrap()
}

/// A store in memory.
pub(crate) fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(Arc::new(TokioHost::new())))
}

/// What every option's default stands for.
pub(crate) fn open_options() -> OpenOptions {
    OpenOptions {
        cache_bytes: None,
        refresh_after_ms: None,
        read_ahead_bytes: None,
        attempt_timeout_ms: None,
        retry_deadline_ms: None,
    }
}

pub(crate) fn place(store: Arc<dyn ObjectStore>, prefix: &str) -> Place {
    Place::new(store, prefix)
}

/// The folder of the buckets that the original wrote.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/buckets")
}

/// The names of those buckets.
pub(crate) fn fixture_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A folder as a store.
pub(crate) async fn load(folder: &Path) -> Arc<MemoryStore> {
    let store = memory();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Sidecars of the original's file store.
            if path.extension().is_some_and(|extension| extension == "attrs") {
                continue;
            }
            let key = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let body = Bytes::from(std::fs::read(&path).unwrap());
            store.put(&key, body, PutCondition::None).await.unwrap();
        }
    }
    store
}
