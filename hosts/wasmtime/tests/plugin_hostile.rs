//! Plugins that are broken or mean harm: each gives an error that names it and says what it did, and nothing else happens.

#![allow(clippy::unwrap_used, reason = "a test")]

mod plugin;

use std::time::{Duration, Instant};

use isledb::Error;
use isledb::maintain::{CompactionFilter, FilterEntry, FilterValue, Verdict};
use isledb_wasmtime::plugin::{
    CompactionFilterPlugin, Fault, KeyFormatterPlugin, LsnPlugin, PluginEngine, PluginKind, PluginLimits,
};

use plugin::{component, example, filter, filter_with, impatient_engine};

const KEEP_ALL: &str = "(call $answer (i32.const 0) (call $allocate (i32.mul (local.get $count) (i32.const 12))) (local.get $count))";

fn entry(key: &[u8]) -> FilterEntry<'_> {
    FilterEntry { key, value: FilterValue::Inline(b"value"), sequence: 7, expires_at_ms: Some(9) }
}

/// What a filter with this body says of three entries.
fn judged(bytes: &[u8]) -> Result<Vec<Verdict>, String> {
    let plugin = CompactionFilterPlugin::new(impatient_engine(), "bad.wasm", bytes).unwrap();
    let batch = [entry(b"a"), entry(b"b"), entry(b"c")];
    let judged = plugin.filter(1, &batch);
    // It did not harm the next call, which fails, or works, as the first.
    assert_eq!(plugin.filter(1, &batch), judged);
    judged.map_err(|error| match error {
        Error::InvalidArgument { what } => what,
        other => panic!("{other}"),
    })
}

#[track_caller]
fn refused(bytes: &[u8]) -> Fault {
    let Err(error) = CompactionFilterPlugin::new(impatient_engine(), "bad.wasm", bytes) else {
        panic!("it was taken")
    };
    assert!(error.plugin.starts_with("bad.wasm (sha256 "), "{error}");
    assert!(error.to_string().starts_with(&format!("plugin {}: it ", error.plugin)), "{error}");
    error.fault
}

#[test]
fn the_hand_written_filter_works_where_it_does_nothing_wrong() {
    assert_eq!(judged(&filter(KEEP_ALL)), Ok(vec![Verdict::Keep; 3]));
    let drops = "(local $at i32)
        (local.set $at (call $allocate (i32.const 36)))
        (i32.store8 offset=12 (local.get $at) (i32.const 1))
        (call $answer (i32.const 0) (local.get $at) (i32.const 3))";
    assert_eq!(judged(&filter(drops)), Ok(vec![Verdict::Keep, Verdict::Drop, Verdict::Keep]));
}

