//! Options, what is no component, and the cache of machine code.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isledb::TokioHost;
use isledb::host::MemoryStore;
use isledb_wasmtime::{Engine, EngineOptions, Error, Instance, Place};

/// A component of nothing at all.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn defaults_are_those_of_the_table() {
    let EngineOptions { pool, memory_bytes, deadline, busy, requests, aot_cache } = EngineOptions::default();
    assert_eq!((pool, memory_bytes, requests, aot_cache), (64, 128 << 20, 256, None));
    assert_eq!((deadline, busy), (Duration::from_secs(120), Duration::from_secs(10)));
    Engine::new(EngineOptions::default()).unwrap();
    Engine::new(EngineOptions { pool: 0, ..EngineOptions::default() }).unwrap();
}

#[test]
fn what_is_out_of_bounds_is_refused_by_name() {
    type Change = fn(&mut EngineOptions);
    let cases: [(&str, Change); 8] = [
        ("pool", |o| o.pool = 1_001),
        ("memory_bytes", |o| o.memory_bytes = (4 << 20) - 1),
        ("memory_bytes", |o| o.memory_bytes = (4096 << 20) + 1),
        ("deadline", |o| o.deadline = Duration::ZERO),
        ("busy", |o| o.busy = Duration::from_millis(9)),
        ("requests", |o| o.requests = 0),
        ("requests", |o| o.requests = 10_001),
        ("aot_cache", |o| o.aot_cache = Some("/dev/null/folder".into())),
    ];
    for (name, change) in cases {
        let mut options = EngineOptions::default();
        change(&mut options);
        let error = Engine::new(options).err().unwrap();
        assert!(matches!(&error, Error::InvalidArgument { what } if what.contains(name)), "{name}: {error}");
    }
}

#[test]
fn what_is_no_component_is_refused() {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let stranger = wat::parse_str(r#"(component (import "wasi:cli/exit@0.2.6" (func)))"#).unwrap();
    for bytes in [&b""[..], b"text", b"\0asm\x01\0\0\0", &EMPTY[..6], &stranger] {
        assert!(matches!(engine.load(bytes), Err(Error::Component { .. })), "{bytes:?}");
    }
    let error = engine.load_file("no/such/component.wasm").err().unwrap();
    assert!(error.to_string().contains("no/such/component.wasm"), "{error}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn cached(folder: &Path) -> Engine {
    Engine::new(EngineOptions { aot_cache: Some(folder.to_owned()), ..EngineOptions::default() }).unwrap()
}

/// Loads it, and starts it.
async fn runs(engine: &Engine) {
    let component = engine.load(EMPTY).unwrap();
    let store = Arc::new(MemoryStore::new(Arc::new(TokioHost::new())));
    Instance::start(&component, Place::new(store, "db")).await.unwrap();
}

#[tokio::test]
async fn machine_code_is_kept_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("aot");
    runs(&cached(&folder)).await;
    let [file] = &files(&folder)[..] else { panic!("{:?}", files(&folder)) };
    let written = std::fs::metadata(file).unwrap().modified().unwrap();
    runs(&cached(&folder)).await;
    assert_eq!(std::fs::metadata(file).unwrap().modified().unwrap(), written, "it was made anew");

    // Another memory limit is another engine: its code must not meet this one's.
    let options = EngineOptions { pool: 0, aot_cache: Some(folder.clone()), ..EngineOptions::default() };
    runs(&Engine::new(options).unwrap()).await;
    assert!(files(&folder).contains(file));
}

#[tokio::test]
async fn a_damaged_file_is_not_used_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("aot");
    runs(&cached(&folder)).await;
    let file = files(&folder).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let mut headless = whole.clone();
    headless[0] ^= 1;
    // What another program put there, with a head that fits: wasmtime itself refuses it.
    let foreign = {
        use sha2::{Digest, Sha256};
        let body = b"no machine code of any wasmtime";
        [&whole[..16], &Sha256::digest(body)[..], body].concat()
    };
    for damaged in
        [flipped, headless, whole[..whole.len() - 1].to_vec(), whole[..20].to_vec(), Vec::new(), foreign]
    {
        std::fs::write(&file, &damaged).unwrap();
        runs(&cached(&folder)).await;
        assert_ne!(std::fs::read(&file).unwrap(), damaged, "it was left as it was");
        runs(&cached(&folder)).await;
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let options = EngineOptions { aot_cache: Some(folder.path().to_owned()), ..EngineOptions::default() };
    let error = Engine::new(options).err().unwrap();
    assert!(matches!(&error, Error::InvalidArgument { what } if what.contains("aot_cache")), "{error}");
}
