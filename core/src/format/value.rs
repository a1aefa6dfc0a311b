//! What a table stores for a key: a marker byte, an optional expiry, then the value or the id of a blob.

use bytes::{Buf, Bytes};

use super::blob::BlobId;
use crate::error::{Error, Result};

const INLINE: u8 = 0x00;
const DELETE: u8 = 0x02;
const BLOB: u8 = 0x03;
/// Set in the marker when eight bytes of expiry follow it.
const EXPIRES: u8 = 0x80;

/// One version of a key. `expire_at_ms` is in milliseconds since the Unix epoch; it is written where it is between 1 and
/// `i64::MAX` and otherwise means "never".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The value itself.
    Inline {
        /// The bytes of the value; may be empty.
        value: Bytes,
        /// When it stops to exist.
        expire_at_ms: Option<u64>,
    },
    /// The value is the blob of this id.
    Blob {
        /// Name of the blob.
        id: BlobId,
        /// When it stops to exist.
        expire_at_ms: Option<u64>,
    },
    /// The key was deleted. The original can put an expiry here too; it means nothing, the key stays deleted.
    Delete {
        /// Kept, so that what was read can be written again.
        expire_at_ms: Option<u64>,
    },
}

impl Value {
    /// Appends the stored form.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Value::Inline { value, expire_at_ms } => encode_inline_into(out, value, *expire_at_ms),
            Value::Blob { id, expire_at_ms } => encode_blob_into(out, id, *expire_at_ms),
            Value::Delete { expire_at_ms } => encode_head_into(out, DELETE, *expire_at_ms),
        }
    }

    /// Reads the stored form without copying the value. `object` and `offset` are for the message of
    /// [`Error::Corrupt`]: the table, and where in it the value starts.
    pub fn decode(object: &str, offset: Option<u64>, raw: Bytes) -> Result<Value> {
        let corrupt = |expected: &str, found: String| Error::corrupt(object, offset, expected, found);
        let Some(&marker) = raw.first() else {
            return Err(corrupt("a value with its marker byte", "no bytes".into()));
        };
        let mut rest = raw;
        rest.advance(1);
        let mut expire_at_ms = None;
        if marker & EXPIRES != 0 {
            let Some(expiry) = rest.first_chunk::<8>() else {
                return Err(corrupt("8 bytes of expiry", format!("{} bytes", rest.len())));
            };
            expire_at_ms = kept_expiry(Some(u64::from_be_bytes(*expiry)));
            rest.advance(8);
        }
        match marker & !EXPIRES {
            INLINE => Ok(Value::Inline { value: rest, expire_at_ms }),
            DELETE => Ok(Value::Delete { expire_at_ms }),
            BLOB => {
                let Some(id) = rest.first_chunk::<32>() else {
                    return Err(corrupt("32 bytes of blob id", format!("{} bytes", rest.len())));
                };
                match BlobId::from_bytes(*id) {
                    Some(id) => Ok(Value::Blob { id, expire_at_ms }),
                    None => Err(corrupt("a blob id", "32 zero bytes".into())),
                }
            }
            _ => Err(corrupt("a marker 00, 02 or 03, with or without 80", format!("{marker:02x}"))),
        }
    }

    /// True where it is past its time at `now_ms` (milliseconds since the Unix epoch). A delete never expires.
    pub fn expired(&self, now_ms: u64) -> bool {
        match self {
            Value::Inline { expire_at_ms, .. } | Value::Blob { expire_at_ms, .. } => {
                expire_at_ms.is_some_and(|at| at <= now_ms)
            }
            Value::Delete { .. } => false,
        }
    }

    /// When it stops to exist, in milliseconds since the Unix epoch.
    pub fn expire_at_ms(&self) -> Option<u64> {
        match self {
            Value::Inline { expire_at_ms, .. }
            | Value::Blob { expire_at_ms, .. }
            | Value::Delete { expire_at_ms } => *expire_at_ms,
        }
    }

    /// True for [`Value::Delete`].
    pub fn is_delete(&self) -> bool {
        matches!(self, Value::Delete { .. })
    }
}

/// The blob that a stored form refers to, if it does. Nothing of an inline value is copied, or looked at.
pub fn blob_of(object: &str, raw: &[u8]) -> Result<Option<BlobId>> {
    if raw.first().is_none_or(|marker| marker & !EXPIRES != BLOB) {
        return Ok(None);
    }
    match Value::decode(object, None, Bytes::copy_from_slice(raw))? {
        Value::Blob { id, .. } => Ok(Some(id)),
        _ => Ok(None),
    }
}

/// Appends the stored form of a value that lies in the table: for the writer, whose values are no [`Bytes`] yet.
pub fn encode_inline_into(out: &mut Vec<u8>, value: &[u8], expire_at_ms: Option<u64>) {
    encode_head_into(out, INLINE, expire_at_ms);
    out.extend_from_slice(value);
}

