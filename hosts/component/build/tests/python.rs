//! The blocking component in a host whose bindings know no asynchronous imports: Python's package `wasmtime`.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;
use std::process::Command;

use isledb_component_build::FULL_BLOCKING;
use isledb_test_servers::{NoServer, in_ci, tool};

#[test]
fn python_reads_the_buckets_of_the_original() {
    let python = match tool("wasmtime-python") {
        Ok(python) => python,
        Err(missing @ NoServer::Cannot(_)) if !in_ci() => return eprintln!("skipped: {missing}"),
        Err(missing) => panic!("{missing}"),
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut reading = Command::new(python);
    reading.arg(here.join("../python/test_fixtures.py"));
    reading.arg(FULL_BLOCKING.build_quickly().unwrap()).arg(here.join("../../../tests/fixtures/buckets"));
    let read = reading.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success(), "{said}{}", String::from_utf8_lossy(&read.stderr));
    assert_eq!(said, "44 buckets\n");
}
