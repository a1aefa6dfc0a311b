//! What we read from a few golden tables, as text beside them: a change of the reader shows as a diff.
//!
//! `ISLEDB_BLESS=1 cargo test -p isledb-core --test table_dumps` writes the texts anew.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sst;

use std::fmt::Write;

use bytes::Bytes;
use isledb_core::format::sst::{FullFilter, PartitionAt};

use sst::{Entry, Stored, fixture};

const TABLES: [&str; 5] = [
    "example_pebble1",
    "example_rocksdb2",
    "f02_snappy_single",
    "f10_zstd_other_encoder",
    "f12_edge_none_512",
];

/// Entries and index entries shown from either end.
const SHOWN: usize = 4;

#[test]
fn golden_dumps() {
    for name in TABLES {
        let dump = dump(name, fixture(&format!("{name}.sst")));
        let path = format!("{}/../tests/fixtures/sst/{name}.sst.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("ISLEDB_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&path, &dump).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (line, (found, expected)) in dump.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{path}:{}; ISLEDB_BLESS=1 takes the new text", line + 1);
        }
        assert_eq!(
            dump.lines().count(),
            expected.lines().count(),
            "{path}; ISLEDB_BLESS=1 takes the new text"
        );
    }
}

fn dump(name: &str, bytes: Bytes) -> String {
    let stored = Stored::open(name, bytes.clone(), None).unwrap();
    let table = &stored.table;
    let footer = table.footer();
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").unwrap();
    line(format!("table {name}.sst, {} bytes", bytes.len()));
    line(format!("footer: {:?} version {}, checksum {:?}", footer.flavour, footer.version, footer.checksum));
    line(format!("metaindex: {} + {}", footer.metaindex.offset, footer.metaindex.length));
    line(format!("index: {} + {}", footer.index.offset, footer.index.length));
    line("properties:".to_owned());
    for (name, value) in table.properties().iter() {
        line(format!("  {} = {}", show(name), show_property(name, value)));
    }
    match table.full_filter() {
        None => line("full filter: none".to_owned()),
        Some(FullFilter::Resident(filter)) => line(format!("full filter: {} bytes, read", filter.memory())),
        Some(FullFilter::Stored(handle)) => {
            line(format!("full filter: {} + {}, not read", handle.offset, handle.length));
        }
    }
    line(format!("index partitions: {}", table.partitions()));
    let mut rows = Vec::new();
    for i in 0..table.partitions() {
        let partition = stored.partition(i).unwrap();
        let filter =
            partition.filter().map_or("no filter".to_owned(), |f| format!("filter {} bytes", f.memory()));
        let place = match table.partition(i) {
            PartitionAt::Resident(_) => "in the tail".to_owned(),
            PartitionAt::Stored(range) => format!("{} .. {}", range.start, range.end),
        };
        rows.push(format!("  partition {i}: {place}, {} blocks, {filter}", partition.len()));
        for block in 0..partition.len() {
            let handle = partition.handle(block);
            let separator = show(partition.separator(block));
            rows.push(format!("    block {} + {} to {separator}", handle.offset, handle.length));
        }
    }
    shortened(rows, &mut line);
    let entries = stored.entries().unwrap();
    line(format!("entries: {}", entries.len()));
    shortened(entries.iter().map(show_entry).collect(), &mut line);
    out
}

fn shortened(rows: Vec<String>, line: &mut impl FnMut(String)) {
    let hidden = rows.len().saturating_sub(2 * SHOWN);
    for (i, row) in rows.iter().enumerate() {
        if hidden < 2 || i < SHOWN || i >= SHOWN + hidden {
            line(row.clone());
        } else if i == SHOWN {
            line(format!("  ... {hidden} more"));
        }
    }
}

fn show_entry(entry: &Entry) -> String {
    format!("  {}#{} {:?} {}", show(&entry.key), entry.sequence, entry.kind, show(&entry.value))
}

/// Numbers as numbers, texts in quotes.
fn show_property(name: &[u8], value: &[u8]) -> String {
    const TEXTS: [&[u8]; 6] = [
        b"rocksdb.comparator",
        b"rocksdb.compression",
        b"rocksdb.compression_options",
        b"rocksdb.filter.policy",
        b"rocksdb.merge.operator",
        b"rocksdb.property.collectors",
    ];
    if TEXTS.contains(&name) {
        return format!("{:?}", String::from_utf8_lossy(value));
    }
    if name.ends_with(b"index.type") {
        return u32::from_le_bytes(value.try_into().unwrap()).to_string();
    }
    let mut numbers = vec![0u64];
    let mut shift = 0;
    for (i, byte) in value.iter().enumerate() {
        *numbers.last_mut().unwrap() |= u64::from(byte & 0x7f) << shift;
        shift = if *byte < 0x80 { 0 } else { shift + 7 };
        if *byte < 0x80 && i + 1 < value.len() {
            numbers.push(0);
        }
    }
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

/// Printable bytes as they are, others as hexadecimal; long ones cut.
fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.iter().take(96) {
        match chunk {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(*chunk as char),
            other => write!(text, "\\x{other:02x}").unwrap(),
        }
    }
    if bytes.len() > 96 {
        write!(text, "... ({} bytes)", bytes.len()).unwrap();
    }
    text
}
