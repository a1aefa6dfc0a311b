//! A block as it is stored, compressed, under a right checksum.

use isledb_core::format::sst::{BlockHandle, ChecksumKind, read_stored_block};

use crate::crafted::sealed;
use crate::fixtures;
use crate::stored::name;

const SNAPPY: u8 = 1;
const ZSTD: u8 = 7;
const LIMIT: u64 = 1 << 20;

pub(super) fn snappy(body: &[u8]) -> bool {
    decompress(body, SNAPPY)
}

pub(super) fn zstd(body: &[u8]) -> bool {
    decompress(body, ZSTD)
}

fn decompress(body: &[u8], block_type: u8) -> bool {
    let handle = BlockHandle { offset: 7, length: body.len() as u64 };
    match read_stored_block(&name(), handle, sealed(body, block_type), ChecksumKind::Crc32c, LIMIT) {
        Ok(decoded) => {
            assert!(decoded.len() as u64 <= LIMIT);
            true
        }
        Err(error) => {
            assert_eq!((error.object(), error.offset()), (Some(&*name()), Some(7)), "{error}");
            false
        }
    }
}

pub(super) fn snappy_seeds() -> Vec<Vec<u8>> {
    fixtures::tables().iter().flat_map(|table| fixtures::compressed_blocks(table, SNAPPY, 3)).collect()
}

pub(super) fn zstd_seeds() -> Vec<Vec<u8>> {
    let by_encoder = ["f07_zstd.sst", "f10_zstd_other_encoder.sst"].map(fixtures::golden);
    by_encoder.iter().flat_map(|table| fixtures::compressed_blocks(table, ZSTD, 6)).collect()
}
