//! The ids of all blobs that a table names, in the table itself, so that garbage collection need not scan it.
//!
//! The user property `isledb.blobs` says where: uvarint offset, stored length (without the 5-byte trailer) and count of one block
//! between the data blocks and the index. The block is the ids, 32 bytes each, ascending.

use std::ops::Range;

use super::blob::BlobId;
use crate::error::{Error, Result};

/// Name of the user property.
pub const BLOBS_PROPERTY: &str = "isledb.blobs";
const ID_BYTES: usize = 32;
/// Most ids in one table that are read (64 MiB of them).
const MAX_IDS: u64 = 2 << 20;

/// Where a table keeps the ids of its blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobList {
    /// Offset of the block in the table.
    pub offset: u64,
    /// Its stored length, without the trailer.
    pub length: u64,
    /// How many ids it holds.
    pub count: u64,
}

impl BlobList {
    /// The property's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        for number in [self.offset, self.length, self.count] {
            put_uvarint(&mut out, number);
        }
        out
    }

    /// Reads the property of the table `object`, whose size is `table_size`. Errors: `Corrupt`.
    pub fn decode(object: &str, mut bytes: &[u8], table_size: u64) -> Result<BlobList> {
        let mut next = || take_uvarint(&mut bytes);
        let (offset, length, count) = (next(), next(), next());
        let list = match (offset, length, count) {
            (Some(offset), Some(length), Some(count)) if bytes.is_empty() => {
                BlobList { offset, length, count }
            }
            _ => return Err(Error::corrupt(object, None, "three numbers in isledb.blobs", "others")),
        };
        let end = list.offset.checked_add(list.length).and_then(|end| end.checked_add(5));
        if list.count > MAX_IDS || end.is_none_or(|end| end > table_size) {
            return Err(Error::corrupt(object, None, "isledb.blobs within the table", format!("{list:?}")));
        }
        Ok(list)
    }

    /// The block with its trailer, as a range of the table.
    pub fn stored(&self) -> Range<u64> {
        self.offset..self.offset + self.length + 5
    }
}

/// The body of the block; `ids` ascend.
pub fn encode_ids(ids: &[BlobId]) -> Vec<u8> {
    debug_assert!(ids.is_sorted_by(|a, b| a < b));
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

/// Reads the (verified and decompressed) body of the block. Errors: `Corrupt` where it is not `count` ascending ids.
pub fn decode_ids(object: &str, list: &BlobList, body: &[u8]) -> Result<Vec<BlobId>> {
    let corrupt = |found: String| {
        Error::corrupt(object, list.offset, format!("{} ascending blob ids", list.count), found)
    };
    let (ids, rest) = body.as_chunks::<ID_BYTES>();
    if !rest.is_empty() || ids.len() as u64 != list.count {
        return Err(corrupt(format!("{} bytes", body.len())));
    }
    let ids: Option<Vec<BlobId>> = ids.iter().map(|id| BlobId::from_bytes(*id)).collect();
    ids.filter(|ids| ids.is_sorted_by(|a, b| a < b)).ok_or_else(|| corrupt("others".into()))
}

fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_uvarint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_no_list() {
        let good = BlobList { offset: 300, length: 64, count: 2 };
        assert_eq!(good.encode(), [0xac, 0x02, 64, 2]);
        assert_eq!(BlobList::decode("t", &good.encode(), 369).unwrap(), good);
        assert!(BlobList::decode("t", &good.encode(), 368).is_err(), "beyond the table");
        let endless = [0xff; 11];
        for bad in [&[][..], &[1, 2], &[1, 2, 3, 4], &[0x80], &endless] {
            assert!(BlobList::decode("t", bad, 1 << 40).is_err(), "{bad:?}");
        }
        let (low, high) = (BlobId::from_bytes([1; 32]).unwrap(), BlobId::from_bytes([2; 32]).unwrap());
        let body = encode_ids(&[low, high]);
        assert_eq!(decode_ids("t", &good, &body).unwrap(), [low, high]);
        let swapped = [&body[32..], &body[..32]].concat();
        for bad in [&body[..63], &body[..32], &swapped, &[0; 64]] {
            let error = decode_ids("t", &good, bad).unwrap_err();
            assert_eq!((error.object(), error.offset()), (Some("t"), Some(300)));
        }
    }

    proptest! {
        #[test]
        fn round_trips(offset in 0..1u64 << 50, length in 0..1u64 << 30, count in 0..MAX_IDS) {
            let list = BlobList { offset, length, count };
            prop_assert_eq!(BlobList::decode("t", &list.encode(), u64::MAX).unwrap(), list);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, size: u64) {
            if let Ok(list) = BlobList::decode("t", &bytes, size) {
                prop_assert!(list.stored().end <= size);
            }
        }
    }
}
