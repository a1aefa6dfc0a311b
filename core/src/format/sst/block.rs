//! A data block, decoded and verified.

use std::sync::Arc;

use bytes::Bytes;

use super::block_iter::BlockIter;
use super::checksum::ChecksumKind;
use super::handle::BlockHandle;
use super::row::RowBlock;
use super::stored::read_stored_block;
use crate::Result;

/// A data block, decoded and verified. Cheap to clone.
///
/// An uncompressed block is a slice of what was fetched, and every value is a slice of the block: nothing is copied. So a
/// value that is kept keeps its block, and a block keeps the read that it came with.
#[derive(Debug, Clone)]
pub struct Block {
    pub(super) object: Arc<str>,
    pub(super) offset: u64,
    pub(super) rows: RowBlock,
}

impl Block {
    /// Verifies and decodes the stored bytes of a data block: exactly [`BlockHandle::stored`] of the table `object`.
    ///
    /// Fails with `Corrupt` where checksum, compression or frame are wrong, or where the block decodes to more than
    /// `limit` bytes (see [`super::MAX_BLOCK_BYTES`]); with `Unsupported` for a codec that is not spoken here. Entries are
    /// checked as the iterator reaches them.
    pub fn decode(
        object: &Arc<str>,
        handle: BlockHandle,
        stored: Bytes,
        checksum: ChecksumKind,
        limit: u64,
    ) -> Result<Block> {
        let body = read_stored_block(object, handle, stored, checksum, limit)?;
        let rows = RowBlock::parse(object, handle.offset, body)?;
        Ok(Block { object: object.clone(), offset: handle.offset, rows })
    }

    /// An iterator over the entries, not yet positioned. It holds its own clone of the block.
    pub fn iter(&self) -> BlockIter {
        BlockIter::new(self.clone())
    }

    /// Bytes that it keeps in memory: the decoded body and the fixed part.
    pub fn memory(&self) -> u64 {
        self.rows.data.len() as u64 + size_of::<Block>() as u64
    }
}