/// Appends the stored form of a reference to a blob.
pub fn encode_blob_into(out: &mut Vec<u8>, id: &BlobId, expire_at_ms: Option<u64>) {
    encode_head_into(out, BLOB, expire_at_ms);
    out.extend_from_slice(id.as_bytes());
}

/// Appends the stored form of a delete.
pub fn encode_delete_into(out: &mut Vec<u8>) {
    out.push(DELETE);
}

/// Bytes that the stored form of an inline value of `length` bytes takes.
pub fn inline_encoded_len(length: u64, expire_at_ms: Option<u64>) -> u64 {
    length + if kept_expiry(expire_at_ms).is_some() { 9 } else { 1 }
}

fn encode_head_into(out: &mut Vec<u8>, marker: u8, expire_at_ms: Option<u64>) {
    match kept_expiry(expire_at_ms) {
        None => out.push(marker),
        Some(at) => {
            out.push(marker | EXPIRES);
            out.extend_from_slice(&at.to_be_bytes());
        }
    }
}

/// The original reads the eight bytes as a signed number, and zero or less as "never".
fn kept_expiry(expire_at_ms: Option<u64>) -> Option<u64> {
    expire_at_ms.filter(|at| *at > 0 && i64::try_from(*at).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    fn decode(raw: &[u8]) -> Result<Value> {
        Value::decode("sstable/a.sst", Some(7), Bytes::copy_from_slice(raw))
    }

    #[test]
    fn golden_vectors() {
        let expire_at_ms = Some(1_700_000_000_123);
        let inline = |value: &'static [u8], expire_at_ms| Value::Inline {
            value: Bytes::from_static(value),
            expire_at_ms,
        };
        for (value, expected) in [
            (inline(b"v7", None), "007637"),
            (inline(b"red", expire_at_ms), "800000018bcfe5687b726564"),
            (Value::Delete { expire_at_ms: None }, "02"),
            (
                Value::Blob { id: BlobId::of(b"blobvalue"), expire_at_ms: None },
                "0388016d8301fd53809f2fdacd20818970ba97d9763023a50cbea88b77cd7796b2",
            ),
            (Value::Delete { expire_at_ms }, "820000018bcfe5687b"),
            (inline(b"", None), "00"),
        ] {
            let mut out = Vec::new();
            value.encode_into(&mut out);
            assert_eq!(hex(&out), expected);
            assert_eq!(decode(&out).unwrap(), value);
        }
        let mut out = Vec::new();
        encode_delete_into(&mut out);
        assert_eq!(out, [2]);
    }

    #[test]
    fn refuses_what_is_no_value_with_its_place() {
        let zero_blob = [&[3][..], &[0; 32]].concat();
        for bad in
            [&[][..], &[1], &[4], &[0x7f], &[0x80], &[0x82, 0, 0, 0, 0, 0, 0, 0], &[3, 1, 2], &zero_blob]
        {
            let error = decode(bad).unwrap_err();
            assert_eq!((error.object(), error.offset()), (Some("sstable/a.sst"), Some(7)), "{bad:?}");
        }
    }

    #[test]
    fn bytes_behind_a_blob_id_are_ignored_and_expiry_is_signed() {
        let mut raw = vec![BLOB];
        raw.extend_from_slice(BlobId::of(b"x").as_bytes());
        raw.push(9);
        assert_eq!(decode(&raw).unwrap(), Value::Blob { id: BlobId::of(b"x"), expire_at_ms: None });
        let negative = decode(&[0x80, 0xff, 0, 0, 0, 0, 0, 0, 0, b'v']).unwrap();
        assert!(!negative.expired(u64::MAX));
        let soon = decode(&[0x80, 0, 0, 0, 0, 0, 0, 0, 5, b'v']).unwrap();
        assert!(!soon.expired(4) && soon.expired(5));
    }

    proptest! {
        #[test]
        fn round_trips(value: Vec<u8>, expiry in proptest::option::of(1..=i64::MAX as u64), which in 0..3) {
            let value = match which {
                0 => Value::Inline { value: value.into(), expire_at_ms: expiry },
                1 => Value::Blob { id: BlobId::of(&value), expire_at_ms: expiry },
                _ => Value::Delete { expire_at_ms: expiry },
            };
            let mut out = Vec::new();
            value.encode_into(&mut out);
            if let Value::Inline { value, .. } = &value {
                prop_assert_eq!(inline_encoded_len(value.len() as u64, expiry), out.len() as u64);
            }
            prop_assert_eq!(decode(&out).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(raw: Vec<u8>) {
            let _ = decode(&raw);
        }
    }
}
