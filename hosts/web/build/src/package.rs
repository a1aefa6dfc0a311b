//! The TypeScript half of the package.

use std::fs;
use std::path::{Path, PathBuf};
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

/// Takes comments and white space out of the JavaScript; the types keep theirs. Names stay: those of errors are seen.
pub(crate) fn minify(js: &Path) -> Outcome {
    let dist = js.join("dist");
    let mut scripts = Vec::new();
    find_scripts(&dist, &mut scripts)?;
    run(Command::new(js.join("node_modules/.bin/esbuild"))
        .args(scripts)
        .arg(format!("--outdir={}", dist.display()))
        .arg(format!("--outbase={}", dist.display()))
        .args(["--allow-overwrite", "--format=esm", "--target=es2022", "--log-level=warning"])
        .args(["--minify-whitespace", "--minify-syntax", "--charset=utf8"]))
}

fn find_scripts(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            find_scripts(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "js") {
            found.push(path);
        }
    }
    Ok(())
}

/// Writes `isledb-<version>.tgz` beside `dist`.
pub(crate) fn pack(js: &Path) -> Outcome {
    run(Command::new("npm").args(["pack", "--silent"]).current_dir(js))
}
