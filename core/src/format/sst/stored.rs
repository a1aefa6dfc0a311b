//! From stored bytes to a block body: length, checksum, then compression.

use bytes::Bytes;

use super::checksum::ChecksumKind;
use super::decompression;
use super::handle::{BLOCK_TRAILER, BlockHandle};
use crate::{Error, Result};

/// Verifies the stored bytes of a block (body and trailer, exactly [`BlockHandle::stored`]) and gives the decoded body.
/// An uncompressed body is a slice of `stored`.
///
/// Fails with `Corrupt` where the checksum differs, where the body decodes to more than `limit` bytes, or where it does
/// not decode; with `Unsupported` for a codec that is not snappy or zstd.
pub fn read_stored_block(
    object: &str,
    handle: BlockHandle,
    stored: Bytes,
    checksum: ChecksumKind,
    limit: u64,
) -> Result<Bytes> {
    let wanted = handle.length.saturating_add(BLOCK_TRAILER);
    if stored.len() as u64 != wanted {
        let found = format!("{} bytes", stored.len());
        return Err(Error::corrupt(object, handle.offset, format!("a block of {wanted} bytes"), found));
    }
    let Some((rest, expected)) = stored.split_last_chunk::<4>() else {
        return Err(Error::corrupt(object, handle.offset, "a block trailer", "none"));
    };
    let Some((&block_type, body)) = rest.split_last() else {
        return Err(Error::corrupt(object, handle.offset, "a block trailer", "none"));
    };
    let expected = u32::from_le_bytes(*expected);
    let found = checksum.of(body, block_type);
    if expected != found {
        let expected = format!("block checksum {expected:08x}");
        return Err(Error::corrupt(object, handle.offset, expected, format!("{found:08x}")));
    }
    let body = stored.slice(..body.len());
    decompression::decompress(object, handle.offset, block_type, body, limit)
}
