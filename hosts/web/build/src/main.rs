//! Makes `hosts/web/js/dist`, the npm package: the engine as WebAssembly, the JavaScript that calls it, the compiled
//! TypeScript, and a check of the sizes.
//!
//! usage: isledb-web-build [--pack] [reader|verify|full]...   (all three where none is named)
//!        isledb-web-build --cases FOLDER                     the conformance cases, into FOLDER, and the TypeScript
//!
//! The JavaScript around a WebAssembly module fits that module alone, so both are made here in one go, by the version of
//! wasm-bindgen that the crate was built with.

mod package;
mod sizes;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What goes wrong ends the build with its words.
type Outcome<T = ()> = Result<T, String>;

/// One WebAssembly module of the package.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    name: &'static str,
    /// Features of `isledb-web`.
    features: &'static str,
    /// How much of it a browser may have to download, in bytes of brotli, JavaScript included.
    budget: u64,
}

/// What is wanted is 150 kB for the reader and 300 kB for everything. The engine has outgrown that: one copy of an async
/// function for each place that awaits it is what to take out next. Until then these hold the line where it is.
const ENTRIES: [Entry; 3] = [
    Entry { name: "reader", features: "", budget: 257_000 },
    Entry { name: "verify", features: "verify", budget: 268_000 },
    Entry { name: "full", features: "full,verify", budget: 397_000 },
];

fn main() -> ExitCode {
    match build(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("isledb-web-build: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build(arguments: impl Iterator<Item = String>) -> Outcome {
    let js = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js");
    let js: PathBuf = js.canonicalize().map_err(|error| format!("{}: {error}", js.display()))?;
    let mut arguments = arguments.peekable();
    if arguments.next_if(|argument| argument == "--cases").is_some() {
        let folder = arguments.next().ok_or("--cases needs a folder")?;
        package::compile(&js)?;
        return wasm::build(&wasm::CASES, Path::new(&folder));
    }
    let (mut pack, mut wanted) = (false, Vec::new());
    for argument in arguments {
        match ENTRIES.iter().find(|entry| entry.name == argument) {
            Some(entry) => wanted.push(*entry),
            None if argument == "--pack" => pack = true,
            None => {
                return Err(format!("no such argument: {argument}; usage: [--pack] [reader|verify|full]..."));
            }
        }
    }
    if wanted.is_empty() {
        wanted.extend(ENTRIES);
    }
    package::compile(&js)?;
    for entry in &wanted {
        wasm::build(&wasm::Module::of(entry), &js.join("dist/wasm").join(entry.name))?;
    }
    package::minify(&js)?;
    for entry in &wanted {
        sizes::check(entry, &js)?;
    }
    if pack { package::pack(&js) } else { Ok(()) }
}

/// Runs a command to its success.
fn run(command: &mut std::process::Command) -> Outcome {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}
