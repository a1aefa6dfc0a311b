//! The bytes of a table on their way out: blocks are compressed, sealed with a checksum, hashed and appended.

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::checksum::ChecksumKind;
use super::compression::{Compression, Compressor};
use super::decompression;
use super::handle::BlockHandle;

/// Finished bytes, and what is known of all that ever passed.
pub(super) struct Output {
    buffer: BytesMut,
    written: u64,
    sha256: Sha256,
    checksum: ChecksumKind,
    compressor: Compressor,
}

impl Output {
    pub(super) fn new(compression: Compression, checksum: ChecksumKind) -> Output {
        Output {
            buffer: BytesMut::new(),
            written: 0,
            sha256: Sha256::new(),
            checksum,
            compressor: Compressor::new(compression),
        }
    }

    /// Bytes since the beginning: the offset of the next block.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn checksum(&self) -> ChecksumKind {
        self.checksum
    }

    /// Finished bytes since the last call.
    pub(super) fn take(&mut self) -> Bytes {
        self.buffer.split().freeze()
    }

    /// Appends a block that may be compressed.
    pub(super) fn block(&mut self, body: &[u8]) -> BlockHandle {
        let (stored, block_type) = self.compressor.compress(body);
        let handle = BlockHandle { offset: self.written, length: stored.len() as u64 };
        let start = self.buffer.len();
        append(&mut self.buffer, stored, block_type, self.checksum);
        self.count(start);
        handle
    }

    /// Appends a block as it is.
    pub(super) fn raw_block(&mut self, body: &[u8]) -> BlockHandle {
        let handle = BlockHandle { offset: self.written, length: body.len() as u64 };
        let start = self.buffer.len();
        append(&mut self.buffer, body, decompression::NONE, self.checksum);
        self.count(start);
        handle
    }

    /// Appends bytes that are no block: the footer.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        self.count(start);
    }

    /// The SHA-256 of everything.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    fn count(&mut self, start: usize) {
        let added = self.buffer.get(start..).unwrap_or_default();
        self.sha256.update(added);
        self.written += added.len() as u64;
    }
}

/// Appends body, type and checksum.
fn append(buffer: &mut BytesMut, stored: &[u8], block_type: u8, checksum: ChecksumKind) {
    buffer.reserve(stored.len() + 5);
    buffer.extend_from_slice(stored);
    buffer.extend_from_slice(&[block_type]);
    buffer.extend_from_slice(&checksum.of(stored, block_type).to_le_bytes());
}
