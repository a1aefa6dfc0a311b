//! Tables around given blocks: what is inside may be anything, checksums and footer are right.

use bytes::Bytes;
use isledb_core::format::sst::{BlockHandle, ChecksumKind};

const PEBBLE_MAGIC: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];

/// The checksum that a block's trailer has.
pub(crate) fn checksum(kind: ChecksumKind, body: &[u8], block_type: u8) -> u32 {
    match kind {
        ChecksumKind::Crc32c => {
            let crc = crc32c::crc32c_append(crc32c::crc32c(body), &[block_type]);
            crc.rotate_right(15).wrapping_add(0xa282_ead8)
        }
        ChecksumKind::XxHash64 => {
            let sealed = [body, &[block_type]].concat();
            xxhash_rust::xxh64::xxh64(&sealed, 0) as u32
        }
    }
}

/// A body with its type and checksum behind it.
pub(crate) fn sealed(body: &[u8], block_type: u8) -> Bytes {
    let sum = checksum(ChecksumKind::Crc32c, body, block_type).to_le_bytes();
    [body, &[block_type], &sum].concat().into()
}

/// A row block with these entries, each a restart of its own.
pub(crate) fn rows(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut restarts) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        restarts.push(out.len() as u32);
        for number in [0, key.len(), value.len()] {
            put_varint(&mut out, number as u64);
        }
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(value);
    }
    if restarts.is_empty() {
        restarts.push(0);
    }
    let count = restarts.len() as u32;
    restarts.iter().chain([&count]).for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    out
}

/// A table from its meta blocks on; its data is said to lie before `base`.
pub(crate) struct Tail {
    pub(crate) base: u64,
    bytes: Vec<u8>,
    meta: Vec<(&'static str, Vec<u8>)>,
}

impl Tail {
    pub(crate) fn at(base: u64) -> Tail {
        Tail { base, bytes: Vec::new(), meta: Vec::new() }
    }

    pub(crate) fn block(&mut self, body: &[u8]) -> BlockHandle {
        let handle = BlockHandle { offset: self.base + self.bytes.len() as u64, length: body.len() as u64 };
        self.bytes.extend_from_slice(&sealed(body, 0));
        handle
    }

    /// A block that the metaindex leads to.
    pub(crate) fn meta(&mut self, name: &'static str, body: &[u8]) {
        let handle = encoded(self.block(body));
        self.meta.push((name, handle));
    }

    /// The whole tail, with its footer.
    pub(crate) fn finish(mut self, index: BlockHandle) -> Bytes {
        self.meta.sort();
        let metaindex = rows(&self.meta);
        let metaindex = self.block(&metaindex);
        let mut footer = [vec![1], encoded(metaindex), encoded(index)].concat();
        footer.resize(41, 0);
        footer.extend_from_slice(&1u32.to_le_bytes());
        footer.extend_from_slice(&PEBBLE_MAGIC);
        self.bytes.append(&mut footer);
        self.bytes.into()
    }
}

pub(crate) fn encoded(handle: BlockHandle) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, handle.offset);
    put_varint(&mut out, handle.length);
    out
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
