//! With the feature `inspector`: puts the files of `www/` into the binary. Without it there is nothing to do.
//!
//! The package beside the page (`www/isledb`) is built, not kept in the repository. Where it is missing, the command still
//! builds, and `isledb inspect` says what to do.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a browser asks for; the rest (scripts that build the page, types) stays behind.
const SERVED: [&str; 5] = ["css", "html", "js", "svg", "wasm"];

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_INSPECTOR").is_none() {
        return Ok(());
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let www = variable("CARGO_MANIFEST_DIR").join("../../www");
    println!("cargo::rerun-if-changed={}", www.display());
    let mut files = Vec::new();
    if www.is_dir() {
        collect(&www, &www, &mut files)?;
    }
    files.sort();
    if !files.iter().any(|(name, _)| name.starts_with("isledb/")) {
        println!(
            "cargo::warning=the inspector's package is not built (www/build.sh): `isledb inspect` will say so"
        );
    }
    let mut table = String::from("&[\n");
    for (name, path) in files {
        let path = path.canonicalize()?;
        // Writing to a String cannot fail.
        let _ = writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
    }
    table.push_str("]\n");
    std::fs::write(variable("OUT_DIR").join("page.rs"), table)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if SERVED.contains(&extension)
            && let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
        {
            files.push((name.replace('\\', "/"), path));
        }
    }
    Ok(())
}
