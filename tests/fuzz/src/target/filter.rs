//! The body of a filter block. Input: a byte of key length, the key, the body.

use bytes::Bytes;
use isledb_core::format::sst::{Filter, FullFilter, Table, TableOpen, filter_hash};

use crate::crafted::{Tail, rows};
use crate::fixtures;
use crate::stored::name;

pub(super) fn run(input: &[u8]) -> bool {
    let Some((&length, rest)) = input.split_first() else { return false };
    let (key, body) = rest.split_at(usize::from(length).min(rest.len()));
    let Ok(filter) = decode(body) else { return false };
    assert_eq!(filter.may_contain(key), filter.may_contain_hash(filter_hash(key)));
    assert!(filter.memory() <= body.len() as u64);
    for i in 0..64 {
        let _ = filter.may_contain_hash(i << 26);
    }
    true
}

fn decode(body: &[u8]) -> isledb_core::Result<Filter> {
    let mut tail = Tail::at(0);
    let index = tail.block(&rows(&[]));
    tail.meta("fullfilter.rocksdb.BuiltinBloomFilter", body);
    tail.meta("rocksdb.properties", &rows(&[]));
    let bytes: Bytes = tail.finish(index);
    match Table::open(&name(), bytes.len() as u64, 0, bytes)? {
        TableOpen::Ready(table) => match table.full_filter() {
            Some(FullFilter::Resident(filter)) => Ok(filter),
            other => panic!("{other:?}, with the whole table at hand"),
        },
        TableOpen::NeedMore(range) => panic!("{range:?}, with the whole table at hand"),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let bodies = fixtures::tables().into_iter().filter_map(|table| fixtures::filter_body(&table));
    bodies.map(|(key, body)| [&[key.len() as u8], &key[..], &body].concat()).collect()
}
