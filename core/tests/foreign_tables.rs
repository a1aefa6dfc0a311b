//! Tables that others may write: what can be read is read right, everything else is refused by its name.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sst;

use bytes::Bytes;
use isledb_core::Error;
use isledb_core::format::sst::{
    Block, BlockHandle, ChecksumKind, PartitionAt, TableOptions, read_stored_block,
};

use sst::crafted::{Craft, internal_key, row_block, varint};
use sst::{Entry, Stored, build, fixture, golden_entries};

const ROCKSDB: [u8; 8] = [0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88];
const LEVELDB: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const FULL_FILTER: &str = "fullfilter.rocksdb.BuiltinBloomFilter";

#[track_caller]
fn reads(name: &str, craft: &Craft) -> Stored {
    let entries = golden_entries(300);
    let bytes = craft.build(&entries, 40);
    let table = Stored::open(name, bytes.clone(), None).unwrap();
    assert!(table.entries().unwrap() == entries, "{name}: forwards");
    let mut backwards = table.entries_backwards().unwrap();
    backwards.reverse();
    assert!(backwards == entries, "{name}: backwards");
    for expected in entries.chunk_by(|a, b| a.key == b.key).map(|versions| &versions[0]) {
        assert_eq!(table.get(&expected.key).unwrap().as_ref(), Some(expected), "{name}");
    }
    table
}

#[track_caller]
fn unsupported(craft: &Craft, name: &str) {
    let entries = golden_entries(20);
    let result = Stored::open("db/t.sst", craft.build(&entries, 8), None).and_then(|table| table.entries());
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Unsupported { what, .. } if what.contains(name)), "{name}: {error}");
    assert_eq!(error.object(), Some("db/t.sst"));
}

#[track_caller]
fn corrupt(craft: &Craft, word: &str) {
    let entries = golden_entries(20);
    let error = Stored::open("db/t.sst", craft.build(&entries, 8), None).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(word), "{word}: {error}");
}

fn with(name: &'static str, value: &[u8]) -> Craft {
    Craft { properties: vec![(name, value.to_vec())], ..Craft::default() }
}

#[test]
fn what_others_may_write() {
    reads("plain", &Craft::default());
    reads("version 2", &Craft { version: 2, ..Craft::default() });
    reads("rocksdb", &Craft { version: 2, magic: ROCKSDB, ..Craft::default() });
    reads("xxh64", &Craft { checksum: 3, ..Craft::default() });
    for interval in [1, 3, 1000] {
        reads("restart interval", &Craft { data_interval: interval, ..Craft::default() });
        reads("prefix-compressed index", &Craft { index_interval: interval, ..Craft::default() });
    }
    reads("block properties", &Craft { index_suffix: &[7, 3, 1, 2, 3], ..Craft::default() });
    reads("gaps", &Craft { gap: 333, ..Craft::default() });
    reads("index before data", &Craft { index_first: true, ..Craft::default() });
    reads("padding", &Craft { padding: 0x55, ..Craft::default() });
    reads("unknown meta block", &Craft { meta: vec![("zz.unknown", vec![1, 2, 3])], ..Craft::default() });
    for operator in ["", "nullptr", "pebble.concatenate"] {
        reads(operator, &with("rocksdb.merge.operator", operator.as_bytes()));
    }
    reads("comparator", &with("rocksdb.comparator", b"leveldb.BytewiseComparator"));
    reads("global sequence 0", &with("rocksdb.external_sst_file.global_seqno", &[0; 8]));
    reads("single level", &with("rocksdb.block.based.table.index.type", &[0; 4]));
}

