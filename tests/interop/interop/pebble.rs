//! Pebble itself, by the Go program in `pebble_list`.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::ours;
use crate::tables::{Entry, Recipe};

/// The lines that the Go program prints for these entries.
fn lines(entries: &[Entry]) -> Vec<String> {
    let line = |entry: &Entry| {
        let digest = Sha256::digest(&entry.value);
        format!("{} {} {} {}", hex(&entry.key), entry.sequence, entry.kind as u8, hex(&digest))
    };
    entries.iter().map(line).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What Pebble lists; it has checked every block's checksum, the reverse order, and a filtered seek for each key.
fn listing(program: &Path, file: &Path, size: u64) -> Vec<String> {
    let output = Command::new(program).arg(file).arg(size.to_string()).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "pebble: {errors}");
    let mut lines = out.lines().map(str::to_owned);
    assert!(lines.next().is_some_and(|line| line.starts_with("table ")), "{out}");
    lines.collect()
}

#[track_caller]
fn same(found: &[String], expected: &[String], what: &str) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "{what}: entry {i}");
    }
    assert_eq!(found.len(), expected.len(), "{what}: number of entries");
}

pub(crate) fn reads_what_we_wrote(program: &Path, recipe: &Recipe) {
    let table = recipe.make();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.sst");
    std::fs::write(&file, &table.object).unwrap();
    let written = lines(&table.entries);
    same(&listing(program, &file, table.size), &written, "pebble");
    let bytes = Bytes::from(table.object).slice(..table.size as usize);
    same(&lines(&ours::entries(&recipe.name, &bytes).unwrap()), &written, "our reader");
    let two_levels = ours::open(&recipe.name, &bytes).unwrap().is_two_level();
    assert_eq!(two_levels, recipe.two_levels, "the index is not as deep as this case is about");
}

/// The reader is no rubber stamp: one flipped bit in the first block, and it refuses.
pub(crate) fn notices_damage(program: &Path, recipe: &Recipe) {
    let mut table = recipe.make();
    table.object[3] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.sst");
    std::fs::write(&file, &table.object).unwrap();
    let output = Command::new(program).arg(&file).arg(table.size.to_string()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("checksum"), "{}: {errors}", output.status);
}

pub(crate) fn lists_as_we_do(program: &Path, file: &Path) {
    let table = Bytes::from(std::fs::read(file).unwrap());
    let ours = lines(&ours::entries(&file.display().to_string(), &table).unwrap());
    assert!(!ours.is_empty());
    same(&listing(program, file, table.len() as u64), &ours, "pebble and we");
}
