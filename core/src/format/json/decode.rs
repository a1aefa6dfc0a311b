//! Values from JSON.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::reader::{Reader, Result};

/// What a value of JSON can be read as.
pub(crate) trait Decode: Sized {
    /// Reads one value.
    fn decode(reader: &mut Reader<'_>) -> Result<Self>;

    /// Reads the value of a field.
    fn decode_field(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        if !reader.null_that_says_nothing() {
            *self = Self::decode(reader)?;
        }
        Ok(())
    }
}

/// Standard base64 as Go reads it: padded, and the unused bits of the last digit do not matter.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

impl Decode for u64 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        reader.integer(0, u64::MAX)
    }
}

impl Decode for u32 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(reader.integer(0, u32::MAX.into())? as u32)
    }
}

impl Decode for i64 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(reader.integer(i64::MIN, i64::MAX as u64)? as i64)
    }
}

impl Decode for i32 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(reader.integer(i32::MIN.into(), i32::MAX as u64)? as i32)
    }
}

impl Decode for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        reader.boolean()
    }
}

impl Decode for String {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        reader.string().map(Cow::into_owned)
    }
}

/// Base64; `null` and `""` are empty.
impl Decode for Bytes {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        if reader.null() {
            return Ok(Bytes::new());
        }
        let text = reader.string()?;
        BASE64.decode(text.as_bytes()).map(Bytes::from).map_err(|error| reader.wrong(error.to_string()))
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        if reader.null() { Ok(None) } else { T::decode(reader).map(Some) }
    }
}

/// `null` is an empty list, as Go writes it.
impl<T: Decode> Decode for Vec<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut list = Vec::new();
        if !reader.null() {
            reader.list(&mut |reader| {
                list.push(T::decode(reader)?);
                Ok(())
            })?;
        }
        Ok(list)
    }
}

impl<T: Decode> Decode for Arc<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        T::decode(reader).map(Arc::new)
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        T::decode(reader).map(Box::new)
    }
}

/// Reads a string that stands for something else.
pub(crate) fn parsed<T: FromStr<Err: Display>>(reader: &mut Reader<'_>) -> Result<T> {
    reader.string()?.parse().map_err(|error: T::Err| reader.wrong(error.to_string()))
}
