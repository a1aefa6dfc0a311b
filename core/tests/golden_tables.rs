//! Tables made by other implementations: what we build from the same entries is the same byte for byte, and what we read
//! from them is those entries.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sst;

use bytes::Bytes;
use isledb_core::format::sst::{ChecksumKind, Compression, Kind, TableFlavour, TableLayout, TableOptions};
use sha2::{Digest, Sha256};

use sst::{Entry, Stored, build, fixture, golden_entries};

fn original() -> TableOptions {
    TableOptions { layout: TableLayout::Original, ..TableOptions::default() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Reads a golden table in every way, and where `options` are given builds it.
fn check(name: &str, keys: u64, options: Option<TableOptions>) {
    let entries = golden_entries(keys);
    let bytes = fixture(&format!("{name}.sst"));
    check_reads(name, &bytes, &entries);
    if let Some(options) = options {
        let (built, summary) = build(options, &entries);
        assert!(built == bytes, "{name}: {} bytes built, {} golden", built.len(), bytes.len());
        assert_eq!(summary.sha256[..], Sha256::digest(&bytes)[..]);
        assert_eq!(summary.entries, entries.len() as u64);
        assert_eq!(summary.deletes, entries.iter().filter(|entry| entry.kind == Kind::Delete).count() as u64);
        assert_eq!(summary.min_key, entries[0].key);
        assert_eq!(summary.max_key, entries.last().unwrap().key);
        let table = Stored::open(name, bytes, Some(summary.meta_offset)).unwrap();
        assert_eq!(table.tail_reads, 1, "{name}: the tail at the summary's offset is enough");
        assert_eq!(table.table.properties().data_blocks(), summary.data_blocks);
    }
}

fn check_reads(name: &str, bytes: &Bytes, entries: &[Entry]) {
    for table in [Stored::open(name, bytes.clone(), None), Stored::open_whole(name, bytes.clone())] {
        let table = table.unwrap();
        assert!(table.entries().unwrap() == entries, "{name}: forwards");
        let mut backwards = table.entries_backwards().unwrap();
        backwards.reverse();
        assert!(backwards == entries, "{name}: backwards");
        assert_eq!(table.table.properties().entries(), entries.len() as u64);
        for expected in entries.chunk_by(|a, b| a.key == b.key).map(|versions| &versions[0]).step_by(37) {
            assert_eq!(table.get(&expected.key).unwrap().as_ref(), Some(expected));
            let mut absent = expected.key.clone();
            absent.push(0);
            assert_eq!(table.get(&absent).unwrap(), None);
        }
    }
}

#[test]
fn f01_none_single() {
    check("f01_none_single", 300, Some(TableOptions { compression: Compression::None, ..original() }));
}

#[test]
fn f02_snappy_single() {
    check("f02_snappy_single", 300, Some(original()));
    // With one index block both layouts are the same.
    check("f02_snappy_single", 300, Some(TableOptions::default()));
}

#[test]
fn f03_none_twolevel() {
    check("f03_none_twolevel", 20_000, Some(TableOptions { compression: Compression::None, ..original() }));
}

#[test]
fn f04_snappy_twolevel() {
    check("f04_snappy_twolevel", 20_000, Some(original()));
}

#[test]
fn f05_snappy_16k_nobloom() {
    let options = TableOptions { block_size: 16384, filter_bits_per_key: 0, ..original() };
    check("f05_snappy_16k_nobloom", 20_000, Some(options));
}

#[test]
fn f06_none_512_bloom14() {
    let options = TableOptions {
        compression: Compression::None,
        block_size: 512,
        filter_bits_per_key: 14,
        ..original()
    };
    check("f06_none_512_bloom14", 2000, Some(options));
}

#[test]
fn f07_and_f10_zstd_of_two_encoders_are_read() {
    check("f07_zstd", 5000, None);
    check("f10_zstd_other_encoder", 5000, None);
}

#[test]
fn f08_rocksdb2_snappy() {
    check("f08_rocksdb2_snappy", 5000, Some(TableOptions { flavour: TableFlavour::RocksDb, ..original() }));
}

#[test]
fn f09_xxh64() {
    check("f09_xxh64", 5000, Some(TableOptions { checksum: ChecksumKind::XxHash64, ..original() }));
}

#[test]
fn f11_edge_snappy() {
    check("f11_edge_snappy", 20_000, Some(TableOptions::default()));
    let table = Stored::open("f11", fixture("f11_edge_snappy.sst"), Some(552_199)).unwrap();
    assert_eq!((table.tail_reads, table.table.partitions()), (1, 5));
    assert!(table.table.full_filter().is_none());
    let isledb_core::format::sst::PartitionAt::Stored(range) = table.table.partition(0) else {
        panic!("the first partition is not in a tail of 767 bytes");
    };
    assert_eq!(range.end - range.start, 2273 + 5 + 6213 + 5);
}

#[test]
fn f12_edge_none_512() {
    let options = TableOptions { compression: Compression::None, block_size: 512, ..TableOptions::default() };
    check("f12_edge_none_512", 3000, Some(options.clone()));
    let (_, summary) = build(options, &golden_entries(3000));
    assert_eq!(summary.meta_offset, 343_087);
}

/// Three keys, explained byte by byte in the format's documentation.
#[test]
fn worked_examples() {
    let entry = |key: &str, sequence, kind, value: &[u8]| Entry {
        key: key.into(),
        sequence,
        kind,
        value: value.to_vec(),
    };
    let entries = [
        entry("apple", 3, Kind::Set, b"\0red"),
        entry("banana", 2, Kind::Delete, &[2]),
        entry("cherry", 1, Kind::Set, b"\0red"),
    ];
    for (name, flavour) in
        [("example_pebble1", TableFlavour::Pebble), ("example_rocksdb2", TableFlavour::RocksDb)]
    {
        let bytes = fixture(&format!("{name}.sst"));
        let (built, summary) = build(TableOptions { flavour, ..TableOptions::default() }, &entries);
        assert_eq!(hex(&built), hex(&bytes), "{name}");
        assert_eq!(summary.meta_offset, 72, "the filter");
        check_reads(name, &bytes, &entries);
    }
}

/// Seven entries with every form of value, from the original's own writer.
#[test]
fn seven_entries() {
    let entries: Vec<Entry> = [
        ("a", 7, Kind::Set, "007637"),
        ("a", 1, Kind::Set, "007631"),
        ("apple", 2, Kind::Set, "800000018bcfe5687b726564"),
        ("b", 3, Kind::Delete, "02"),
        ("c", 4, Kind::Set, "0388016d8301fd53809f2fdacd20818970ba97d9763023a50cbea88b77cd7796b2"),
        ("d", 5, Kind::Delete, "820000018bcfe5687b"),
        ("e", 6, Kind::Set, "00"),
    ]
    .into_iter()
    .map(|(key, sequence, kind, value)| Entry { key: key.into(), sequence, kind, value: unhex(value) })
    .collect();
    let none = TableOptions { compression: Compression::None, ..original() };
    let cases = [
        (none.clone(), 902, "95344018268a00eb37505117d8ea571e8002fa7f5d05ab0845c0e41de79b067b"),
        (
            TableOptions { filter_bits_per_key: 0, ..none },
            746,
            "2ceb7962301982faf609eb04fe080c1a2e684211a4d4fdd25fc4077283c218d2",
        ),
        (original(), 875, "87cb207b7b7f5c80f8e832e617f29c9c2819e1b2bc44494cc3bad91d8a506bbd"),
    ];
    for (options, size, sha) in cases {
        let (built, summary) = build(options, &entries);
        assert_eq!((built.len(), sha256(&built).as_str()), (size, sha));
        assert_eq!((summary.seq_lo, summary.seq_hi), (1, 7));
        assert_eq!(
            summary.key_hashes.iter().map(|hash| format!("{hash:016x}")).collect::<Vec<_>>(),
            [
                "d24ec4f1a98c6e5b",
                "d24ec4f1a98c6e5b",
                "5889a1c15c94729f",
                "78452aa11af39f9b",
                "a3dad144c40657ed",
                "5000d8f2907d14e4",
                "49eac513f7718934",
            ]
        );
        check_reads("seven", &Bytes::from(built), &entries);
    }
}

/// Where blocks are cut, and where the second index level begins.
#[test]
fn block_cutting() {
    let options = TableOptions { compression: Compression::None, ..original() };
    let cases = [
        (100, 3649, 1, "66a23702d929ca5f8812b7ea38900536185d986e94183012180816f42897ffca"),
        (20_000, 592_569, 138, "52357a92623c60adc9020562f0e76e771fe2b561f55ded1bf227a22a0bfab400"),
    ];
    for (n, size, blocks, sha) in cases {
        let entries: Vec<Entry> = (0..n)
            .map(|i| Entry {
                key: format!("key{i:08}").into(),
                sequence: i + 1,
                kind: Kind::Set,
                value: format!("\0value-{i:08}").into(),
            })
            .collect();
        let (built, summary) = build(options.clone(), &entries);
        assert_eq!((summary.size, summary.data_blocks), (size, blocks));
        assert_eq!(sha256(&built), sha);
    }
}

/// The list beside the golden files is what they are.
#[test]
fn fixtures_are_the_listed_ones() {
    let list = String::from_utf8(fixture("SHA256.txt").to_vec()).unwrap();
    let mut seen = 0;
    for line in list.lines() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let Some((_, expected)) = line.split_once("sha256=") else { continue };
        assert_eq!(sha256(&fixture(&format!("{name}.sst"))), expected, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 12);
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
