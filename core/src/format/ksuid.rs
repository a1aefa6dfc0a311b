//! KSUIDs: 20 bytes that sort by their second of making, written as 27 characters of base 62.

use std::fmt;
use std::str::FromStr;

use super::json::{self, Decode, Encode, Reader, Writer, Wrong};
use crate::error::{Error, Result};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of the text form.
pub const TEXT_LENGTH: usize = 27;
/// 2014-05-13T16:53:20Z, where the four bytes of seconds start.
const EPOCH_SECONDS: u64 = 1_400_000_000;

/// The id of a log entry, a snapshot or a probe: 4 bytes big-endian seconds since 2014-05-13, then 16 random bytes.
/// Orders like its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ksuid([u8; 20]);

impl Ksuid {
    /// Makes an id from the host's clock (nanoseconds since the Unix epoch) and 16 bytes that nobody can guess. Times
    /// outside 2014..2150 take the nearest second that fits.
    pub fn new(unix_ns: u64, random: [u8; 16]) -> Ksuid {
        let seconds = (unix_ns / 1_000_000_000).saturating_sub(EPOCH_SECONDS);
        let mut bytes = [0; 20];
        let (head, tail) = bytes.split_at_mut(4);
        head.copy_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_be_bytes());
        tail.copy_from_slice(&random);
        Ksuid(bytes)
    }

    /// The second of its making, since the Unix epoch, as its author's clock had it.
    pub fn unix_seconds(&self) -> u64 {
        let [a, b, c, d, ..] = self.0;
        u64::from(u32::from_be_bytes([a, b, c, d])) + EPOCH_SECONDS
    }
}

impl fmt::Display for Ksuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Long division of a 160-bit number by 62, in limbs of 32 bits.
        let mut limbs = [0_u32; 5];
        for (limb, bytes) in limbs.iter_mut().zip(self.0.chunks_exact(4)) {
            *limb = bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b));
        }
        let mut text = [b'0'; TEXT_LENGTH];
        for digit in text.iter_mut().rev() {
            let mut remainder = 0_u64;
            for limb in &mut limbs {
                let dividend = remainder << 32 | u64::from(*limb);
                *limb = (dividend / 62) as u32;
                remainder = dividend % 62;
            }
            *digit = ALPHABET[remainder as usize];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Ksuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ksuid({self})")
    }
}

impl FromStr for Ksuid {
    type Err = Error;

    /// Reads the 27 characters; text that stands for more than 160 bits is refused.
    fn from_str(text: &str) -> Result<Ksuid> {
        parse(text).ok_or_else(|| Error::invalid(format!("{text:?} is not a KSUID")))
    }
}

fn parse(text: &str) -> Option<Ksuid> {
    if text.len() != TEXT_LENGTH {
        return None;
    }
    let mut limbs = [0_u32; 5];
    for byte in text.bytes() {
        let mut carry = match byte {
            b'0'..=b'9' => u64::from(byte - b'0'),
            b'A'..=b'Z' => u64::from(byte - b'A') + 10,
            b'a'..=b'z' => u64::from(byte - b'a') + 36,
            _ => return None,
        };
        for limb in limbs.iter_mut().rev() {
            let n = u64::from(*limb) * 62 + carry;
            *limb = n as u32;
            carry = n >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0; 20];
    for (chunk, limb) in bytes.chunks_exact_mut(4).zip(limbs) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    Some(Ksuid(bytes))
}

impl Decode for Ksuid {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Wrong> {
        json::parsed(reader)
    }
}

impl Encode for Ksuid {
    fn encode(&self, out: &mut Writer) {
        out.string(&self.to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_has_the_bounds_of_160_bits() {
        assert_eq!(Ksuid([0; 20]).to_string(), "000000000000000000000000000");
        assert_eq!(Ksuid([0xff; 20]).to_string(), "aWgEPTl1tmebfsQzFP4bxwgy80V");
        assert_eq!("aWgEPTl1tmebfsQzFP4bxwgy80V".parse::<Ksuid>().unwrap(), Ksuid([0xff; 20]));
        for bad in [
            "",
            "0",
            "aWgEPTl1tmebfsQzFP4bxwgy80W",
            "zzzzzzzzzzzzzzzzzzzzzzzzzzz",
            "00000000000000000000000000-",
            "0000000000000000000000000000",
            "0000000000000000000000000\u{e9}",
        ] {
            assert!(bad.parse::<Ksuid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn carries_its_second_and_the_random_bytes() {
        let id: Ksuid = "0ujtsYcgvSTl8PAuAdqWYSMnLOv".parse().unwrap();
        assert_eq!(id.unix_seconds(), 1_507_608_047);
        assert_eq!(Ksuid::new(1_507_608_047_999_999_999, *id.0.last_chunk().unwrap()), id);
        assert_eq!(Ksuid::new(0, [0; 16]), Ksuid::default());
        assert_eq!(Ksuid::new(u64::MAX, [0xff; 16]), Ksuid([0xff; 20]));
    }

    proptest! {
        #[test]
        fn text_round_trips_and_orders_like_the_bytes(a: [u8; 20], b: [u8; 20]) {
            let (a, b) = (Ksuid(a), Ksuid(b));
            prop_assert_eq!(a.to_string().parse::<Ksuid>().unwrap(), a);
            prop_assert_eq!(a.to_string().cmp(&b.to_string()), a.cmp(&b));
        }
    }
}
