//! Tables that we write are read by Pebble, the engine that the original is made of, and, in RocksDB's flavour, by RocksDB's
//! `sst_dump`; and the golden tables are listed by Pebble as we list them.
//!
//! `tests/setup.sh` installs both readers. Without Go or without the right to install a Debian package, a reader is skipped
//! by name; where `CI` is set, that is a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod merged;
mod ours;
mod pebble;
mod rocksdb;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use isledb_core::format::sst::TableFlavour;
use isledb_test_servers::{NoServer, in_ci, tool};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let recipes = tables::recipes();
    let here = |name: &str, reader: Result<PathBuf, NoServer>, trials: &mut Vec<Trial>| match reader {
        Ok(program) => Some(Arc::<Path>::from(program)),
        Err(missing) => {
            if !in_ci() {
                eprintln!("skipped: {name}: {missing}");
            }
            let absent =
                Trial::test(format!("{name}::is_there"), move || Err(Failed::from(missing.to_string())));
            trials.push(absent.with_ignored_flag(!in_ci()));
            None
        }
    };
    if let Some(program) = here("pebble", tool("pebble_list"), &mut trials) {
        for recipe in &recipes {
            let (program, recipe) = (program.clone(), recipe.clone());
            trials.push(Trial::test(format!("pebble::{}", recipe.name), move || {
                pebble::reads_what_we_wrote(&program, &recipe);
                Ok(())
            }));
        }
        let (damaging, recipe) = (program.clone(), recipes[recipes.len() / 2].clone());
        trials.push(Trial::test("pebble::notices_damage", move || {
            pebble::notices_damage(&damaging, &recipe);
            Ok(())
        }));
        let merging = program.clone();
        trials.push(Trial::test("pebble::merged", move || {
            merged::pebble_lists_them(&merging);
            Ok(())
        }));
        for path in golden_tables() {
            let program = program.clone();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("pebble::golden::{name}"), move || {
                pebble::lists_as_we_do(&program, &path);
                Ok(())
            }));
        }
    }
    if let Some(program) = here("sst_dump", tool("sst_dump"), &mut trials) {
        for recipe in recipes.iter().filter(|recipe| recipe.flavour == TableFlavour::RocksDb) {
            let (program, recipe) = (program.clone(), recipe.clone());
            trials.push(Trial::test(format!("sst_dump::{}", recipe.name), move || {
                rocksdb::reads_what_we_wrote(&program, &recipe);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn golden_tables() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/sst");
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sst"));
    assert!(paths.len() >= 12, "the golden tables are missing in {}", folder.display());
    paths.sort();
    paths
}
