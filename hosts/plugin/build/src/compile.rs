//! From a crate to a module.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{BuildError, Source};

const TARGET: &str = "wasm32-unknown-unknown";

/// A profile of its own, so that a crate needs no settings for being a plugin.
const PROFILE: &[&str] = &[
    "profile.plugin.inherits='release'",
    "profile.plugin.opt-level='s'",
    "profile.plugin.lto=true",
    "profile.plugin.codegen-units=1",
    "profile.plugin.panic='abort'",
];

/// The name and the bytes of the module.
pub(crate) fn compile(source: &Source) -> Result<(String, Vec<u8>), BuildError> {
    let manifest = manifest(&source.path);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["rustc", "--crate-type", "cdylib", "--target", TARGET]);
    if !source.quick {
        cargo.args(["--profile", "plugin"]);
        for setting in PROFILE {
            cargo.args(["--config", setting]);
        }
    }
    match &source.example {
        Some(example) => cargo.args(["--example", example]),
        None => cargo.arg("--lib"),
    };
    // Flags for the machine that builds mean nothing to the module.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args(["--message-format", "json-render-diagnostics", "--manifest-path"]).arg(&manifest);
    // Nothing reads it, and in a quick build it is most of the file.
    cargo.args(["--", "-C", "strip=debuginfo"]);
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output =
        output.map_err(|source| BuildError::Io { what: "cargo cannot be run".to_owned(), source })?;
    if !output.status.success() {
        return Err(BuildError::Cargo(manifest));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let (name, file) = said.lines().rev().find_map(module).ok_or(BuildError::NoModule(manifest))?;
    let read = std::fs::read(&file);
    let module = read.map_err(|source| BuildError::Io { what: file.display().to_string(), source })?;
    Ok((name, module))
}

fn manifest(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("Cargo.toml") } else { path.to_owned() }
}

/// The name and the module that a line of cargo speaks of. The last such line is of the crate itself.
fn module(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let file =
        message["filenames"].as_array()?.iter().find_map(|name| name.as_str()?.strip_suffix(".wasm"))?;
    Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(format!("{file}.wasm"))))
}