#[test]
fn what_is_not_spoken_is_named() {
    for (version, name) in [(3, "value prefix"), (4, "value prefix"), (5, "columnar"), (7, "columnar")] {
        unsupported(&Craft { version, ..Craft::default() }, name);
    }
    unsupported(&Craft { magic: ROCKSDB, version: 5, ..Craft::default() }, "format_version 5");
    unsupported(&Craft { magic: LEVELDB, ..Craft::default() }, "LevelDB");
    unsupported(&Craft { checksum: 4, ..Craft::default() }, "XXH3");
    unsupported(&Craft { checksum: 0, ..Craft::default() }, "checksum none");
    unsupported(&Craft { data_type: 8, ..Craft::default() }, "MinLZ");
    unsupported(&Craft { data_type: 4, ..Craft::default() }, "LZ4");
    unsupported(&with("rocksdb.comparator", b"my.Comparator"), "my.Comparator");
    unsupported(&with("rocksdb.merge.operator", b"my.Merger"), "my.Merger");
    unsupported(&with("rocksdb.index.value.is.delta.encoded", &[1]), "delta-encoded index");
    unsupported(&with("rocksdb.index.key.is.user.key", &[1]), "index keys without sequence");
    unsupported(&with("rocksdb.block.based.table.index.type", &[1, 0, 0, 0]), "hash index");
    unsupported(&with("rocksdb.num.range-deletions", &[1]), "range deletions");
    unsupported(
        &with("rocksdb.external_sst_file.global_seqno", &[1, 0, 0, 0, 0, 0, 0, 0]),
        "global sequence",
    );
    for (name, what) in [
        ("rocksdb.range_del", "range deletions"),
        ("rocksdb.range_del2", "range deletions"),
        ("pebble.range_key", "range keys"),
        ("pebble.value_index", "blocks of their own"),
        ("pebble.blob_ref_index", "blob files"),
        ("rocksdb.compression_dict", "dictionary"),
    ] {
        unsupported(&Craft { meta: vec![(name, Vec::new())], ..Craft::default() }, what);
    }
    // Two levels without saying so: the upper index block leads to an index block, not to data.
    let entries = golden_entries(3000);
    let table = Stored::open("t", fixture("f12_edge_none_512.sst"), None).unwrap();
    let PartitionAt::Stored(range) = table.table.partition(0) else { panic!() };
    let handle =
        BlockHandle { offset: range.start, length: u64::from(table_index_length(&table, range.start)) };
    let stored = table.bytes.slice(range.start as usize..(handle.offset + handle.length + 5) as usize);
    let block = Block::decode(table.table.object(), handle, stored, ChecksumKind::Crc32c, 1 << 20).unwrap();
    let error = block.iter().seek_ge(&entries[0].key).unwrap_err();
    assert!(error.to_string().contains("SEPARATOR"), "{error}");
}

/// The length of the index partition at `offset`: the one that makes the checksum right.
fn table_index_length(table: &Stored, offset: u64) -> u32 {
    (0..8192)
        .find(|&length| {
            let handle = BlockHandle { offset, length: u64::from(length) };
            let range = handle.stored();
            let stored = table.bytes.slice(range.start as usize..range.end as usize);
            read_stored_block("t", handle, stored, ChecksumKind::Crc32c, 1 << 20).is_ok()
        })
        .unwrap()
}

#[test]
fn broken_properties_and_filters_are_corrupt() {
    corrupt(&with("rocksdb.block.based.table.index.type", &[2]), "four bytes");
    corrupt(&with("rocksdb.block.based.table.index.type", &[9, 0, 0, 0]), "0 or 2");
    corrupt(&with("rocksdb.num.range-deletions", &[0x80]), "a number");
    corrupt(&with("isledb.filter_parts", &[1, 64]), "beside a single index block");
    corrupt(&with("isledb.filter_parts", &[3, 64]), "as many lengths");
    corrupt(&with("isledb.filter_parts", &[0x80]), "as many lengths");
    corrupt(
        &Craft { meta: vec![(FULL_FILTER, vec![0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0])], ..Craft::default() },
        "lines",
    );
    let none = Craft { magic: [0; 8], ..Craft::default() };
    corrupt(&none, "magic");
}

