//! Builds guests for `wasm32-unknown-unknown` and makes components of them, with no tool but cargo.

mod guest;
mod size;

use std::error::Error;
use std::path::PathBuf;

pub use guest::{Guest, imports};
pub use size::brotli_bytes;

/// What a build fails with: words for people.
pub type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// One of isledb's own components: a world of `wit/storage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct World {
    /// The name of the world, and of the file.
    pub name: &'static str,
    features: &'static [&'static str],
    raw_bytes_max: Option<u64>,
    /// It imports these interfaces and no other.
    imports: &'static [&'static str],
}

const ASYNC_IMPORTS: &[&str] = &["database", "host", "object-store", "types"];
const BLOCKING_IMPORTS: &[&str] = &["database", "host", "object-store-blocking", "types"];

/// Reads and tails.
pub const READER: World =
    World { name: "reader", features: &[], raw_bytes_max: Some(350_000), imports: ASYNC_IMPORTS };
/// Reads, tails, writes and maintains.
pub const FULL: World =
    World { name: "full", features: &["full"], raw_bytes_max: None, imports: ASYNC_IMPORTS };
/// As [`READER`], for hosts that can only block.
pub const READER_BLOCKING: World = World {
    name: "reader-blocking",
    features: &["blocking"],
    raw_bytes_max: Some(350_000),
    imports: BLOCKING_IMPORTS,
};
/// As [`FULL`], for hosts that can only block.
pub const FULL_BLOCKING: World = World {
    name: "full-blocking",
    features: &["blocking", "full"],
    raw_bytes_max: None,
    imports: BLOCKING_IMPORTS,
};

/// All of them.
pub const WORLDS: [World; 4] = [READER, FULL, READER_BLOCKING, FULL_BLOCKING];

impl World {
    /// Builds the component, unless it is up to date, and returns its path: `<name>.wasm` in the folder `isledb-component` of
    /// cargo's target folder.
    ///
    /// Errors: where it does not compile, or imports anything but `isledb:storage`.
    pub fn build(&self) -> Result<PathBuf> {
        self.build_by("component", self.name)
    }

    /// The same by the profile of the conformance cases, as `<name>-quick.wasm`: it is built in a fraction of the time, and is larger
    /// and slower.
    ///
    /// Errors: as [`World::build`].
    pub fn build_quickly(&self) -> Result<PathBuf> {
        self.build_by("cases", &format!("{}-quick", self.name))
    }

    fn build_by(&self, profile: &str, name: &str) -> Result<PathBuf> {
        let example = &self.name.replace('-', "_");
        let features = self.features;
        let guest = Guest { package: "isledb-component", example: Some(example), features, profile, name };
        let path = guest.build()?;
        let component = std::fs::read(&path)?;
        let expected: Vec<String> =
            self.imports.iter().map(|name| format!("isledb:storage/{name}@0.1.0")).collect();
        let found = imports(&component)?;
        if found != expected {
            return Err(format!("{} imports {found:?} instead of {expected:?}", self.name).into());
        }
        Ok(path)
    }

    /// What it may have in bytes, where there is a bound.
    pub fn budget(&self) -> Option<u64> {
        self.raw_bytes_max
    }
}
