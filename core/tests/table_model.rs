//! Random tables against a plain list: what was added is what is read, in every direction and from every point.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sst;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Error;
use isledb_core::format::sst::{
    Block, ChecksumKind, Compression, Kind, TableBuilder, TableFlavour, TableLayout, TableOptions,
    read_stored_block,
};
use proptest::prelude::*;

use sst::{Entry, Stored, build, entry};

/// Keys of few letters, so that they share prefixes and one is often the beginning of another; 0xff is where separators
/// become hard.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0u8), Just(b'a'), Just(b'b'), Just(0xfe), Just(0xff)];
    prop_oneof![
        9 => prop::collection::vec(byte, 1..12),
        3 => prop::collection::vec(any::<u8>(), 1..20),
        1 => prop::collection::vec(Just(0xff), 1..300),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        4 => (any::<u8>(), 0usize..400).prop_map(|(byte, length)| vec![byte; length]),
        1 => (any::<u8>(), 2000usize..20_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let versions = prop::collection::btree_map(0u64..1 << 40, (any::<bool>(), value()), 1..4);
    let many = prop::collection::btree_map(0u64..1 << 20, (any::<bool>(), value()), 20..60);
    let of_key = prop_oneof![20 => versions, 1 => many];
    prop::collection::btree_map(key(), of_key, 1..120).prop_map(|keys: BTreeMap<_, BTreeMap<_, _>>| {
        let mut entries = Vec::new();
        for (key, versions) in keys {
            for (sequence, (set, value)) in versions.into_iter().rev() {
                let kind = if set { Kind::Set } else { Kind::Delete };
                entries.push(Entry { key: key.clone(), sequence, kind, value });
            }
        }
        entries
    })
}

fn zstd() -> Compression {
    Compression::Zstd(Arc::new(|raw: &[u8]| {
        ruzstd::encoding::compress_to_vec(raw, ruzstd::encoding::CompressionLevel::Fastest)
    }))
}

fn options() -> impl Strategy<Value = TableOptions> {
    let size = prop::sample::select(vec![1u32, 60, 200, 512, 4096, 65536]);
    let compression = prop::sample::select(vec![Compression::None, Compression::Snappy, zstd()]);
    let bits = prop::sample::select(vec![0u32, 1, 10, 20, 60]);
    let restart = prop::sample::select(vec![1u32, 2, 5, 16, u32::MAX]);
    (size, compression, bits, restart, any::<[bool; 3]>()).prop_map(
        |(block_size, compression, filter_bits_per_key, restart_interval, [original, rocksdb, xxh])| {
            TableOptions {
                block_size,
                compression,
                filter_bits_per_key,
                restart_interval,
                layout: if original { TableLayout::Original } else { TableLayout::Edge },
                flavour: if rocksdb { TableFlavour::RocksDb } else { TableFlavour::Pebble },
                checksum: if xxh { ChecksumKind::XxHash64 } else { ChecksumKind::Crc32c },
                key_hashes: false,
            }
        },
    )
}

fn block_entries(block: &Block) -> Vec<Entry> {
    let mut iter = block.iter();
    let mut found = iter.seek_to_first().unwrap();
    let mut entries = Vec::new();
    while found {
        entries.push(entry(&iter));
        found = iter.next().unwrap();
    }
    entries
}

/// Walks a block at random beside the list of its entries.
fn walk(block: &Block, entries: &[Entry], probe: &[u8], steps: &[bool]) {
    let mut iter = block.iter();
    let at_or_above = entries.partition_point(|entry| entry.key.as_slice() < probe);
    let newest = entries.get(at_or_above).filter(|entry| entry.key == probe);
    let found = block.find(probe).unwrap();
    assert_eq!(
        found.map(|found| (found.sequence, found.kind, found.value.to_vec())),
        newest.map(|entry| (entry.sequence, entry.kind, entry.value.to_vec())),
        "{probe:02x?}"
    );
    for (found, start) in [
        (iter.clone().seek_ge(probe).unwrap(), Some(at_or_above).filter(|&i| i < entries.len())),
        (iter.clone().seek_lt(probe).unwrap(), at_or_above.checked_sub(1)),
    ] {
        assert_eq!(found, start.is_some(), "{probe:02x?}");
    }
    for backwards in [false, true] {
        let mut position = if backwards {
            iter.seek_lt(probe).unwrap();
            at_or_above.checked_sub(1)
        } else {
            iter.seek_ge(probe).unwrap();
            Some(at_or_above).filter(|&i| i < entries.len())
        };
        for &forward in steps {
            let Some(at) = position else { break };
            assert!(iter.valid());
            assert_eq!(&entry(&iter), &entries[at]);
            let found;
            (found, position) = if forward {
                (iter.next().unwrap(), Some(at + 1).filter(|&i| i < entries.len()))
            } else {
                (iter.prev().unwrap(), at.checked_sub(1))
            };
            assert_eq!(found, position.is_some());
        }
        if position.is_none() {
            assert!(!iter.valid() && iter.user_key().is_empty() && iter.value().is_empty());
            assert!(!iter.next().unwrap() && !iter.prev().unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_was_added_is_read(
        entries in entries(),
        options in options(),
        probes in prop::collection::vec(key(), 8),
        steps in prop::collection::vec(prop::bool::weighted(0.4), 40),
    ) {
        let (bytes, summary) = build(options.clone(), &entries);
        let bytes = Bytes::from(bytes);
        let whole = Stored::open_whole("t", bytes.clone()).unwrap();
        prop_assert_eq!(&whole.entries().unwrap(), &entries);
        let mut backwards = whole.entries_backwards().unwrap();
        backwards.reverse();
        prop_assert_eq!(&backwards, &entries);

        // Read again by ranges, from the offset of the summary: opening is one read.
        let table = Stored::open("t", bytes.clone(), Some(summary.meta_offset)).unwrap();
        prop_assert_eq!(table.tail_reads, 1);
        prop_assert_eq!(table.table.properties().entries(), summary.entries);
        prop_assert_eq!(table.table.properties().deletes(), summary.deletes);
        let unknown = Stored::open("t", bytes, None).unwrap();
        prop_assert_eq!(&unknown.entries().unwrap(), &entries);

        for probe in probes.iter().map(Vec::as_slice).chain(entries.iter().map(|entry| entry.key.as_slice()).step_by(9)) {
            let expected = entries.iter().find(|entry| entry.key == probe);
            prop_assert_eq!(table.get(probe).unwrap(), expected.cloned());
        }
        for block in table.blocks().unwrap().iter().step_by(5) {
            let entries = block_entries(block);
            for probe in probes.iter().chain(entries.iter().map(|entry| &entry.key).take(4)) {
                walk(block, &entries, probe, &steps);
            }
        }
    }
}

#[test]
fn filters_of_both_layouts_miss_no_key_and_pass_few_strangers() {
    let entries: Vec<Entry> = (0..20_000u64)
        .map(|i| Entry {
            key: format!("user{:012}", i * 7919).into(),
            sequence: i,
            kind: Kind::Set,
            value: vec![0; 20],
        })
        .collect();
    for layout in [TableLayout::Edge, TableLayout::Original] {
        let options = TableOptions { layout, block_size: 1024, ..TableOptions::default() };
        let (bytes, summary) = build(options, &entries);
        let table = Stored::open("t", Bytes::from(bytes), Some(summary.meta_offset)).unwrap();
        assert!(table.table.partitions() > 1);
        let full = table.table.full_filter().map(|filter| match filter {
            isledb_core::format::sst::FullFilter::Resident(filter) => filter,
            isledb_core::format::sst::FullFilter::Stored(handle) => {
                let range = handle.stored();
                let stored = table.bytes.slice(range.start as usize..range.end as usize);
                table.table.decode_filter(handle, stored).unwrap()
            }
        });
        assert_eq!(full.is_some(), layout == TableLayout::Original);
        let partitions: Vec<_> = (0..table.table.partitions()).map(|i| table.partition(i).unwrap()).collect();
        let may_contain = |key: &[u8]| match (&full, table.table.find_partition(key)) {
            (_, None) => false,
            (Some(filter), _) => filter.may_contain(key),
            (None, Some(i)) => partitions[i].may_contain(key),
        };
        assert!(entries.iter().all(|entry| may_contain(&entry.key)), "{layout:?}");
        let passed =
            (0..20_000u64).filter(|i| may_contain(format!("user{:012}", i * 7919 + 1).as_bytes())).count();
        assert!(passed < 400, "{layout:?}: {passed} of 20000 absent keys pass; 2 % are allowed");
    }
}

#[test]
fn a_builder_refuses_what_would_break_a_table() {
    let mut builder = TableBuilder::new(TableOptions::default());
    let refused = |result: isledb_core::Result<()>, word: &str| {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument { what } if what.contains(word)), "{error}");
    };
    assert!(builder.finish().is_err(), "no entries");
    refused(builder.add(b"", 1, Kind::Set, b"v"), "a key of 0 bytes");
    refused(builder.add(b"k", (1 << 56) - 1, Kind::Set, b"v"), "sequence");
    builder.add(b"kk", 5, Kind::Set, b"v").unwrap();
    for (key, sequence) in [(&b"kk"[..], 5), (b"kk", 6), (b"k", 9), (b"kj", 1), (b"kj\xff", 1), (b"a", 1)] {
        refused(builder.add(key, sequence, Kind::Set, b"v"), "order");
        refused(builder.add(key, sequence, Kind::Delete, b"v"), "order");
    }
    builder.add(b"kk", 4, Kind::Delete, b"\x02").unwrap();
    builder.add(b"kk\0", 9, Kind::Set, b"v").unwrap();

    builder.add_user_property("isledb.test", b"1").unwrap();
    for name in ["isledb.test", "rocksdb.comparator", "pebble.x", "isledb.filter_parts", ""] {
        refused(builder.add_user_property(name, b"1"), "property");
    }
    let handle = builder.write_block_before_index(b"twelve bytes").unwrap();
    assert!(builder.write_block_before_index(b"again").is_err());
    refused(builder.add(b"z", 1, Kind::Set, b"v"), "behind the end");
    let summary = builder.finish().unwrap();
    assert_eq!((summary.entries, summary.deletes, summary.seq_lo, summary.seq_hi), (3, 1, 4, 9));
    assert!(builder.finish().is_err());

    let table = Stored::open_whole("t", builder.take_output()).unwrap();
    assert_eq!(table.entries().unwrap().len(), 3);
    assert_eq!(table.table.properties().get("isledb.test").unwrap(), "1");
    let range = handle.stored();
    let stored = table.bytes.slice(range.start as usize..range.end as usize);
    assert_eq!(read_stored_block("t", handle, stored, ChecksumKind::Crc32c, 12).unwrap(), "twelve bytes");
}

/// The output is the same whether it is taken piece by piece or at the end, and its pieces come while building.
#[test]
fn output_is_a_stream() {
    let entries = sst::golden_entries(3000);
    let (pieces, _) = build(TableOptions::default(), &entries);
    let mut builder = TableBuilder::new(TableOptions::default());
    for (i, entry) in entries.iter().enumerate() {
        builder.add(&entry.key, entry.sequence, entry.kind, &entry.value).unwrap();
        assert!(builder.estimated_size() >= builder.written());
        assert!(i < 200 || builder.written() > 0, "blocks leave as they are full");
    }
    let estimate = builder.estimated_size();
    let summary = builder.finish().unwrap();
    assert_eq!(builder.take_output(), pieces);
    assert!(estimate.abs_diff(summary.size) < 8192, "{estimate} estimated, {} written", summary.size);
}