#[test]
fn a_filter_of_a_later_layout_excludes_nothing() {
    let body = vec![0, 0, 0, 0, 0, 0, 0, 0, 0xff, 1, 0, 0, 0];
    let table = reads("later filter", &Craft { meta: vec![(FULL_FILTER, body)], ..Craft::default() });
    assert!(table.partition(0).unwrap().may_contain(b"absent"));
}

/// The properties of an edge table, changed. The properties block is rewritten and everything behind it moved.
fn edge_with(change: impl Fn(&str, Vec<u8>) -> Vec<(String, Vec<u8>)>) -> (Bytes, Vec<Entry>) {
    let entries = golden_entries(500);
    let options = TableOptions { block_size: 512, ..TableOptions::default() };
    let (bytes, summary) = build(options, &entries);
    let table = Stored::open("t", Bytes::from(bytes.clone()), Some(summary.meta_offset)).unwrap();
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, value) in table.table.properties().iter() {
        let changed = change(std::str::from_utf8(name).unwrap(), value.to_vec());
        rows.extend(changed.into_iter().map(|(name, value)| (name.into_bytes(), value)));
    }
    rows.sort();
    let footer = table.table.footer();
    let properties = (footer.index.offset + footer.index.length + 5) as usize;
    let mut out = bytes[..properties].to_vec();
    let seal = |out: &mut Vec<u8>, body: Vec<u8>| {
        let handle = [varint(out.len()), varint(body.len())].concat();
        let start = out.len();
        out.extend(body);
        out.push(0);
        let sum = crc32c::crc32c(&out[start..]).rotate_right(15).wrapping_add(0xa282_ead8);
        out.extend(sum.to_le_bytes());
        handle
    };
    let handle = seal(&mut out, row_block(&rows, usize::MAX));
    let metaindex = seal(&mut out, row_block(&[(b"rocksdb.properties".to_vec(), handle)], 1));
    let mut tail =
        [vec![1], metaindex, varint(footer.index.offset as usize), varint(footer.index.length as usize)]
            .concat();
    tail.resize(41, 0);
    tail.extend_from_slice(&bytes[bytes.len() - 12..]);
    out.extend(tail);
    (Bytes::from(out), entries)
}

fn parts_of(value: &[u8]) -> Vec<usize> {
    let mut numbers = vec![0];
    let mut shift = 0;
    for &byte in value {
        *numbers.last_mut().unwrap() |= usize::from(byte & 0x7f) << shift;
        shift = if byte < 0x80 { 0 } else { shift + 7 };
        if byte < 0x80 {
            numbers.push(0);
        }
    }
    numbers.pop();
    numbers
}

fn change_parts(change: impl Fn(Vec<usize>) -> Vec<usize>) -> Bytes {
    edge_with(|name, value| {
        let value = match name {
            "isledb.filter_parts" => change(parts_of(&value)).into_iter().flat_map(varint).collect(),
            _ => value,
        };
        vec![(name.to_owned(), value)]
    })
    .0
}

#[test]
fn filter_parts_are_checked_and_later_ones_ignored() {
    let (same, entries) = edge_with(|name, value| vec![(name.to_owned(), value)]);
    let table = Stored::open("t", same, None).unwrap();
    assert!(table.entries().unwrap() == entries);
    assert!(table.table.partitions() > 2 && table.partition(0).unwrap().filter().is_some());

    // Another isledb.filter_* property: the parts may mean something else now.
    let (later, entries) = edge_with(|name, value| {
        let mut rows = vec![(name.to_owned(), value)];
        if name == "isledb.filter_parts" {
            rows.push(("isledb.filter_kind".to_owned(), b"ribbon".to_vec()));
        }
        rows
    });
    let table = Stored::open("t", later, None).unwrap();
    assert!(table.entries().unwrap() == entries);
    assert!(
        table.partition(0).unwrap().filter().is_none() && table.partition(0).unwrap().may_contain(b"absent")
    );

    let refused = |bytes: Bytes, word: &str| {
        let error = Stored::open("t", bytes, None).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }) && error.to_string().contains(word), "{error}");
    };
    // One part too few, one too many, one that runs into the next partition.
    refused(change_parts(|parts| [&[parts[0] - 1], &parts[1..parts.len() - 1]].concat()), "parts");
    refused(change_parts(|parts| [&[parts[0] + 1], &parts[1..], &[69]].concat()), "parts");
    refused(change_parts(|parts| [&parts[..1], &[1 << 20], &parts[2..]].concat()), "filter part");
    refused(change_parts(|parts| [&parts[..1], &[parts[1] + 1], &parts[2..]].concat()), "filter part");
    // A part that ends early is found out by its checksum.
    let short =
        Stored::open("t", change_parts(|parts| [&parts[..1], &[parts[1] - 1], &parts[2..]].concat()), None);
    let error = short.and_then(|table| table.entries()).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    // The count of partitions says something else.
    let (count, _) = edge_with(|name, value| {
        let value = if name == "rocksdb.index.partitions" { varint(3000) } else { value };
        vec![(name.to_owned(), value)]
    });
    refused(count, "partitions");
}

