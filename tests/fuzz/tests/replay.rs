//! Every target over its seeds and over what fuzzing ever found.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};

use isledb_fuzz::{TARGETS, Target};

/// Inputs that once broke something, by target. A file's name says what it did.
fn found(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("found").join(name);
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path());
    files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// With `ISLEDB_FUZZ_SEEDS` they are written too, into a folder for each target: where libFuzzer begins.
#[test]
fn most_seeds_are_decoded() {
    let folder = std::env::var_os("ISLEDB_FUZZ_SEEDS").map(PathBuf::from);
    for Target { name, run, seeds, max_length } in TARGETS {
        let seeds = seeds();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let mut decoded = 0;
        for (i, seed) in seeds.iter().enumerate() {
            let length = seed.len();
            assert!(
                length <= *max_length,
                "{name}: seed {i} has {length} bytes, at most {max_length} are tried"
            );
            decoded += usize::from(run(seed));
        }
        // A part that is taken out of its table may be refused for want of what stood around it. Most must get through, or the
        // fuzzer begins before the first check and stays there.
        println!("{name}: {decoded} of {} seeds are decoded", seeds.len());
        assert!(decoded * 2 > seeds.len(), "{name}: {decoded} of {} seeds are decoded", seeds.len());
        if let Some(folder) = folder.as_ref().map(|folder| folder.join(name)) {
            std::fs::create_dir_all(&folder).unwrap();
            for (i, seed) in seeds.iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{i:03}")), seed).unwrap();
            }
        }
    }
    if let Some(folder) = folder {
        let lines = TARGETS.iter().map(|target| format!("{} {}\n", target.name, target.max_length));
        std::fs::write(folder.join("targets"), lines.collect::<String>()).unwrap();
    }
}

#[test]
fn what_was_found_stays_harmless() {
    for target in TARGETS {
        for (path, input) in found(target.name) {
            println!("{path}");
            (target.run)(&input);
        }
    }
}

/// A little fuzzing of our own: each seed with single bytes changed and cut, so that a target that panics at once shows here.
#[test]
fn seeds_changed_a_little() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let inputs = seeds.iter().step_by(seeds.len().div_ceil(4));
        for seed in inputs {
            let step = (seed.len() / 24).max(1);
            for at in (0..seed.len()).step_by(step) {
                let mut changed = seed.clone();
                changed[at] ^= [0x01, 0x80, 0xff, 0x20][at % 4];
                (target.run)(&changed);
                (target.run)(&seed[..at]);
            }
        }
    }
}