#[test]
fn an_endless_loop_runs_out_of_fuel_soon() {
    let started = Instant::now();
    let said = judged(&filter("(loop $on (br $on)) unreachable")).unwrap_err();
    assert_eq!(said, "it used up its 50000000 units of fuel in `filter`");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn an_allocation_bomb_stops_at_its_limit() {
    let said = judged(&filter("(loop $on (drop (call $allocate (i32.const 1048576))) (br $on)) unreachable"));
    let limit = 64 << 20;
    let expected =
        format!("it asked for {} bytes of memory in `filter`, at most {limit} are allowed", limit + 65536);
    assert_eq!(said.unwrap_err(), expected);
}

#[test]
fn a_panic_is_a_trap_and_so_are_deep_recursion_and_bad_addresses() {
    let said = judged(&filter("unreachable")).unwrap_err();
    assert_eq!(said, "it trapped in `filter`: wasm trap: wasm `unreachable` instruction executed");
    let deep = filter_with("(func $deep (call $deep) (call $deep))", "(call $deep) unreachable");
    let said = judged(&deep).unwrap_err();
    assert!(said.starts_with("it trapped in `filter`: wasm trap: call stack exhausted"), "{said}");
    let said = judged(&filter("(i32.load (i32.const -4))")).unwrap_err();
    assert!(said.starts_with("it trapped in `filter`: wasm trap: out of bounds memory access"), "{said}");
}

#[test]
fn more_or_fewer_answers_than_entries_are_refused() {
    for count in [0, 2, 4] {
        let body =
            format!("(call $answer (i32.const 0) (call $allocate (i32.const 48)) (i32.const {count}))");
        let said = judged(&filter(&body)).unwrap_err();
        assert_eq!(said, format!("`filter` gave {count} answers for 3 entries"));
    }
}

#[test]
fn answers_that_lie_outside_of_its_memory_are_refused() {
    for (at, count) in [(-65536, 3), (0, 100_000_000), (65_520, 3)] {
        let body = format!("(call $answer (i32.const 0) (i32.const {at}) (i32.const {count}))");
        let said = judged(&filter(&body)).unwrap_err();
        assert!(said.starts_with("the answer of `filter` cannot be read: "), "{said}");
    }
    let said = judged(&filter("(i32.const -8)")).unwrap_err();
    assert!(said.starts_with("the answer of `filter` cannot be read: "), "{said}");
    let fourth_case = "(i32.store8 (i32.const 2048) (i32.const 3))
        (call $answer (i32.const 0) (i32.const 2048) (i32.const 3))";
    let said = judged(&filter(fourth_case)).unwrap_err();
    assert!(said.starts_with("the answer of `filter` cannot be read: "), "{said}");
}

/// Three decisions that each name the same 30 MiB: 90 MiB of the host's memory.
#[test]
fn an_answer_that_grows_in_the_host_is_refused() {
    let body = "(local $at i32) (local $value i32) (local $i i32)
        (local.set $at (call $allocate (i32.const 36)))
        (local.set $value (call $allocate (i32.const 31457280)))
        (loop $each
          (i32.store8 (local.get $at) (i32.const 2))
          (i32.store offset=4 (local.get $at) (local.get $value))
          (i32.store offset=8 (local.get $at) (i32.const 31457280))
          (local.set $at (i32.add (local.get $at) (i32.const 12)))
          (br_if $each (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
        (call $answer (i32.const 0) (i32.sub (local.get $at) (i32.const 36)) (i32.const 3))";
    let said = judged(&filter(body)).unwrap_err();
    assert_eq!(said, format!("`filter` answered with more than the {} bytes that are allowed", 32 << 20));
}

#[test]
fn what_it_says_itself_cannot_steer_a_terminal() {
    let says = |text: &str, length: usize| {
        let data = format!("(data (i32.const 2048) \"{text}\")");
        let body = format!("(call $answer (i32.const 1) (i32.const 2048) (i32.const {length}))");
        judged(&filter_with(&data, &body)).unwrap_err()
    };
    assert_eq!(says(r"no \1b[2J way", 11), "`filter` failed: no \\u{1b}[2J way");
    let not_text = says(r"\ff\fe", 2);
    assert!(not_text.starts_with("the answer of `filter` cannot be read: "), "{not_text}");
    let long = says("x", 2000);
    assert!(long.len() < 6000 && long.ends_with("..."), "{long}");
}

#[test]
fn what_traps_while_it_starts_is_refused_when_it_is_loaded() {
    let loops = filter_with("(func $on (loop $on (br $on))) (start $on)", KEEP_ALL);
    assert_eq!(refused(&loops), Fault::OutOfFuel { function: None, fuel: 50_000_000 });
    let Fault::Trapped { function: None, message } =
        refused(&filter_with("(func $boom unreachable) (start $boom)", KEEP_ALL))
    else {
        panic!()
    };
    assert!(message.contains("unreachable"), "{message}");
    let large = component(
        "lsn-extractor",
        r#"(module
        (memory (export "memory") 2000)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "isledb:plugin/lsn@0.1.0#extract") (param i32 i32) (result i32) unreachable))"#,
    );
    let Err(error) = LsnPlugin::new(impatient_engine(), "large.wasm", &large) else { panic!() };
    let wanted = 2000 * 65536;
    assert_eq!(error.fault, Fault::OutOfMemory { function: None, wanted, limit: 64 << 20 });
}

#[test]
fn what_imports_something_is_refused_by_the_names_of_its_imports() {
    let text = r#"(component
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance))
        (import "isledb:plugin/types@0.1.0" (instance)))"#;
    let names =
        ["wasi:clocks/monotonic-clock@0.2.0", "isledb:plugin/types@0.1.0"].map(str::to_owned).to_vec();
    let fault = refused(&wat::parse_str(text).unwrap());
    assert_eq!(fault, Fault::Imports { names });
    assert!(fault.to_string().contains("monotonic-clock"), "{fault}");
}

