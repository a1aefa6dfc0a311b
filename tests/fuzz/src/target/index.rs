//! Index blocks of both levels: a table in which they are the input. Its data is said to lie before them, so handles may lead to
//! most places.
//!
//! Input: a byte of flags, two bytes of length, then so many bytes of the index (or its upper level), the rest is a partition.

use isledb_core::format::sst::{BlockHandle, PartitionAt, Table, TableOpen};

use crate::crafted::{Tail, put_varint, rows, sealed};
use crate::fixtures;
use crate::stored::name;

const TWO_LEVEL: u8 = 1;
const FILTER_PARTS: u8 = 2;
const BASE: u64 = 1 << 20;

pub(super) fn run(input: &[u8]) -> bool {
    let Some((&[flags, low, high], rest)) = input.split_first_chunk::<3>() else { return false };
    let split = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
    let (first, second) = rest.split_at(split);
    let mut tail = Tail::at(BASE);
    let mut properties = Vec::new();
    if flags & TWO_LEVEL != 0 {
        properties.push(("rocksdb.block.based.table.index.type", vec![2, 0, 0, 0]));
        if flags & FILTER_PARTS != 0 {
            let count = u64::from(flags >> 2);
            let (mut lengths, mut partitions) = (Vec::new(), Vec::new());
            put_varint(&mut lengths, count);
            (0..count).for_each(|i| put_varint(&mut lengths, i % 70));
            put_varint(&mut partitions, count);
            properties.insert(0, ("isledb.filter_parts", lengths));
            properties.push(("rocksdb.index.partitions", partitions));
        }
    }
    let partition = tail.block(second);
    let index = tail.block(first);
    assert!(partition.stored().end == index.offset);
    tail.meta("rocksdb.properties", &rows(&properties));
    let base = tail.base;
    let bytes = tail.finish(index);
    let size = base + bytes.len() as u64;
    match Table::open(&name(), size, base, bytes) {
        Ok(TableOpen::Ready(table)) => use_index(&table, second),
        Ok(TableOpen::NeedMore(range)) => panic!("{range:?}, and all but data is there"),
        Err(error) => {
            assert_eq!(error.object(), Some(&*name()), "{error}");
            false
        }
    }
}

fn use_index(table: &Table, second: &[u8]) -> bool {
    let mut decoded = !table.is_two_level();
    assert!(table.memory() < 1 << 20, "{} bytes", table.memory());
    for i in 0..table.partitions() {
        let separator = table.partition_separator(i);
        assert!(table.find_partition(separator).is_some_and(|found| found <= i) || separator.is_empty());
        let partition = match table.partition(i) {
            PartitionAt::Resident(partition) => partition,
            PartitionAt::Stored(range) => {
                assert!(range.start < range.end && range.end < table.size());
                // What is there instead: the second body, where it has the right length.
                let Some(body) = second.get(..(range.end - range.start - 5) as usize) else { continue };
                match table.decode_partition(i, sealed(body, 0)) {
                    Ok(partition) => partition,
                    Err(error) => {
                        assert_eq!(error.object(), Some(&*name()), "{error}");
                        continue;
                    }
                }
            }
        };
        decoded = true;
        let mut before: &[u8] = b"";
        for block in 0..partition.len() {
            let BlockHandle { offset, length } = partition.handle(block);
            assert!(offset + length + 5 <= table.size() - 53);
            let separator = partition.separator(block);
            assert!(before <= separator);
            before = separator;
            let found = partition.find_block(separator);
            assert!(found.is_some_and(|found| found <= block && partition.separator(found) == separator));
        }
        let _ = partition.may_contain(b"k");
        assert_eq!(partition.find_block(&[before, b"\xff"].concat()), None);
    }
    for key in [&b""[..], b"k", &[0xff; 40]] {
        assert!(table.find_partition(key).is_none_or(|found| found < table.partitions()));
    }
    decoded
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for table in fixtures::tables() {
        let (top, first) = fixtures::index_blocks(&table);
        let filters = table.table.properties().get("isledb.filter_parts").is_some();
        let count = table.table.partitions() as u8;
        let flags = match (table.table.is_two_level(), filters) {
            (false, _) => 0,
            (true, false) => TWO_LEVEL,
            (true, true) => TWO_LEVEL | FILTER_PARTS | count << 2,
        };
        let head = [flags, top.len() as u8, (top.len() >> 8) as u8];
        seeds.push([&head[..], &top, &first].concat());
    }
    seeds
}
