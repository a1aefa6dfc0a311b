//! Builds isledb's components and prints their sizes against the budget: `cargo run -p isledb-component-build`.

use std::process::ExitCode;

use isledb_component_build::{Result, WORLDS, World, brotli_bytes};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let strange: Vec<&String> =
        wanted.iter().filter(|name| WORLDS.iter().all(|world| world.name != name.as_str())).collect();
    if !strange.is_empty() {
        eprintln!(
            "usage: isledb-component-build [reader|full|reader-blocking|full-blocking]...\nno world: {strange:?}"
        );
        return ExitCode::from(2);
    }
    let mut failed = false;
    println!("{:16} {:>10} {:>10} {:>10}  path", "world", "bytes", "brotli", "budget");
    for world in
        WORLDS.iter().filter(|world| wanted.is_empty() || wanted.iter().any(|name| name == world.name))
    {
        if let Err(error) = report(world) {
            eprintln!("{}: {error}", world.name);
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn report(world: &World) -> Result<()> {
    let path = world.build()?;
    let bytes = std::fs::read(&path)?;
    let budget = world.budget().map_or("-".to_owned(), |bytes| bytes.to_string());
    let (raw, packed) = (bytes.len(), brotli_bytes(&bytes)?);
    println!("{:16} {raw:>10} {packed:>10} {budget:>10}  {}", world.name, path.display());
    match world.budget() {
        Some(most) if raw as u64 > most => Err(format!("{raw} bytes are beyond its budget of {most}").into()),
        _ => Ok(()),
    }
}