#[test]
fn what_is_no_component_is_refused() {
    assert_eq!(refused(b""), Fault::NotAComponent { core_module: false });
    assert_eq!(refused(b"#!/bin/sh"), Fault::NotAComponent { core_module: false });
    assert_eq!(refused(&wat::parse_str("(module)").unwrap()), Fault::NotAComponent { core_module: true });
    let mut cut = filter(KEEP_ALL);
    cut.truncate(cut.len() / 2);
    assert!(matches!(refused(&cut), Fault::Invalid { .. }));
    let mut damaged = filter(KEEP_ALL);
    damaged[20..60].fill(0xff);
    assert!(matches!(refused(&damaged), Fault::Invalid { .. }));
}

#[test]
fn a_plugin_of_another_kind_version_or_type_is_refused() {
    let Err(error) = KeyFormatterPlugin::new(impatient_engine(), "filter.wasm", &filter(KEEP_ALL)) else {
        panic!()
    };
    let exports = vec!["isledb:plugin/compaction@0.1.0".to_owned()];
    assert_eq!(error.fault, Fault::WrongKind { wanted: PluginKind::KeyFormatter, exports });
    let of = |interface: &str, function: &str| {
        let text = format!(
            r#"(component
            (core module $m (func (export "f") (result i32) i32.const 1))
            (core instance $i (instantiate $m))
            (func $f (result u32) (canon lift (core func $i "f")))
            (instance $x (export "{function}" (func $f)))
            (export "{interface}" (instance $x)))"#
        );
        refused(&wat::parse_str(text).unwrap())
    };
    let later = of("isledb:plugin/compaction@0.2.0", "filter");
    assert_eq!(
        later.to_string(),
        "it is no compaction-filter (it does not export isledb:plugin/compaction@0.1.0, but \
         isledb:plugin/compaction@0.2.0)"
    );
    let kind = PluginKind::CompactionFilter;
    let Fault::WrongTypes { message, .. } = of(kind.interface(), "filter") else { panic!() };
    assert!(message.starts_with("`filter`: "), "{message}");
    assert_eq!(
        of(kind.interface(), "fitler"),
        Fault::WrongTypes { kind, message: "it has no function `filter`".to_owned() }
    );
    assert_eq!(
        refused(&wat::parse_str("(component)").unwrap()),
        Fault::WrongKind { wanted: kind, exports: Vec::new() }
    );
}

#[test]
fn a_file_that_is_missing_or_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.wasm");
    std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let load = |path: &std::path::Path| match CompactionFilterPlugin::load(impatient_engine(), path) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    };
    let error = load(&path);
    assert_eq!(error.fault, Fault::TooLarge { bytes: 100 << 20, limit: 8 << 20 });
    assert_eq!(error.plugin, path.display().to_string());
    assert!(matches!(load(&folder.path().join("none.wasm")).fault, Fault::Unreadable { .. }));
    assert!(matches!(load(folder.path()).fault, Fault::Unreadable { .. }));
}

#[test]
fn a_limit_out_of_its_bounds_is_refused_by_name() {
    let Err(error) = PluginEngine::new(PluginLimits { fuel: 0, ..PluginLimits::default() }) else { panic!() };
    assert!(error.to_string().contains("fuel of a plugin is 0"), "{error}");
}

/// What one call leaves in memory, the next does not see: the same batch is judged the same.
#[test]
fn nothing_is_carried_from_one_call_to_the_next() {
    let counts = "(i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
        (if (i32.gt_u (i32.load (i32.const 512)) (i32.const 1)) (then unreachable))";
    assert_eq!(judged(&filter(&format!("{counts} {KEEP_ALL}"))), Ok(vec![Verdict::Keep; 3]));
}

#[test]
fn many_threads_may_ask_at_once() {
    let plugin =
        CompactionFilterPlugin::new(impatient_engine(), "expire.wasm", &example("expire_by_prefix")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let batch = [entry(b"session/1/a"), entry(b"x")];
                    assert_eq!(plugin.filter(1 << 40, &batch).unwrap(), [Verdict::Drop, Verdict::Keep]);
                }
            });
        }
    });
}
