//! The lists of cases inside a component, which wasmtime runs over stores of the native host: one guest a case.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

#[path = "../../../tests/everywhere/harness/mod.rs"]
mod harness;

use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

use isledb_component_build::Guest;
use isledb_wasmtime::{Component, Engine, EngineOptions, Instance, Place};

use harness::Host;

/// Built, and compiled to machine code, once for all cases. The machine code outlives the run, in cargo's target folder.
static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
    let guest = Guest {
        package: "isledb-conformance-component",
        example: None,
        features: &[],
        profile: "cases",
        name: "cases",
    };
    let path = guest.build().unwrap_or_else(|error| panic!("{error}"));
    let options = EngineOptions {
        aot_cache: Some(path.with_file_name("aot")),
        // Machines that test compute many things at once.
        busy: Duration::from_secs(60),
        ..EngineOptions::default()
    };
    Engine::new(options).and_then(|engine| engine.load_file(path)).unwrap()
});

fn main() -> ExitCode {
    harness::run(&Host {
        name: "wasmtime",
        stores: &["memory", "file", "versitygw"],
        run: |name, _, place| {
            Box::pin(async move {
                // A list of everything that begins with the prefix of the case reaches beyond the folder of that name.
                let (reach, _) = place.prefix.rsplit_once('/').unwrap();
                let reach = Place { store: place.store, prefix: reach.to_owned(), host: place.host };
                let guest = Instance::start(&COMPONENT, reach).await?;
                Ok(guest.call::<_, ()>(None, "run", (name, place.prefix)).await?)
            })
        },
    })
}
