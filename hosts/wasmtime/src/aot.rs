//! Machine code of components, kept between processes.

#![allow(
    unsafe_code,
    reason = "wasmtime has to be promised that the machine code is its own; see `component` and `read`"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::{Error, Result};

/// Begins every file of the cache; the SHA-256 of what follows comes behind it.
const MAGIC: &[u8; 16] = b"isledb aot v1\r\n\0";
const DIGEST_BYTES: usize = 32;

/// A folder of compiled components. Whoever can write there can run code in this process, so on Unix a folder that others may
/// write is refused.
#[derive(Debug, Clone)]
pub(crate) struct AotCache {
    folder: PathBuf,
}

impl AotCache {
    /// Makes the folder where it is not there.
    ///
    /// Errors: `InvalidArgument` where it cannot be made, or others may write it.
    pub(crate) fn open(folder: &Path) -> Result<AotCache> {
        let refused =
            |what: String| Error::InvalidArgument { what: format!("aot_cache {}: {what}", folder.display()) };
        fs::create_dir_all(folder).map_err(|error| refused(error.to_string()))?;
        if writable_by_others(folder) {
            return Err(refused("others may write this folder, and what lies there is run".to_owned()));
        }
        Ok(AotCache { folder: folder.to_owned() })
    }

    /// The component, compiled before or now. A file that is damaged, or that another wasmtime wrote, is replaced.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let path = self.folder.join(format!("{}.cwasm", name(engine, bytes)));
        if let Some(component) = read(engine, &path) {
            return Ok(component);
        }
        let compiled = engine.precompile_component(bytes)?;
        // A cache that cannot be written costs time, no more.
        if let Err(error) = write(&path, &compiled) {
            tracing::warn!(%error, path = %path.display(), "the compiled component was not kept");
        }
        // SAFETY: `precompile_component` just made it. To compile it a second time would take as long again.
        unsafe { Component::deserialize(engine, compiled) }
    }
}

/// Files of different components, versions of wasmtime, and settings of the engine never meet.
fn name(engine: &Engine, bytes: &[u8]) -> String {
    use std::hash::{Hash, Hasher};
    let mut settings = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    format!("{}-{:016x}", hex(&Sha256::digest(bytes)[..16]), settings.finish())
}

fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::read(path).ok()?;
    let rest = file.strip_prefix(MAGIC)?;
    let (digest, compiled) = rest.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(compiled)[..] != *digest {
        tracing::warn!(path = %path.display(), "a compiled component is damaged and is made anew");
        return None;
    }
    // SAFETY: these are bytes that `Engine::precompile_component` made: `write` alone puts this head in front of them, the
    // checksum holds, and nobody else may write the folder. Wasmtime itself refuses what another version or other settings made.
    let component = unsafe { Component::deserialize(engine, compiled) };
    component
        .inspect_err(
            |error| tracing::warn!(%error, path = %path.display(), "a compiled component is foreign"),
        )
        .ok()
}

fn write(path: &Path, compiled: &[u8]) -> std::io::Result<()> {
    // Whole under its name, or not at all; two processes may write the same.
    let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(compiled))?;
    file.write_all(compiled)?;
    drop(file);
    fs::rename(&unfinished, path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
fn writable_by_others(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0)
}

#[cfg(not(unix))]
fn writable_by_others(_: &Path) -> bool {
    false
}
