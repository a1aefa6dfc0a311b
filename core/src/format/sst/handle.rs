//! Where a block lies in its table.

use std::ops::Range;

use super::varint;
use crate::{Error, Result};

/// Bytes behind every block body: one type byte and a checksum of four.
pub(super) const BLOCK_TRAILER: u64 = 5;

/// The place of a block body in a table. The five bytes of its trailer follow and are not counted in `length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHandle {
    /// First byte of the body.
    pub offset: u64,
    /// Bytes of the body as stored (compressed).
    pub length: u64,
}

impl BlockHandle {
    /// The bytes to fetch: body and trailer.
    pub fn stored(&self) -> Range<u64> {
        self.offset..self.end()
    }

    /// First byte behind body and trailer. Handles from a table are checked on decoding, so this does not saturate.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length).saturating_add(BLOCK_TRAILER)
    }

    /// Reads a handle from the front of `bytes`, checks that the block ends before `limit`, and says how many bytes
    /// it took. `at` is where those bytes are, for the message.
    pub(super) fn decode(object: &str, at: u64, bytes: &[u8], limit: u64) -> Result<(BlockHandle, u32)> {
        let pair = varint::read(bytes).and_then(|(offset, first)| {
            let (length, second) = varint::read(bytes.get(first as usize..)?)?;
            Some((BlockHandle { offset, length }, first + second))
        });
        let Some((handle, length)) = pair else {
            return Err(Error::corrupt(object, at, "a block handle", format!("{:02x?}", first_bytes(bytes))));
        };
        if handle.end() > limit {
            let found = format!("offset {} length {}", handle.offset, handle.length);
            return Err(Error::corrupt(object, at, format!("a block that ends by byte {limit}"), found));
        }
        Ok((handle, length))
    }

    /// Appends the two integers.
    #[cfg(feature = "write")]
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        varint::put(out, self.offset);
        varint::put(out, self.length);
    }
}

fn first_bytes(bytes: &[u8]) -> &[u8] {
    bytes.get(..20).unwrap_or(bytes)
}
