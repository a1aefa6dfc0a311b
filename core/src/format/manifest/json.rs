//! JSON as the original writes and reads it, and the checksum that ends our own documents.

use std::borrow::Cow;
use std::fmt;
use std::io;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::{Error, Result};

/// `,"crc32c":"` + 8 hexadecimal digits + `"}`.
const TRAILER_START: &[u8] = b",\"crc32c\":\"";
const TRAILER_LENGTH: usize = TRAILER_START.len() + 8 + 2;

/// The document without a checksum, byte for byte what the original writes for it.
pub(crate) fn encode_plain<T: Serialize>(document: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, GoEscapes);
    // Writing to a Vec cannot fail, and our types have no map with keys that are not strings.
    if let Err(error) = document.serialize(&mut serializer) {
        unreachable!("a manifest document always serializes: {error}");
    }
    out
}

/// The document with `crc32c` as its last field.
pub(crate) fn encode_sealed<T: Serialize>(document: &T) -> Bytes {
    seal(encode_plain(document))
}

/// Adds the checksum to a document; one without fields stays as it is.
pub(crate) fn seal(mut document: Vec<u8>) -> Bytes {
    if document != b"{}" && document.last() == Some(&b'}') {
        document.pop();
        let crc = crc32c::crc32c(&document);
        document.extend_from_slice(TRAILER_START);
        document.extend_from_slice(format!("{crc:08x}\"}}").as_bytes());
    }
    document.into()
}

/// True where the document ends in our checksum and the checksum is right, false where it has none.
pub(crate) fn verify(object: &str, bytes: &[u8]) -> Result<bool> {
    let Some((covered, trailer)) = bytes.split_last_chunk::<TRAILER_LENGTH>() else {
        return Ok(false);
    };
    let Some(found) = trailer.strip_prefix(TRAILER_START).and_then(|rest| rest.strip_suffix(b"\"}")) else {
        return Ok(false);
    };
    let expected = format!("{:08x}", crc32c::crc32c(covered));
    if expected.as_bytes() != found {
        let found = format!("{:?}", String::from_utf8_lossy(found));
        return Err(Error::corrupt(object, covered.len() as u64, format!("crc32c {expected:?}"), found));
    }
    Ok(true)
}

/// Reads a document of at most `limit` bytes. Ours, known by its checksum, is read exactly; any other as Go reads it.
pub(crate) fn decode<T: DeserializeOwned>(object: &str, what: &str, bytes: &[u8], limit: u64) -> Result<T> {
    check_size(object, what, bytes, limit)?;
    if verify(object, bytes)? {
        serde_json::from_slice(bytes).map_err(|error| not_a(object, what, &error))
    } else {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let folded = Fold { keep_nulls: false }.deserialize(&mut reader);
        let folded = folded.and_then(|value| reader.end().map(|()| value));
        let folded = folded.map_err(|error| not_a(object, what, &error))?;
        // From text again, although it is here as values: a second decoder for each type would be a tenth of what a browser
        // downloads. Offsets in that text say nothing to the reader of an error.
        let text = serde_json::to_vec(&folded).map_err(|error| not_a(object, what, &error))?;
        serde_json::from_slice(&text).map_err(|error| Error::corrupt(object, None, what, error.to_string()))
    }
}

pub(crate) fn check_size(object: &str, what: &str, bytes: &[u8], limit: u64) -> Result<()> {
    if bytes.len() as u64 > limit {
        return Err(Error::corrupt(
            object,
            None,
            format!("{what} of at most {limit} bytes"),
            format!("{} bytes", bytes.len()),
        ));
    }
    Ok(())
}

pub(crate) fn not_a(object: &str, what: &str, error: &serde_json::Error) -> Error {
    // All documents are one line, so the column is the offset.
    let offset = (error.line() == 1 && error.column() > 0).then(|| error.column() as u64 - 1);
    Error::corrupt(object, offset, what, error.to_string())
}

/// Go writes `<`, `>`, `&` and the two line separators of Unicode as escapes, which no parser minds.
struct GoEscapes;

impl serde_json::ser::Formatter for GoEscapes {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            if let Some(escaped) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(escaped))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// The name under which Go's decoder would look for a key: it does not mind the case, nor the two letters of Unicode whose
/// lower case is ASCII. Two of our fields never differ only in case within one object.
pub(crate) fn folded_key(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}

/// Builds a tree with folded keys. Of equal keys the last that is not `null` wins: a `null` leaves Go's field as it was.
/// Inside `effects` a `null` says something and stays.
#[derive(Clone, Copy)]
struct Fold {
    keep_nulls: bool,
}

impl<'de> DeserializeSeed<'de> for Fold {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fold {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            let key = folded_key(&key);
            let value = entries.next_value_seed(Fold { keep_nulls: self.keep_nulls || key == "effects" })?;
            if self.keep_nulls || !value.is_null() {
                object.insert(key, value);
            }
        }
        Ok(object.into())
    }
}

/// Standard base64 as Go reads it: padded, and the unused bits of the last digit do not matter.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// Serde for `bytes` fields: base64; `null`, `""` and a missing field are empty.
pub(crate) mod base64_bytes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Bytes, D::Error> {
        let text = Option::<Cow<'de, str>>::deserialize(deserializer)?.unwrap_or_default();
        BASE64.decode(text.as_bytes()).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

/// Serde for lists that Go writes as `null` where they are empty.
pub(crate) mod null_when_empty {
    use super::*;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        list: &Vec<T>,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Vec<T>, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
