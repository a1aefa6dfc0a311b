//! A whole table, whose checksums are put right: every block of it, every entry, every filter.

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::format::blob_list::{BLOBS_PROPERTY, BlobList, decode_ids};
use isledb_core::format::sst::{BlockHandle, FullFilter, read_stored_block};
use isledb_core::format::value::Value;

use crate::fixtures;
use crate::reseal;
use crate::stored::{Stored, name};

/// An index may lead to one block again and again; what is read of a table ends here.
const MAX_ENTRIES: usize = 20_000;

pub(super) fn run(input: &[u8]) -> bool {
    let bytes = Bytes::from(reseal::table(input));
    let mut any = false;
    let tables = [Stored::whole(bytes.clone()), Stored::by_ranges(bytes)];
    let mut answers = Vec::new();
    for table in tables {
        let answer = table.and_then(|table| read(&table));
        match &answer {
            Ok(_) => any = true,
            Err(error) => assert_eq!(error.object(), Some(&*name()), "{error}"),
        }
        answers.push(answer.ok());
    }
    if let [Some(whole), Some(by_ranges)] = &answers[..] {
        assert_eq!(whole, by_ranges);
    }
    any
}

/// Keys and values, from the first to the last.
fn read(table: &Stored) -> Result<Vec<(Vec<u8>, Bytes)>> {
    let open = &table.table;
    if let Some(FullFilter::Stored(handle)) = open.full_filter() {
        let filter = open.decode_filter(handle, table.stored(handle))?;
        let _ = filter.may_contain(b"k");
    }
    if let Some(property) = open.properties().get(BLOBS_PROPERTY) {
        let list = BlobList::decode(open.object(), property, open.size())?;
        let handle = BlockHandle { offset: list.offset, length: list.length };
        let body = read_stored_block(open.object(), handle, table.stored(handle), open.checksum(), 1 << 20)?;
        decode_ids(open.object(), &list, &body)?;
    }
    let mut entries = Vec::new();
    for i in 0..open.partitions() {
        let partition = table.partition(i)?;
        for number in 0..partition.len() {
            let handle = partition.handle(number);
            let block = table.block(handle)?;
            let mut iter = block.iter();
            let mut found = iter.seek_to_first()?;
            while found {
                let _ = Value::decode(open.object(), Some(handle.offset), iter.value());
                entries.push((iter.user_key().to_vec(), iter.value()));
                found = iter.next()?;
            }
            if entries.len() > MAX_ENTRIES {
                return Ok(entries);
            }
        }
    }
    for (key, _) in entries.iter().step_by((entries.len() / 16).max(1)) {
        get(table, key)?;
    }
    Ok(entries)
}

fn get(table: &Stored, key: &[u8]) -> Result<()> {
    let Some(i) = table.table.find_partition(key) else { return Ok(()) };
    let partition = table.partition(i)?;
    if let Some(block) = partition.find_block(key).filter(|_| partition.may_contain(key)) {
        table.block(partition.handle(block))?.find(key)?;
    }
    Ok(())
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    fixtures::tables().into_iter().map(|table| table.bytes.to_vec()).collect()
}
