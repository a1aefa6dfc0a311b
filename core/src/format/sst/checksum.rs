//! The checksum in a block's trailer.

use crate::{Error, Result};

/// Which checksum the blocks of a table carry. The footer says so, once for all blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChecksumKind {
    /// CRC-32C (Castagnoli), rotated and offset so that a checksum over checksums stays sound. The default.
    #[default]
    Crc32c,
    /// The low 32 bits of XXH64 with seed 0.
    XxHash64,
}

impl ChecksumKind {
    /// The checksum of a stored body and its type byte.
    pub(super) fn of(self, body: &[u8], block_type: u8) -> u32 {
        match self {
            ChecksumKind::Crc32c => {
                let crc = crc32c::crc32c_append(crc32c::crc32c(body), &[block_type]);
                crc.rotate_right(15).wrapping_add(0xa282_ead8)
            }
            ChecksumKind::XxHash64 => {
                let mut hash = xxhash_rust::xxh64::Xxh64::new(0);
                hash.update(body);
                hash.update(&[block_type]);
                hash.digest() as u32
            }
        }
    }

    /// From the footer's first byte; what others use is refused by its name.
    pub(super) fn from_code(object: &str, at: u64, code: u8) -> Result<ChecksumKind> {
        let name = match code {
            1 => return Ok(ChecksumKind::Crc32c),
            3 => return Ok(ChecksumKind::XxHash64),
            0 => "none",
            2 => "XXH32",
            4 => "XXH3",
            _ => {
                return Err(Error::corrupt(object, at, "a checksum type (1 or 3)", code.to_string()));
            }
        };
        Err(Error::Unsupported {
            object: object.to_owned(),
            what: format!("block checksum {name} (type {code})"),
        })
    }

    /// The footer's first byte.
    #[cfg(feature = "write")]
    pub(super) fn code(self) -> u8 {
        match self {
            ChecksumKind::Crc32c => 1,
            ChecksumKind::XxHash64 => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors() {
        let cases: [(&[u8], u32, u32); 3] = [
            (b"", 0x4925_8fd2, 0xdb05_2768),
            (b"123456789", 0xdd22_7149, 0x1b63_a378),
            (&[0, 0, 0, 0, 1, 0, 0, 0], 0xb0a1_f2c0, 0x62db_2042),
        ];
        for (body, crc, xxh) in cases {
            assert_eq!(ChecksumKind::Crc32c.of(body, 0), crc);
            assert_eq!(ChecksumKind::XxHash64.of(body, 0), xxh);
        }
    }

    #[test]
    fn foreign_checksums_are_named() {
        let message = ChecksumKind::from_code("t", 0, 4).unwrap_err().to_string();
        assert!(message.contains("XXH3"), "{message}");
        assert!(ChecksumKind::from_code("t", 0, 77).is_err());
    }
}
