//! Guests that want to do harm: each is stopped, what stopped it is named, and the engine goes on serving others.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

use std::sync::Arc;
use std::time::Duration;

use isledb::TokioHost;
use isledb::host::MemoryStore;
use isledb_wasmtime::{Engine, EngineOptions, Error, Instance, Place};

/// A component that does one thing when `run` is called; it has a page of memory, and what the host has to offer.
fn guest(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "isledb:storage/host@0.1.0" (instance $host
                (export "fill-random" (func (param "len" u32) (result (list u8))))
                (export "panicked" (func (param "message" string)))))
            (core module $memory
                (memory (export "memory") 1)
                (data (i32.const 64) "its last words")
                (global $free (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
            (core instance $m (instantiate $memory))
            (core func $random (canon lower (func $host "fill-random")
                (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
            (core func $panicked (canon lower (func $host "panicked") (memory (core memory $m "memory"))))
            (core module $guest
                (import "m" "memory" (memory 1))
                (import "h" "random" (func $random (param i32 i32)))
                (import "h" "panicked" (func $panicked (param i32 i32)))
                (func (export "run") (result i32) {body}))
            (core instance $g (instantiate $guest
                (with "m" (instance $m))
                (with "h" (instance (export "random" (func $random)) (export "panicked" (func $panicked))))))
            (func (export "run") (result u32) (canon lift (core func $g "run"))))"#
    );
    wat::parse_str(text).unwrap()
}

const ENDLESS: &str = "(loop $again (br $again)) unreachable";
const GREEDY: &str =
    "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) i32.const 0";
const PANICS: &str = "(call $panicked (i32.const 64) (i32.const 14)) unreachable";
const TRAPS: &str = "unreachable";
const WANTS_RANDOM: &str = "(call $random (i32.const -1) (i32.const 0)) i32.const 0";
const OUT_OF_BOUNDS: &str = "(i32.load (i32.const -8))";
const DEEP: &str = "(call $deep) i32.const 0) (func $deep (call $deep) (call $deep)";
const HONEST: &str = "i32.const 42";

fn engine() -> Engine {
    let options = EngineOptions {
        pool: 8,
        memory_bytes: 4 << 20,
        busy: Duration::from_millis(200),
        deadline: Duration::from_secs(60),
        ..EngineOptions::default()
    };
    Engine::new(options).unwrap()
}

async fn run(engine: &Engine, body: &str) -> (Instance, Result<u32, Error>) {
    let component = engine.load(&guest(body)).unwrap();
    let store = Arc::new(MemoryStore::new(Arc::new(TokioHost::new())));
    let instance = Instance::start(&component, Place::new(store, "db")).await.unwrap();
    let result = instance.call::<(), (u32,)>(None, "run", ()).await;
    (instance, result.map(|(answer,)| answer))
}

/// It is stopped as `expected` says, later calls say the same, and another guest is served meanwhile and afterwards.
async fn is_stopped(body: &str, expected: impl Fn(&Error) -> bool) {
    let engine = engine();
    let (hostile, honest) = futures::future::join(run(&engine, body), run(&engine, HONEST)).await;
    let (instance, result) = hostile;
    let error = result.unwrap_err();
    assert!(expected(&error), "{error:?}");
    assert!(error.ends_guest());
    assert_eq!(instance.call::<(), (u32,)>(None, "run", ()).await, Err(error.clone()), "it stays ended");
    assert_eq!(instance.ended(), Some(error));
    assert_eq!(honest.1, Ok(42), "beside it");
    // More than the pool has room for at once: what is ended gave its place back.
    for _ in 0..10 {
        assert_eq!(run(&engine, HONEST).await.1, Ok(42), "behind it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_is_stopped() {
    is_stopped(ENDLESS, |error| *error == Error::Busy { limit_ms: 200 }).await;
}

/// On one thread, so that the loop and all others share it.
#[tokio::test]
async fn an_endless_loop_lets_others_go_on() {
    is_stopped(ENDLESS, |error| *error == Error::Busy { limit_ms: 200 }).await;
}

#[tokio::test]
async fn memory_is_bounded() {
    is_stopped(
        GREEDY,
        |error| matches!(error, Error::Memory { limit: 4_194_304, asked } if *asked > 4 << 20),
    )
    .await;
}

#[tokio::test]
async fn a_panic_is_told_with_its_words() {
    is_stopped(PANICS, |error| *error == Error::Panicked { message: "its last words".to_owned() }).await;
}

#[tokio::test]
async fn traps_are_named() {
    is_stopped(TRAPS, |error| matches!(error, Error::Trapped { message } if message.contains("unreachable")))
        .await;
    is_stopped(
        OUT_OF_BOUNDS,
        |error| matches!(error, Error::Trapped { message } if message.contains("bounds")),
    )
    .await;
    is_stopped(DEEP, |error| matches!(error, Error::Trapped { message } if message.contains("stack"))).await;
}

/// Four GiB of random bytes would be the host's memory.
#[tokio::test]
async fn what_the_host_makes_for_it_is_bounded() {
    let bounded =
        |error: &Error| matches!(error, Error::Trapped { message } if message.contains("random bytes"));
    is_stopped(WANTS_RANDOM, bounded).await;
}

#[tokio::test]
async fn what_is_not_exported_is_named() {
    let engine = engine();
    let (instance, _) = run(&engine, HONEST).await;
    let error = instance.call::<(), (u32,)>(None, "walk", ()).await.unwrap_err();
    assert!(matches!(&error, Error::Component { message } if message.contains("walk")), "{error}");
    let error = instance.call::<(String,), (u32,)>(None, "run", (String::new(),)).await.unwrap_err();
    assert!(matches!(error, Error::Component { .. }), "another signature: {error}");
    assert_eq!(instance.call::<(), (u32,)>(None, "run", ()).await, Ok((42,)), "no harm is done by that");
}
