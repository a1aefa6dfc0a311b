//! A second, plain writer of tables, for what our own never writes: other restart intervals, gaps, blocks in another order,
//! extra bytes in the index, foreign properties.

use bytes::Bytes;

use super::Entry;

/// How a crafted table differs from the plain one. `Default` is a valid table with two data blocks.
#[derive(Clone)]
pub struct Craft {
    pub magic: [u8; 8],
    pub version: u32,
    pub checksum: u8,
    pub data_interval: usize,
    pub index_interval: usize,
    /// Follows the handle in every index value.
    pub index_suffix: &'static [u8],
    /// Bytes between any two blocks.
    pub gap: usize,
    /// Index, filter and properties come first, data last.
    pub index_first: bool,
    pub properties: Vec<(&'static str, Vec<u8>)>,
    /// Names in the metaindex beside the properties; they lead to a block with this body.
    pub meta: Vec<(&'static str, Vec<u8>)>,
    /// Bytes between the padding's first zero and its end.
    pub padding: u8,
    /// Type byte of the data blocks (their bytes stay raw).
    pub data_type: u8,
}

impl Default for Craft {
    fn default() -> Craft {
        Craft {
            magic: [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3],
            version: 1,
            checksum: 1,
            data_interval: 16,
            index_interval: 1,
            index_suffix: &[],
            gap: 0,
            index_first: false,
            properties: Vec::new(),
            meta: Vec::new(),
            padding: 0,
            data_type: 0,
        }
    }
}

impl Craft {
    /// A table of one index level with `per_block` entries a block.
    pub fn build(&self, entries: &[Entry], per_block: usize) -> Bytes {
        let blocks: Vec<Vec<u8>> = entries
            .chunks(per_block)
            .map(|chunk| {
                let rows: Vec<_> =
                    chunk.iter().map(|entry| (internal_key(entry), entry.value.clone())).collect();
                row_block(&rows, self.data_interval)
            })
            .collect();
        let mut out = Out { bytes: Vec::new(), checksum: self.checksum, gap: self.gap };
        let data_start = if self.index_first {
            // Room for everything else, so that the offsets of data are known before the index is written.
            1 << 16
        } else {
            0
        };
        let mut data = Out { bytes: Vec::new(), checksum: self.checksum, gap: self.gap };
        let handles: Vec<_> =
            blocks.iter().map(|body| data.block(body, self.data_type, data_start)).collect();
        if !self.index_first {
            out.bytes.append(&mut data.bytes);
        }
        let rows: Vec<_> = entries
            .chunks(per_block)
            .zip(&handles)
            .map(|(chunk, handle)| {
                (internal_key(chunk.last().unwrap()), [handle.as_slice(), self.index_suffix].concat())
            })
            .collect();
        let index = out.block(&row_block(&rows, self.index_interval), 0, 0);
        let mut meta: Vec<(Vec<u8>, Vec<u8>)> =
            self.meta.iter().map(|(name, body)| (name.as_bytes().to_vec(), out.block(body, 0, 0))).collect();
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> =
            self.properties.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone())).collect();
        rows.sort();
        meta.push((b"rocksdb.properties".to_vec(), out.block(&row_block(&rows, usize::MAX), 0, 0)));
        meta.sort();
        let metaindex = out.block(&row_block(&meta, 1), 0, 0);
        if self.index_first {
            out.bytes.resize(data_start, 0xaa);
            out.bytes.append(&mut data.bytes);
        }
        let mut footer = [vec![self.checksum], metaindex, index].concat();
        footer.resize(41, self.padding);
        footer.extend_from_slice(&self.version.to_le_bytes());
        footer.extend_from_slice(&self.magic);
        out.bytes.append(&mut footer);
        Bytes::from(out.bytes)
    }
}

struct Out {
    bytes: Vec<u8>,
    checksum: u8,
    gap: usize,
}

impl Out {
    /// Appends a block and gives its handle, encoded, as if the bytes began at `base`.
    fn block(&mut self, body: &[u8], block_type: u8, base: usize) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + self.gap, 0xee);
        let handle = [varint(base + self.bytes.len()), varint(body.len())].concat();
        self.bytes.extend_from_slice(body);
        self.bytes.push(block_type);
        let sealed = [body, &[block_type]].concat();
        let sum = match self.checksum {
            3 => xxhash_rust::xxh64::xxh64(&sealed, 0) as u32,
            _ => crc32c::crc32c(&sealed).rotate_right(15).wrapping_add(0xa282_ead8),
        };
        self.bytes.extend_from_slice(&sum.to_le_bytes());
        handle
    }
}

pub fn internal_key(entry: &Entry) -> Vec<u8> {
    [entry.key.as_slice(), &((entry.sequence << 8) | entry.kind as u64).to_le_bytes()].concat()
}

pub fn row_block(rows: &[(Vec<u8>, Vec<u8>)], interval: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut restarts = Vec::new();
    let mut last: &[u8] = &[];
    for (i, (key, value)) in rows.iter().enumerate() {
        let mut shared = last.iter().zip(key).take_while(|(a, b)| a == b).count();
        if i % interval == 0 {
            restarts.push(out.len() as u32);
            shared = 0;
        }
        for number in [shared, key.len() - shared, value.len()] {
            out.extend(varint(number));
        }
        out.extend_from_slice(&key[shared..]);
        out.extend_from_slice(value);
        last = key;
    }
    if restarts.is_empty() {
        restarts.push(0);
    }
    for number in restarts.iter().copied().chain([restarts.len() as u32]) {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out
}

pub fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
