//! A WebAssembly module and its JavaScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::{Entry, Outcome, run};

const TARGET: &str = "wasm32-unknown-unknown";

/// What is compiled.
pub(crate) struct Module {
    package: &'static str,
    features: &'static str,
    profile: &'static str,
}

/// The conformance cases, made quickly rather than small.
pub(crate) const CASES: Module = Module { package: "isledb-conformance-web", features: "", profile: "cases" };

impl Module {
    pub(crate) fn of(entry: &Entry) -> Module {
        Module { package: "isledb-web", features: entry.features, profile: "web" }
    }
}

/// Compiles a module and writes `isledb.wasm` and `glue.js` into `folder`.
pub(crate) fn build(module: &Module, folder: &Path) -> Outcome {
    let Module { package, features, profile } = module;
    run(Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["build", "--locked", "--lib", "--profile", profile, "--target", TARGET])
        .args(["--features", features, "--package", package]))?;
    let file = format!("{}.wasm", package.replace('-', "_"));
    let compiled = target_folder()?.join(TARGET).join(profile).join(file);
    let made = Bindgen::new()
        .input_path(&compiled)
        .out_name("isledb")
        .web(true)
        .map(|bindgen| {
            bindgen
                .typescript(false)
                // Who loads it says where it is; bundlers are not to find a second place.
                .omit_default_module_path(true)
                .remove_name_section(std::env::var_os("ISLEDB_WASM_NAMES").is_none())
                .remove_producers_section(true)
        })
        .and_then(Bindgen::generate_output);
    let mut made = made.map_err(|error| format!("{}: {error:?}", compiled.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    write("glue.js", made.js().as_bytes())?;
    write("isledb.wasm", &optimized(made.wasm_mut().emit_wasm())?)
}

/// Through `wasm-opt` where `ISLEDB_WASM_OPT` names one: a few per cent smaller.
fn optimized(module: Vec<u8>) -> Outcome<Vec<u8>> {
    let Some(tool) = std::env::var_os("ISLEDB_WASM_OPT") else { return Ok(module) };
    let path = target_folder()?.join("isledb-unoptimized.wasm");
    let optimized = path.with_file_name("isledb-optimized.wasm");
    fs::write(&path, module).map_err(|error| format!("{}: {error}", path.display()))?;
    run(Command::new(tool).arg("-O3").arg(&path).arg("-o").arg(&optimized))?;
    fs::read(&optimized).map_err(|error| format!("{}: {error}", optimized.display()))
}

fn target_folder() -> Outcome<PathBuf> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target"));
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}
