//! The end of a table of unknown content: the last 53 bytes, and some before.

use isledb_core::format::sst::{Table, TableOpen};

use crate::fixtures;
use crate::stored::name;

pub(super) fn run(input: &[u8]) -> bool {
    let bytes = bytes::Bytes::copy_from_slice(input);
    let size = 1 << 40;
    let Some(offset) = u64::checked_sub(size, input.len() as u64) else { return false };
    match Table::open(&name(), size, offset, bytes.clone()) {
        Ok(TableOpen::Ready(_)) => true,
        Ok(TableOpen::NeedMore(range)) => {
            assert!(range.start < offset && range.end == size, "{range:?} after {offset}");
            true
        }
        Err(error) => {
            assert_eq!(error.object(), Some(&*name()), "{error}");
            // The same bytes as a whole table: offsets are small then.
            let _ = Table::open(&name(), input.len() as u64, 0, bytes);
            false
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let footers =
        fixtures::tables().into_iter().map(|table| table.bytes.slice(table.bytes.len() - 53..).to_vec());
    footers.collect()
}
