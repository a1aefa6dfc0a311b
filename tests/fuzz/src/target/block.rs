//! A data block: its body is the input, under a right checksum.

use isledb_core::format::sst::{Block, BlockHandle, BlockIter, ChecksumKind};

use crate::crafted::sealed;
use crate::fixtures;
use crate::reference::{self, Row};
use crate::stored::name;

pub(super) fn run(body: &[u8]) -> bool {
    let handle = BlockHandle { offset: 7, length: body.len() as u64 };
    let Ok(block) = Block::decode(&name(), handle, sealed(body, 0), ChecksumKind::Crc32c, 1 << 20) else {
        return false;
    };
    let forwards = walk(&block, body.len(), BlockIter::seek_to_first, BlockIter::next);
    let backwards = walk(&block, body.len(), BlockIter::seek_to_last, BlockIter::prev);
    let expected = reference::decode(body);
    assert_eq!(forwards.as_ref(), expected.as_ref().map(|expected| &expected.rows));
    let Some(expected) = expected.filter(|expected| expected.searchable) else {
        // Restarts may lead anywhere: no answer is right, but each call ends.
        for key in [&b""[..], b"k", &[0xff; 9], body.get(3..9).unwrap_or_default()] {
            let _ = (block.find(key), block.iter().seek_ge(key), block.iter().seek_lt(key));
        }
        return forwards.is_some();
    };
    let rows = expected.rows;
    assert_eq!(backwards.map(|rows| rows.into_iter().rev().collect()), Some(rows.clone()));
    let step = (rows.len() / 32).max(1);
    for row in rows.iter().step_by(step) {
        seek(&block, &rows, &row.key);
        seek(&block, &rows, &[&row.key[..], b"\0"].concat());
        seek(&block, &rows, row.key.split_last().map_or(b"", |(_, rest)| rest));
    }
    true
}

/// The four ways to look for a key, against the list.
fn seek(block: &Block, rows: &[Row], key: &[u8]) {
    let at = rows.partition_point(|row| &row.key[..] < key);
    let mut iter = block.iter();
    assert_eq!(iter.seek_ge(key), Ok(at < rows.len()));
    assert_eq!(stands_on(&iter), rows.get(at).cloned());
    if iter.valid() {
        iter.prev().unwrap();
        assert_eq!(stands_on(&iter), at.checked_sub(1).map(|at| rows[at].clone()));
    }
    assert_eq!(iter.seek_lt(key), Ok(at > 0));
    assert_eq!(stands_on(&iter), at.checked_sub(1).map(|at| rows[at].clone()));
    if iter.valid() {
        iter.next().unwrap();
        assert_eq!(stands_on(&iter), rows.get(at).cloned());
    }
    let found = block.find(key).unwrap().map(|found| (found.sequence, found.value.to_vec()));
    let expected = rows.get(at).filter(|row| row.key == key);
    assert_eq!(found, expected.map(|row| (row.trailer >> 8, row.value.clone())));
}

fn stands_on(iter: &BlockIter) -> Option<Row> {
    assert_eq!(iter.value(), iter.value_slice());
    let trailer = iter.sequence() << 8 | iter.kind() as u64;
    iter.valid().then(|| Row { key: iter.user_key().to_vec(), trailer, value: iter.value().to_vec() })
}

type Move = fn(&mut BlockIter) -> isledb_core::Result<bool>;

/// All entries one way; `None` where one is refused.
fn walk(block: &Block, length: usize, first: Move, next: Move) -> Option<Vec<Row>> {
    let (mut iter, mut rows) = (block.iter(), Vec::new());
    let mut found = first(&mut iter).ok()?;
    while found {
        rows.extend(stands_on(&iter));
        assert!(rows.len() <= length / 3, "more entries than the block has room for");
        found = next(&mut iter).ok()?;
    }
    assert!(!iter.valid());
    Some(rows)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    fixtures::tables().iter().flat_map(|table| fixtures::data_blocks(table, 3)).collect()
}
