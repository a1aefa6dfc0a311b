//! The last 53 bytes of a table: checksum type, where metaindex and index are, format version and magic.

use super::checksum::ChecksumKind;
use super::handle::BlockHandle;
use crate::{Error, Result};

/// Bytes of the footer.
pub(super) const FOOTER: u64 = 53;
/// Where the version is; the handles end before it.
const VERSION_AT: usize = 41;

const PEBBLE_MAGIC: [u8; 8] = [0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3];
const ROCKSDB_MAGIC: [u8; 8] = [0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88];
const LEVELDB_MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/// Whose magic and properties a table carries. Everything else is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TableFlavour {
    /// Pebble, version 1: what the original writes. The default.
    #[default]
    Pebble,
    /// RocksDB, version 2: RocksDB's tools read it too.
    RocksDb,
}

/// A footer, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footer {
    /// The checksum of every block.
    pub checksum: ChecksumKind,
    /// Where the metaindex block is.
    pub metaindex: BlockHandle,
    /// Where the index block is: the only one, or the upper level.
    pub index: BlockHandle,
    /// Whose magic it carries.
    pub flavour: TableFlavour,
    /// Format version: 1 or 2.
    pub version: u32,
}

impl Footer {
    /// Decodes the footer of a table of `size` bytes.
    pub(super) fn decode(object: &str, size: u64, bytes: &[u8; FOOTER as usize]) -> Result<Footer> {
        let at = size - FOOTER;
        let (head, magic) = bytes.split_last_chunk::<8>().unwrap_or((&[], &[0; 8]));
        let (body, version) = head.split_last_chunk::<4>().unwrap_or((&[], &[0; 4]));
        let version = u32::from_le_bytes(*version);
        let flavour = flavour(object, at, *magic, version)?;
        let checksum = ChecksumKind::from_code(object, at, body.first().copied().unwrap_or(0))?;
        let handles = body.get(1..).unwrap_or_default();
        let (metaindex, length) = BlockHandle::decode(object, at + 1, handles, at)?;
        let second = handles.get(length as usize..).unwrap_or_default();
        let (index, _) = BlockHandle::decode(object, at + 1 + u64::from(length), second, at)?;
        Ok(Footer { checksum, metaindex, index, flavour, version })
    }

    /// Appends the 53 bytes.
    #[cfg(feature = "write")]
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(self.checksum.code());
        self.metaindex.encode_into(out);
        self.index.encode_into(out);
        out.resize(start + VERSION_AT, 0);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(match self.flavour {
            TableFlavour::Pebble => &PEBBLE_MAGIC,
            TableFlavour::RocksDb => &ROCKSDB_MAGIC,
        });
    }
}

/// Accepts versions 1 and 2, and says which later format a table has.
fn flavour(object: &str, at: u64, magic: [u8; 8], version: u32) -> Result<TableFlavour> {
    let what = match (magic, version) {
        (PEBBLE_MAGIC, 1 | 2) => return Ok(TableFlavour::Pebble),
        (ROCKSDB_MAGIC, 2) => return Ok(TableFlavour::RocksDb),
        (PEBBLE_MAGIC, 3 | 4) => format!("Pebble table format v{version} (values carry a value prefix)"),
        (PEBBLE_MAGIC, 5..) => format!("Pebble table format v{version} (columnar blocks)"),
        (ROCKSDB_MAGIC, 0 | 1 | 3..) => format!("RocksDB table format_version {version} (only 2 is read)"),
        (LEVELDB_MAGIC, _) => "LevelDB tables".to_owned(),
        _ => {
            let expected = "the magic number of a table, and a version of 1 or more";
            let found = format!("{magic:02x?} version {version}");
            return Err(Error::corrupt(object, at + VERSION_AT as u64, expected, found));
        }
    };
    Err(Error::Unsupported { object: object.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer(version: u32, magic: [u8; 8]) -> [u8; 53] {
        let mut bytes = [0; 53];
        bytes[..7].copy_from_slice(&[1, 0x9a, 0x05, 0x4f, 0x92, 0x01, 0x16]);
        bytes[41..45].copy_from_slice(&version.to_le_bytes());
        bytes[45..].copy_from_slice(&magic);
        bytes
    }

    #[test]
    fn later_formats_are_refused_by_name() {
        let cases = [
            (3, PEBBLE_MAGIC, "v3 (values carry a value prefix)"),
            (4, PEBBLE_MAGIC, "v4 (values carry a value prefix)"),
            (5, PEBBLE_MAGIC, "columnar"),
            (9, PEBBLE_MAGIC, "columnar"),
            (1, ROCKSDB_MAGIC, "format_version 1"),
            (5, ROCKSDB_MAGIC, "format_version 5"),
            (1, LEVELDB_MAGIC, "LevelDB"),
        ];
        for (version, magic, name) in cases {
            let error = Footer::decode("t", 803, &footer(version, magic)).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { what, .. } if what.contains(name)), "{error}");
        }
        for (version, magic) in [(0, PEBBLE_MAGIC), (1, [0; 8])] {
            assert!(matches!(Footer::decode("t", 803, &footer(version, magic)), Err(Error::Corrupt { .. })));
        }
    }

    #[test]
    fn handles_stay_inside_the_table() {
        let bytes = footer(1, PEBBLE_MAGIC);
        let footer = Footer::decode("t", 803, &bytes).unwrap();
        assert_eq!(footer.metaindex, BlockHandle { offset: 666, length: 79 });
        assert_eq!(footer.index, BlockHandle { offset: 146, length: 22 });
        let error = Footer::decode("t", 802, &bytes).unwrap_err();
        assert_eq!(error.offset(), Some(750), "{error}");
    }

    #[cfg(feature = "write")]
    #[test]
    fn what_is_written_is_read() {
        for (flavour, version) in [(TableFlavour::Pebble, 1), (TableFlavour::RocksDb, 2)] {
            let handle = |offset| BlockHandle { offset, length: 300 };
            let checksum = ChecksumKind::XxHash64;
            let footer = Footer { checksum, metaindex: handle(9), index: handle(1 << 40), flavour, version };
            let mut bytes = Vec::new();
            footer.encode_into(&mut bytes);
            let bytes: [u8; 53] = bytes.try_into().unwrap();
            assert_eq!(Footer::decode("t", 1 << 41, &bytes), Ok(footer));
        }
    }
}
