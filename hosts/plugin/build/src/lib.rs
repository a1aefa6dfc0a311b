//! Makes an isledb plugin of a Rust crate: cargo builds it for `wasm32-unknown-unknown`, and the module becomes a component.
//!
//! ```no_run
//! use isledb_plugin_build::{Source, build};
//!
//! let plugin = build(&Source::krate("path/to/crate"))?;
//! std::fs::write("expire.wasm", &plugin.component)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
mod component;

use std::path::PathBuf;

pub use component::componentize;

/// What to build.
#[derive(Debug, Clone)]
pub struct Source {
    /// The folder of the crate, or its Cargo.toml.
    pub path: PathBuf,
    /// An example of the crate in the place of its library.
    pub example: Option<String>,
    /// Built in seconds, for tests: larger and slower. Default: no, small and without debug information.
    pub quick: bool,
}

impl Source {
    /// The library of a crate.
    pub fn krate(path: impl Into<PathBuf>) -> Source {
        Source { path: path.into(), example: None, quick: false }
    }

    /// An example of a crate.
    pub fn example(path: impl Into<PathBuf>, name: &str) -> Source {
        Source { path: path.into(), example: Some(name.to_owned()), quick: false }
    }
}

/// A plugin that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The name of the library or of the example.
    pub name: String,
    /// The world that it is of, `compaction-filter` for one.
    pub world: &'static str,
    /// The component: what goes into a file.
    pub component: Vec<u8>,
}

/// Why there is no plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Cargo cannot be run, or what it made cannot be read.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo failed; it has said why on standard error.
    #[error("cargo could not build {}", .0.display())]
    Cargo(PathBuf),
    /// Cargo made no WebAssembly module.
    #[error("{}: nothing in it makes a WebAssembly module", .0.display())]
    NoModule(PathBuf),
    /// The module makes no component.
    #[error("{name} makes no component: {message}")]
    NoComponent {
        /// The library or example.
        name: String,
        /// Why not.
        message: String,
    },
    /// It exports no interface of `isledb:plugin`, or several.
    #[error("{name} is no plugin of one kind: use isledb_plugin::export! once (it exports {exports:?})")]
    NoPlugin {
        /// The library or example.
        name: String,
        /// What it exports.
        exports: Vec<String>,
    },
    /// It imports something, and a plugin gets nothing.
    #[error(
        "{name} imports {imports:?}, and a plugin may import nothing; a dependency may want an operating system"
    )]
    Imports {
        /// The library or example.
        name: String,
        /// What it imports.
        imports: Vec<String>,
    },
}

/// Builds a plugin. What cargo says goes to standard error.
///
/// Errors: where cargo fails, and where the result is no plugin.
pub fn build(source: &Source) -> Result<Built, BuildError> {
    let (name, module) = compile::compile(source)?;
    let (world, component) = componentize(&name, &module)?;
    Ok(Built { name, world, component })
}
