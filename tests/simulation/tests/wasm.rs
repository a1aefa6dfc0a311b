//! The same seeds on the engine compiled to WebAssembly: every history goes the same way, to the hash of its trace.
//!
//! Wants node; without it the test says so and ends well, unless CI is set. `ISLEDB_SIM_WASM_SEEDS=n` runs n seeds of each
//! scenario in place of 500 in CI, 25 elsewhere.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]
#![allow(clippy::print_stdout, reason = "what ran, or did not, is worth a line")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use isledb_simulation::scenario::{Options, Scenario};

/// Loads the module without any import, and prints a hash a line for the seeds of a scenario.
const RUN: &str = "
    const [path, scenario, seeds] = process.argv.slice(1);
    const { instance } = await WebAssembly.instantiate(require('fs').readFileSync(path), {});
    for (let seed = 0n; seed < BigInt(seeds); seed++)
        console.log(BigInt.asUintN(64, instance.exports.trace_hash(Number(scenario), seed)).toString(16));
";

fn seeds() -> u64 {
    match env::var("ISLEDB_SIM_WASM_SEEDS") {
        Ok(text) => text.parse().unwrap(),
        Err(_) if env::var_os("CI").is_some() => 500,
        Err(_) => 25,
    }
}

/// Builds the module; its path.
fn module() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "-p", "isledb-simulation-wasm"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--profile", "cases"]);
    assert!(cargo.current_dir(&root).status().unwrap().success(), "the module does not build");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("wasm32-unknown-unknown/cases/isledb_simulation_wasm.wasm")
}

fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success())
}

#[test]
fn histories_go_the_same_way_in_webassembly() {
    if !has_node() {
        assert!(env::var_os("CI").is_none(), "there is no node");
        println!("skipped: there is no node on this machine");
        return;
    }
    let (module, seeds) = (module(), seeds());
    thread::scope(|scope| {
        for (at, scenario) in Scenario::ALL.into_iter().enumerate() {
            let module = &module;
            scope.spawn(move || {
                let script = format!("(async () => {{{RUN}}})()");
                let mut node = Command::new("node");
                node.args(["-e", &script]).arg(module).args([at.to_string(), seeds.to_string()]);
                let out = node.output().unwrap();
                assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
                let there: Vec<String> =
                    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
                assert_eq!(there.len() as u64, seeds);
                let portable = Options { portable: true, ..Options::default() };
                for (seed, there) in (0..).zip(there) {
                    let here = scenario.run(seed, &portable).trace_hash;
                    assert_eq!(there, format!("{here:x}"), "{} seed {seed}", scenario.name());
                }
            });
        }
    });
}
