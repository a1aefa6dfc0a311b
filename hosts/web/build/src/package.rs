//! The TypeScript half of the package.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{Outcome, run};

/// What is taken from npm into the package, so that it works without a bundler: source, place.
const VENDORED: [(&str, &str); 2] =
    [("aws4fetch/dist/aws4fetch.esm.mjs", "aws4fetch.js"), ("aws4fetch/LICENSE", "aws4fetch.LICENSE")];

/// Compiles `src` to `dist` by the pinned TypeScript.
///
/// Errors: what TypeScript finds; where it is not installed, how it is.
pub(crate) fn compile(js: &Path) -> Outcome {
    let modules = js.join("node_modules");
    let tsc = modules.join("typescript/bin/tsc");
    if !tsc.is_file() {
        return Err(format!("{} is missing: run `tests/setup.sh web`", tsc.display()));
    }
    let dist = js.join("dist");
    if dist.is_dir() {
        // Of an earlier build the WebAssembly stays: who builds one module again keeps the others.
        for entry in fs::read_dir(&dist).map_err(|error| format!("{}: {error}", dist.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let removed = match path.file_name().is_some_and(|name| name == "wasm") {
                true => Ok(()),
                false if path.is_dir() => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    run(Command::new("node").arg(tsc).arg("-p").arg(js))?;
    let vendor = dist.join("vendor");
    fs::create_dir_all(&vendor).map_err(|error| format!("{}: {error}", vendor.display()))?;
    for (from, to) in VENDORED {
        let from = modules.join(from);
        fs::copy(&from, vendor.join(to)).map_err(|error| format!("{}: {error}", from.display()))?;
    }
    Ok(())
}

/// Writes `isledb-<version>.tgz` beside `dist`.
pub(crate) fn pack(js: &Path) -> Outcome {
    run(Command::new("npm").args(["pack", "--silent"]).current_dir(js))
}
