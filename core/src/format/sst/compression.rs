//! Block compression: snappy here, zstd by an encoder that the host brings.

use std::fmt;
use std::sync::Arc;

use super::decompression::{NONE, SNAPPY, ZSTD};
use super::varint;

/// Turns bytes into one standard zstd frame. It comes from the host: the engine itself has only a decoder.
pub type ZstdEncoder = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// How the data and index blocks of a table are compressed. A block that would not become 12 % smaller is stored as it is.
#[derive(Clone, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy, raw block format. The default: it is fast everywhere, also in WebAssembly.
    #[default]
    Snappy,
    /// Zstandard by the host's encoder.
    Zstd(ZstdEncoder),
}

impl Compression {
    /// The name that the table's properties carry.
    pub(super) fn property(&self) -> &'static str {
        match self {
            Compression::None => "NoCompression",
            Compression::Snappy => "Snappy",
            Compression::Zstd(_) => "ZSTD",
        }
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "None",
            Compression::Snappy => "Snappy",
            Compression::Zstd(_) => "Zstd",
        })
    }
}

/// Compresses blocks; its buffers are kept from block to block.
pub(super) struct Compressor {
    compression: Compression,
    snappy: snap::raw::Encoder,
    buffer: Vec<u8>,
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Compressor {
        Compressor { compression, snappy: snap::raw::Encoder::new(), buffer: Vec::new() }
    }

    /// The bytes to store and their type: compressed only where that makes them 12 % smaller.
    pub(super) fn compress<'a>(&'a mut self, raw: &'a [u8]) -> (&'a [u8], u8) {
        let (length, block_type) = match &self.compression {
            Compression::None => return (raw, NONE),
            Compression::Snappy => {
                let most = snap::raw::max_compress_len(raw.len());
                if self.buffer.len() < most {
                    self.buffer.resize(most, 0);
                }
                // It fails only above 4 GiB, where max_compress_len is 0; such a block is stored raw.
                match self.snappy.compress(raw, &mut self.buffer) {
                    Ok(length) => (length, SNAPPY),
                    Err(_) => return (raw, NONE),
                }
            }
            Compression::Zstd(encode) => {
                self.buffer.clear();
                varint::put(&mut self.buffer, raw.len() as u64);
                self.buffer.extend_from_slice(&encode(raw));
                (self.buffer.len(), ZSTD)
            }
        };
        match self.buffer.get(..length) {
            Some(stored) if 100 * stored.len() as u64 <= 88 * raw.len() as u64 => (stored, block_type),
            _ => (raw, NONE),
        }
    }
}