fn decode(body: Vec<u8>) -> isledb_core::Result<Block> {
    let mut stored = [body.as_slice(), &[0]].concat();
    let sum = crc32c::crc32c(&stored).rotate_right(15).wrapping_add(0xa282_ead8);
    stored.extend(sum.to_le_bytes());
    let handle = BlockHandle { offset: 77, length: body.len() as u64 };
    Block::decode(&"db/t.sst".into(), handle, stored.into(), ChecksumKind::Crc32c, 1 << 20)
}

/// Blocks whose checksum is right and whose entries are not: every walk ends, with an error or without one.
#[test]
fn entries_that_lie_end_in_an_error() {
    let rows: Vec<_> =
        golden_entries(30).iter().map(|entry| (internal_key(entry), entry.value.clone())).collect();
    let body = row_block(&rows, 4);
    let mut errors = 0;
    for at in 0..body.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut body = body.clone();
            body[at] = byte;
            let Ok(block) = decode(body) else {
                errors += 1;
                continue;
            };
            let mut failed = false;
            let mut run = |walk: &dyn Fn(
                &mut isledb_core::format::sst::BlockIter,
            ) -> isledb_core::Result<bool>,
                           start: &dyn Fn(
                &mut isledb_core::format::sst::BlockIter,
            ) -> isledb_core::Result<bool>| {
                let mut iter = block.iter();
                let mut found = start(&mut iter);
                let mut steps = 0;
                while let Ok(true) = found {
                    assert!(iter.valid());
                    let _ = (iter.user_key().len(), iter.value_slice().len(), iter.value());
                    steps += 1;
                    assert!(steps < 2000, "byte {at} = {byte:02x}: the walk does not end");
                    found = walk(&mut iter);
                }
                assert!(!iter.valid());
                failed |= found.is_err_and(|error| error.object() == Some("db/t.sst"));
            };
            run(&|iter| iter.next(), &|iter| iter.seek_to_first());
            run(&|iter| iter.prev(), &|iter| iter.seek_to_last());
            run(&|iter| iter.prev(), &|iter| iter.seek_lt(b"user0000000999"));
            run(&|iter| iter.next(), &|iter| iter.seek_ge(b"user00000000"));
            errors += u32::from(failed);
        }
    }
    assert!(errors > 100, "{errors} of the lies were found out: this test tests nothing");
}

/// Found by reading: a name may repeat all of the one before it for four bytes, and each was kept whole. A block of 64 MiB could so ask
/// for terabytes.
#[test]
fn names_that_repeat_each_other_without_end_are_refused() {
    let name: &'static str = "n".repeat(4096).leak();
    for (copies, sound) in [(250, true), (260, false)] {
        let craft = Craft { properties: vec![(name, b"v".to_vec()); copies], ..Craft::default() };
        let opened = Stored::open("db/sstable/names.sst", craft.build(&golden_entries(4), 4), None);
        assert_eq!(opened.is_ok(), sound, "{copies} names of {} bytes", name.len());
    }
}
