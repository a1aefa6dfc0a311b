//! The rows in RocksDB, by the command `ldb` of Debian's `rocksdb-tools`.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::merge::Took;
use crate::rows;

fn ldb(folder: &Path, write_buffer: u64) -> Command {
    let mut command = Command::new("ldb");
    command.arg(format!("--db={}", folder.display()));
    command.args(["--compression_type=snappy", "--bloom_bits=10", "--block_size=4096", "--file_size=67108864"]);
    command.arg("--auto_compaction=false").arg(format!("--write_buffer_size={write_buffer}"));
    command
}

/// Loads `total` rows into about `tables` overlapping tables in `folder`, merges them by its one background thread, and
/// returns what its log says of that: what it took, and how many records it read.
///
/// Errors: `NotFound` where there is no `ldb`.
pub fn merge(folder: &Path, total: u64, tables: u64) -> io::Result<(Took, u64)> {
    // A memtable ends when keys, values and its own overhead (some 30 bytes a row) fill it.
    let write_buffer = total / tables * (rows::KEY + rows::VALUE + 30) as u64;
    let mut load = ldb(folder, write_buffer)
        .args(["load", "--create_if_missing", "--disable_wal"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(input) = load.stdin.take() {
        let mut input = BufWriter::with_capacity(1 << 20, input);
        for row in (0..tables).flat_map(|table| rows::of(total, table, tables)) {
            input.write_all(&rows::key(row))?;
            input.write_all(b" ==> ")?;
            input.write_all(&rows::value(row))?;
            input.write_all(b"\n")?;
        }
        input.flush()?;
    }
    let loaded = load.wait()?;
    let compacted = ldb(folder, write_buffer).arg("compact").stdout(Stdio::null()).status()?;
    if !loaded.success() || !compacted.success() {
        return Err(io::Error::other(format!("ldb: {loaded}, {compacted}")));
    }
    let log = std::fs::read_to_string(folder.join("LOG"))?;
    let finished = log.lines().filter(|line| line.contains("\"compaction_finished\""));
    let (mut took, mut records) = (Took { wall: Duration::ZERO, cpu: Duration::ZERO }, 0);
    for line in finished {
        took.wall += Duration::from_micros(field(line, "compaction_time_micros"));
        took.cpu += Duration::from_micros(field(line, "compaction_time_cpu_micros"));
        records += field(line, "num_input_records");
    }
    Ok((took, records))
}

/// A number of one line of its log.
fn field(line: &str, name: &str) -> u64 {
    let at = line.split_once(&format!("\"{name}\": ")).map_or("", |(_, at)| at);
    at.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().unwrap_or(0)
}
