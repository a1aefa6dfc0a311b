//! Names of values that lie outside their table.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::json::{self, Decode, Encode, Reader, Writer, Wrong};
use crate::error::{Error, Result};

/// The name of a blob: the SHA-256 of its content, so that equal values are stored once and a fetched one can be verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub(crate) [u8; 32]);

impl BlobId {
    /// The id of these bytes.
    pub fn of(content: &[u8]) -> BlobId {
        BlobId(Sha256::digest(content).into())
    }

    /// From the 32 bytes of a table entry. All zeros is what the original takes for "no blob"; it is no id.
    pub fn from_bytes(bytes: [u8; 32]) -> Option<BlobId> {
        (bytes != [0; 32]).then_some(BlobId(bytes))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

impl FromStr for BlobId {
    type Err = Error;

    /// Reads 64 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<BlobId> {
        parse(text.as_bytes()).ok_or_else(|| Error::invalid(format!("{text:?} is not a blob id")))
    }
}

fn parse(text: &[u8]) -> Option<BlobId> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_array::<64>()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    BlobId::from_bytes(bytes)
}

impl Decode for BlobId {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Wrong> {
        json::parsed(reader)
    }
}

impl Encode for BlobId {
    fn encode(&self, out: &mut Writer) {
        out.string(&self.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_sha_256_in_lower_case() {
        let id = BlobId::of(b"blobvalue");
        assert_eq!(id.to_string(), "88016d8301fd53809f2fdacd20818970ba97d9763023a50cbea88b77cd7796b2");
        assert_eq!(id.to_string().parse::<BlobId>().unwrap(), id);
    }

    #[test]
    fn refuses_what_is_no_id() {
        for bad in ["", "88", &"0".repeat(64), &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert!(bad.parse::<BlobId>().is_err(), "{bad}");
        }
    }
}
