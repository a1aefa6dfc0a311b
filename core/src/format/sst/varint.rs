//! Base-128 integers, low seven bits first; the high bit says that more follow.

/// Reads one from the front: the value and the bytes it took. `None` where the bytes end early or the value passes 64 bits.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Option<(u64, u32)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if i == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            return Some((value, i as u32 + 1));
        }
    }
    None
}

/// Reads one that must fit 32 bits.
#[inline]
pub(super) fn read_u32(bytes: &[u8]) -> Option<(u32, u32)> {
    let (value, length) = read(bytes.get(..5).unwrap_or(bytes))?;
    Some((u32::try_from(value).ok()?, length))
}

/// Reads one that must be all of `bytes`.
pub(super) fn read_exact(bytes: &[u8]) -> Option<u64> {
    let (value, length) = read(bytes)?;
    (length as usize == bytes.len()).then_some(value)
}

/// Appends the shortest form of `value`.
#[cfg(feature = "write")]
#[inline]
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The length of the shortest form of `value`, 1 to 10 bytes.
#[cfg(feature = "write")]
#[inline]
pub(super) fn length(value: u64) -> u64 {
    u64::from((64 - (value | 1).leading_zeros()).div_ceil(7))
}

#[cfg(all(test, feature = "write"))]
mod tests {
    use super::*;

    #[test]
    fn every_width_comes_back() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put(&mut bytes, value);
                assert_eq!(bytes.len() as u64, length(value));
                assert_eq!(read(&bytes), Some((value, bytes.len() as u32)));
                assert_eq!(read_exact(&bytes), Some(value));
                assert_eq!(read(&bytes[..bytes.len() - 1]), None);
                assert_eq!(read_u32(&bytes).is_some(), value <= u64::from(u32::MAX));
            }
        }
    }

    #[test]
    fn more_than_64_bits_is_refused() {
        assert_eq!(read(&[0xff; 10]), None);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), None);
        assert_eq!(read(&[0x80; 20]), None);
        assert_eq!(read_exact(&[1, 0]), None);
    }
}
