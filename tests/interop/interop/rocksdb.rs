//! RocksDB's `sst_dump`, of the Debian package rocksdb-tools.

use std::path::Path;
use std::process::Command;

use crate::tables::{Entry, Recipe};

fn run(program: &Path, file: &Path, arguments: &[&str]) -> String {
    let output =
        Command::new(program).arg(format!("--file={}", file.display())).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "sst_dump {arguments:?}: {text}");
    text
}

/// The line that a scan prints for an entry: `'KEY' seq:N, type:T => VALUE`, key and value in hex.
fn line(entry: &Entry) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    format!(
        "'{}' seq:{}, type:{} => {}",
        hex(&entry.key),
        entry.sequence,
        entry.kind as u8,
        hex(&entry.value)
    )
}

pub(crate) fn reads_what_we_wrote(program: &Path, recipe: &Recipe) {
    let table = recipe.make();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("000001.sst");
    // Its footer is looked for at the end of the file: what is appended behind a table is cut off.
    std::fs::write(&file, &table.object[..table.size as usize]).unwrap();
    let verified = run(program, &file, &["--command=verify"]);
    assert!(verified.contains("The file is ok"), "{verified}");
    let scanned = run(program, &file, &["--command=scan", "--output_hex"]);
    let found: Vec<_> = scanned.lines().filter(|line| line.starts_with('\'')).collect();
    for (i, (found, entry)) in found.iter().zip(&table.entries).enumerate() {
        assert_eq!(*found, line(entry), "entry {i}");
    }
    assert_eq!(found.len(), table.entries.len(), "{scanned}");
}
