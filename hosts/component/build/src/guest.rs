//! From a crate to a component.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wit_component::{ComponentEncoder, DecodedWasm};

use crate::Result;

/// A crate of this workspace that is a component when it is built for WebAssembly.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'a> {
    /// The crate.
    pub package: &'a str,
    /// The example of the crate that is a `cdylib`; `None`: its library is one.
    pub example: Option<&'a str>,
    /// Its features, beside the default ones.
    pub features: &'a [&'a str],
    /// The profile of this workspace that it is built by.
    pub profile: &'a str,
    /// The name of the component's file.
    pub name: &'a str,
}

impl Guest<'_> {
    /// Compiles the crate and makes a component of it, unless that is up to date; returns its path. Callers at the same time,
    /// also in other processes, wait for one another.
    pub fn build(&self) -> Result<PathBuf> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let target = target_folder(&workspace)?;
        let folder = target.join("isledb-component");
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let module = self.compile(&workspace)?;
        let component = folder.join(format!("{}.wasm", self.name));
        if !is_newer(&component, &module) {
            let encoder = ComponentEncoder::default().validate(true);
            let bytes = encoder.module(&fs::read(&module)?)?.encode()?;
            let unfinished = folder.join(format!("{}.unfinished", self.name));
            fs::write(&unfinished, bytes)?;
            fs::rename(&unfinished, &component)?;
        }
        Ok(component)
    }

    fn compile(&self, workspace: &Path) -> Result<PathBuf> {
        let mut cargo = Command::new(cargo());
        cargo.current_dir(workspace);
        cargo.args(["build", "--locked", "--profile", self.profile, "--target", "wasm32-unknown-unknown"]);
        cargo.args(["--message-format", "json-render-diagnostics", "--package", self.package]);
        cargo.args(["--features", &self.features.join(",")]);
        match self.example {
            Some(example) => cargo.args(["--example", example]),
            None => cargo.arg("--lib"),
        };
        let module = self.example.map_or_else(|| self.package.replace('-', "_"), str::to_owned);
        let built = cargo.stderr(Stdio::inherit()).output()?;
        if !built.status.success() {
            return Err(format!("{} does not build: {cargo:?}", self.name).into());
        }
        let made = String::from_utf8(built.stdout)?;
        let messages = made.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let files = messages
            .filter(|message| message["target"]["name"] == module)
            .filter_map(|message| message["filenames"].as_array().cloned())
            .flatten();
        let file = files.filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| is_wasm(file));
        file.ok_or_else(|| format!("{module} of {} is no cdylib", self.package).into())
    }
}

/// The interfaces that a component imports, in order of their names.
pub fn imports(component: &[u8]) -> Result<Vec<String>> {
    let decoded = wit_component::decode(component)?;
    let DecodedWasm::Component(resolve, world) = &decoded else { return Err("it is not a component".into()) };
    let mut imports: Vec<String> =
        resolve.worlds[*world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
    imports.sort();
    Ok(imports)
}

fn target_folder(workspace: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(cargo());
    cargo.current_dir(workspace).args([
        "metadata",
        "--locked",
        "--offline",
        "--no-deps",
        "--format-version",
        "1",
    ]);
    let metadata: serde_json::Value =
        serde_json::from_slice(&cargo.stderr(Stdio::inherit()).output()?.stdout)?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no target folder".into())
}

/// The cargo that runs this, or the one of the path.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn is_wasm(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wasm")
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    matches!((modified(file), modified(than)), (Ok(file), Ok(than)) if file > than)
}
