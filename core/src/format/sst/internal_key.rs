//! Internal keys: a user key followed by eight bytes, little-endian, of sequence and kind.
//!
//! They are ordered by user key, then by descending trailer, so that the newest version of a key comes first.

use std::fmt;

/// What an entry does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Removes the key.
    Delete = 0,
    /// Sets the key.
    Set = 1,
}

/// The reserved end of the sequence range: every sequence in a table is below it.
pub const MAX_SEQUENCE: u64 = (1 << 56) - 1;

/// Bytes of the trailer.
pub(super) const TRAILER: usize = 8;

/// The trailer of an index key that was shortened: the reserved sequence, kind 17.
#[cfg(feature = "write")]
pub(super) const SEPARATOR_TRAILER: u64 = (MAX_SEQUENCE << 8) | 17;

/// The trailer of an entry.
#[cfg(feature = "write")]
pub(super) fn trailer(sequence: u64, kind: Kind) -> u64 {
    (sequence << 8) | kind as u64
}

/// Splits an internal key; `None` where it is shorter than a trailer.
#[inline]
pub(super) fn split(key: &[u8]) -> Option<(&[u8], u64)> {
    let (user_key, trailer) = key.split_last_chunk::<TRAILER>()?;
    Some((user_key, u64::from_le_bytes(*trailer)))
}

/// The kind in a trailer. Bit 6 is cleared first, as every reader of the format does.
#[inline]
pub(super) fn kind_of(trailer: u64) -> Result<Kind, ForeignKind> {
    match trailer as u8 & 0xbf {
        0 => Ok(Kind::Delete),
        1 => Ok(Kind::Set),
        other => Err(ForeignKind(other)),
    }
}

/// A kind that other engines write and this one has no meaning for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForeignKind(u8);

impl fmt::Display for ForeignKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            2 => "MERGE",
            7 => "SINGLEDEL",
            15 => "RANGEDEL",
            17 => "SEPARATOR",
            18 => "SETWITHDEL",
            23 => "DELSIZED",
            _ => "unknown",
        };
        write!(f, "entry kind {} ({name})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_and_foreign_ones_named() {
        assert_eq!(kind_of(0x301), Ok(Kind::Set));
        assert_eq!(kind_of(0x341), Ok(Kind::Set));
        assert_eq!(kind_of(0x300), Ok(Kind::Delete));
        assert!(kind_of(2).unwrap_err().to_string().contains("MERGE"));
        assert_eq!(split(b"seven77"), None);
        assert_eq!(split(&[0x61, 1, 3, 0, 0, 0, 0, 0, 0]), Some((&b"a"[..], 0x301)));
    }
}
