//! JSON as the original writes and reads it, and the checksum that ends our own documents.
//!
//! The engine has its own reader and writer: derived ones were a sixth of what a browser downloads, and none of them reads as
//! Go does.

mod decode;
mod encode;
mod object;
mod reader;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use encode::Escapes;

pub(crate) use decode::{Decode, parsed};
pub(crate) use encode::{Encode, Writer};
pub(crate) use object::object;
pub(crate) use reader::{Reader, Rules, Wrong, folded_key};

use crate::error::{Error, Result};

/// `,"crc32c":"` + 8 hexadecimal digits + `"}`.
const TRAILER_START: &[u8] = b",\"crc32c\":\"";
const TRAILER_LENGTH: usize = TRAILER_START.len() + 8 + 2;

/// The document without a checksum, byte for byte what the original writes for it.
pub(crate) fn encode_plain(document: &dyn Encode) -> Vec<u8> {
    Writer::written(document, Escapes::Go).into_bytes()
}

/// The document with no more escapes than JSON wants.
pub(crate) fn encode_text(document: &dyn Encode) -> String {
    Writer::written(document, Escapes::Json)
}

/// The document with `crc32c` as its last field.
pub(crate) fn encode_sealed(document: &dyn Encode) -> Bytes {
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
pub(crate) fn decode<T: Decode>(object: &str, what: &str, bytes: &[u8], limit: u64) -> Result<T> {
    check_size(object, what, bytes, limit)?;
    let rules = if verify(object, bytes)? { Rules::Exact } else { Rules::Go };
    read(bytes, rules).map_err(|wrong| wrong.in_document(object, what))
}

/// Reads a text that is one value.
pub(crate) fn read<T: Decode>(bytes: &[u8], rules: Rules) -> Result<T, Wrong> {
    let mut reader = Reader::new(bytes, rules)?;
    let value = T::decode(&mut reader)?;
    reader.end()?;
    Ok(value)
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
