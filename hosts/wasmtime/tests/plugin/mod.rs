//! Plugins to test with: the SDK's examples, built as their authors would, and hostile ones written by hand.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock};

use isledb_plugin_build::{Source, build};
use isledb_wasmtime::plugin::{PluginEngine, PluginLimits};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn folder(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The component of an example of the SDK, built once a process.
pub(crate) fn example(name: &'static str) -> Vec<u8> {
    static BUILT: LazyLock<Mutex<HashMap<&'static str, Vec<u8>>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let make = || {
        let source = Source { quick: true, ..Source::example(folder("../plugin"), name) };
        build(&source).unwrap_or_else(|error| panic!("{error}")).component
    };
    built.entry(name).or_insert_with(make).clone()
}

/// An engine with the default limits.
pub(crate) fn engine() -> &'static PluginEngine {
    static ENGINE: OnceLock<PluginEngine> = OnceLock::new();
    ENGINE.get_or_init(|| PluginEngine::new(PluginLimits::default()).unwrap())
}

/// The same with less fuel, so that an endless loop ends soon.
pub(crate) fn impatient_engine() -> &'static PluginEngine {
    static ENGINE: OnceLock<PluginEngine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        PluginEngine::new(PluginLimits { fuel: 50_000_000, ..PluginLimits::default() }).unwrap()
    })
}

/// A core module as text, made a component of a world of `wit/plugin`.
pub(crate) fn component(world: &str, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder("../../wit/plugin")).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A compaction filter with this body of `filter`, whose parameters are `$now`, the address and the number of entries. Its
/// result is the address of a `result<list<decision>, string>`: a byte that is 0 for decisions and 1 for an error, and at 4
/// and 8 the address and length of either. A decision has 12 bytes: 0, 1 or 2 for keep, drop, replace, and at 4 and 8 the
/// address and length of the value. What is allocated is zero, which is "keep".
pub(crate) fn filter(body: &str) -> Vec<u8> {
    filter_with("", body)
}

/// The same with other fields of the module.
pub(crate) fn filter_with(fields: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (global $free (mut i32) (i32.const 4096))
          (func $allocate (param $size i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
            (global.set $free (i32.add (local.get $at) (local.get $size)))
            (block $fits
              (loop $more
                (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
                (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
                (br $more)))
            (local.get $at))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (call $allocate (local.get 3)))
          (func $answer (param $error i32) (param $at i32) (param $count i32) (result i32)
            (i32.store8 (i32.const 1024) (local.get $error))
            (i32.store (i32.const 1028) (local.get $at))
            (i32.store (i32.const 1032) (local.get $count))
            (i32.const 1024))
          {fields}
          (func (export "isledb:plugin/compaction@0.1.0#filter")
            (param $now i64) (param $entries i32) (param $count i32) (result i32)
            {body}))"#
    );
    component("compaction-filter", &text)
}
