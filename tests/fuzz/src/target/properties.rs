//! The body of a properties block; what it says of blobs is read too.

use isledb_core::format::blob_list::{BLOBS_PROPERTY, BlobList, decode_ids};
use isledb_core::format::sst::{Table, TableOpen};

use crate::crafted::{Tail, rows};
use crate::fixtures;
use crate::stored::name;

pub(super) fn run(body: &[u8]) -> bool {
    let mut tail = Tail::at(0);
    let index = tail.block(&rows(&[]));
    tail.meta("rocksdb.properties", body);
    let bytes = tail.finish(index);
    let table = match Table::open(&name(), bytes.len() as u64, 0, bytes) {
        Ok(TableOpen::Ready(table)) => table,
        Ok(TableOpen::NeedMore(range)) => panic!("{range:?}, with the whole table at hand"),
        Err(error) => {
            assert_eq!(error.object(), Some(&*name()), "{error}");
            return false;
        }
    };
    let properties = table.properties();
    let _ = (properties.entries(), properties.deletes(), properties.data_blocks(), properties.data_size());
    for (property, value) in properties.iter() {
        let found = std::str::from_utf8(property).ok().and_then(|property| properties.get(property));
        assert!(found.is_some() || std::str::from_utf8(property).is_err());
        if let Ok(list) = BlobList::decode(&name(), value, 1 << 20) {
            assert!(list.stored().end <= 1 << 20);
            if let Ok(ids) = decode_ids(&name(), &list, body) {
                assert_eq!((ids.len() as u64, ids.len() * 32), (list.count, body.len()));
            }
        }
    }
    if let Some(value) = properties.get(BLOBS_PROPERTY) {
        let _ = BlobList::decode(&name(), value, table.size());
    }
    true
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = fixtures::tables().iter().map(fixtures::properties_body).collect();
    let list = BlobList { offset: 100, length: 64, count: 2 };
    seeds.push(rows(&[(BLOBS_PROPERTY, list.encode()), ("rocksdb.num.entries", vec![9])]));
    seeds
}
