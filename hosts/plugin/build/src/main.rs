//! `isledb-plugin-build [PATH] [--example NAME] [--out FILE] [--quick]`

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use isledb_plugin_build::{Source, build};

const USAGE: &str = "\
Makes an isledb plugin of a Rust crate.

usage: isledb-plugin-build [PATH] [--example NAME] [--out FILE] [--quick]
  PATH            the folder of the crate; default: this one
  --example NAME  an example of the crate in the place of its library
  --out FILE      where the plugin goes; default: <name>.wasm in this folder
  --quick         built in seconds, for trying out: larger and slower

Needs cargo and its target: rustup target add wasm32-unknown-unknown";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (source, out) = match parse(arguments) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("error: {what}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match make(&source, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(source: &Source, out: Option<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    let plugin = build(source)?;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.wasm", plugin.name)));
    std::fs::write(&out, &plugin.component).map_err(|error| format!("{}: {error}", out.display()))?;
    println!("{}: a {}, {} bytes", out.display(), plugin.world, plugin.component.len());
    Ok(())
}

/// `None`: help is wanted.
fn parse(arguments: Vec<OsString>) -> Result<Option<(Source, Option<PathBuf>)>, String> {
    let (mut path, mut example, mut out, mut quick) = (None, None, None, false);
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{} needs a value", argument.display()));
        match argument.to_str() {
            Some("--help" | "-h") => return Ok(None),
            Some("--example") => example = Some(value()?.to_string_lossy().into_owned()),
            Some("--quick") => quick = true,
            Some("--out") => out = Some(PathBuf::from(value()?)),
            Some(flag) if flag.starts_with('-') => return Err(format!("there is no {flag}")),
            _ if path.is_some() => return Err(format!("more than one path: {}", argument.display())),
            _ => path = Some(PathBuf::from(argument)),
        }
    }
    let path = path.unwrap_or_else(|| PathBuf::from("."));
    Ok(Some((Source { path, example, quick }, out)))
}
