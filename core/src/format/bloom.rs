//! The bloom container that the original appends to a table: JSON with a bitmap, and 16 bytes that tell its length.
//!
//! Made from the xxHash64 of every entry's user key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::json;
use crate::error::{Error, Result};

const TRAILER_MAGIC: &[u8; 8] = b"ISLEBLM1";
/// Bytes behind the JSON: the magic, and its length as a little-endian u64.
pub const TRAILER_LENGTH: u64 = 16;
/// Largest bitmap that is read, in bytes.
const MAX_BITMAP_BYTES: u64 = 64 << 20;
const MIN_BITMAP_BYTES: u64 = 64;
const MAX_PROBES: u64 = 64;

/// How many bits a filter gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizing {
    /// Entries times bits a key: some 0.3 % false positives at 10.
    Right,
    /// One bit an entry, as the original does by a slip: nearly every key passes. For files byte for byte like its own.
    Original,
}

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BloomContainer {
    bitmap: Vec<u8>,
    probes: u64,
}

#[derive(Default)]
struct Document {
    filter_set: String,
    set_locs: u64,
}

json::object!(Document { filter_set: "FilterSet", set_locs: "SetLocs" });

/// Probes a key for this many bits a key: what `K` of the table's metadata says.
pub fn probes(bits_per_key: u32) -> u64 {
    (u64::from(bits_per_key) * 69 / 100).clamp(1, 6)
}

/// Bytes of the whole container, from the 16 bytes that end an object; `None`: it has none.
pub fn container_length(trailer: &[u8]) -> Option<u64> {
    let length = trailer.strip_prefix(TRAILER_MAGIC)?.as_array::<8>()?;
    u64::from_le_bytes(*length).checked_add(TRAILER_LENGTH)
}

impl BloomContainer {
    /// The JSON of a filter over these hashes (one an entry, repeated keys counted again); empty where there are none or no
    /// bits: such a table has no container. Costs up to twice `hashes.len() * bits_per_key` bits of memory.
    pub fn build(hashes: &[u64], bits_per_key: u32, sizing: Sizing) -> Vec<u8> {
        if hashes.is_empty() || bits_per_key == 0 {
            return Vec::new();
        }
        let wanted = match sizing {
            Sizing::Right => (hashes.len() as u64).saturating_mul(u64::from(bits_per_key)),
            Sizing::Original => hashes.len() as u64,
        };
        let bits = wanted.clamp(MIN_BITMAP_BYTES * 8, MAX_BITMAP_BYTES * 8).next_power_of_two();
        let mut filter =
            BloomContainer { bitmap: vec![0; (bits / 8) as usize], probes: probes(bits_per_key) };
        for hash in hashes {
            for bit in filter.bits_of(*hash) {
                filter.bitmap[(bit >> 3) as usize] |= 1 << (bit & 7);
            }
        }
        format!(r#"{{"FilterSet":"{}","SetLocs":{}}}"#, STANDARD.encode(&filter.bitmap), filter.probes)
            .into_bytes()
    }

    /// The 16 bytes that follow a JSON of this many bytes.
    pub fn trailer(json_length: u64) -> [u8; 16] {
        let mut trailer = [0; 16];
        let (magic, length) = trailer.split_at_mut(8);
        magic.copy_from_slice(TRAILER_MAGIC);
        length.copy_from_slice(&json_length.to_le_bytes());
        trailer
    }

    /// Reads the JSON. The number of bits is that of the bitmap, the probes are its own.
    ///
    /// Errors: `Corrupt` for a bitmap that is no power of two between 64 bytes and 64 MiB, or 0 or more than 64 probes.
    pub fn parse(object: &str, bytes: &[u8]) -> Result<BloomContainer> {
        let what = "a bloom container";
        let document: Document = json::decode(object, what, bytes, MAX_BITMAP_BYTES / 3 * 4 + 1024)?;
        let corrupt = |expected: &str, found: String| Error::corrupt(object, None, expected, found);
        let bitmap = STANDARD
            .decode(document.filter_set.as_bytes())
            .map_err(|error| corrupt("a bitmap in base64", error.to_string()))?;
        let length = bitmap.len() as u64;
        if !length.is_power_of_two() || !(MIN_BITMAP_BYTES..=MAX_BITMAP_BYTES).contains(&length) {
            return Err(corrupt(
                "a bitmap of a power of two of bytes, at least 64",
                format!("{length} bytes"),
            ));
        }
        if !(1..=MAX_PROBES).contains(&document.set_locs) {
            return Err(corrupt("SetLocs between 1 and 64", document.set_locs.to_string()));
        }
        Ok(BloomContainer { bitmap, probes: document.set_locs })
    }

    /// False where no entry has a key of this hash.
    pub fn may_contain(&self, hash: u64) -> bool {
        self.bits_of(hash).all(|bit| {
            // The bit is below the bitmap's size: the mask is that size minus one.
            self.bitmap.get((bit >> 3) as usize).is_some_and(|byte| byte & (1 << (bit & 7)) != 0)
        })
    }

    /// Bytes that it takes in memory.
    pub fn memory(&self) -> u64 {
        self.bitmap.len() as u64
    }

    fn bits_of(&self, hash: u64) -> impl Iterator<Item = u64> + use<> {
        let mask = self.bitmap.len() as u64 * 8 - 1;
        let high = hash >> mask.leading_zeros();
        let low = hash & mask;
        (0..self.probes).map(move |i| high.wrapping_add(i.wrapping_mul(low)) & mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};
    use xxhash_rust::xxh64::xxh64;

    use super::*;

    fn hashes<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Vec<u64> {
        keys.into_iter().map(|key| xxh64(key, 0)).collect()
    }

    fn golden() -> Vec<u64> {
        hashes([&b"a"[..], b"a", b"apple", b"b", b"c", b"d", b"e"])
    }

    fn numbered(count: u64) -> Vec<u64> {
        (0..count).map(|i| xxh64(format!("key{i:08}").as_bytes(), 0)).collect()
    }

    #[test]
    fn golden_container() {
        for sizing in [Sizing::Right, Sizing::Original] {
            let json = BloomContainer::build(&golden(), 10, sizing);
            let expected = concat!(
                r#"{"FilterSet":"AAAAAECAAQAAAAAEAAEAAABIiAABACIAAAAAAAABgQgAQBEAAiAQAIAQARAICAAAEAAAABAAAACCEAAAAIAA"#,
                r#"gA==","SetLocs":6}"#
            );
            assert_eq!(String::from_utf8(json).unwrap(), expected);
        }
        let trailer: String = BloomContainer::trailer(116).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(trailer, "49534c45424c4d317400000000000000");
    }

    #[test]
    fn golden_container_of_20000_entries() {
        let json = BloomContainer::build(&numbered(20_000), 10, Sizing::Original);
        assert_eq!(json.len(), 5492);
        let sha: String = Sha256::digest(&json).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(sha, "7f7b30e7fbc4c4f585bd76b1ad33869bb24ebdf30921c22dd2844c561b8d7aa5");
        for (count, length) in [(1, 116), (512, 116), (513, 200), (1024, 200), (1025, 372), (2048, 372)] {
            assert_eq!(BloomContainer::build(&numbered(count), 10, Sizing::Original).len(), length);
        }
    }

    #[test]
    fn no_entries_or_no_bits_is_no_container() {
        assert!(BloomContainer::build(&[], 10, Sizing::Right).is_empty());
        assert!(BloomContainer::build(&golden(), 0, Sizing::Right).is_empty());
        assert_eq!((probes(1), probes(5), probes(10), probes(100)), (1, 3, 6, 6));
    }

    #[test]
    fn the_right_sizing_keeps_strangers_out() {
        let filter = BloomContainer::build(&numbered(20_000), 10, Sizing::Right);
        let filter = BloomContainer::parse("t", &filter).unwrap();
        assert!(numbered(20_000).into_iter().all(|hash| filter.may_contain(hash)));
        let strangers = (0..20_000_u64).filter(|i| filter.may_contain(xxh64(format!("x{i}").as_bytes(), 0)));
        let passed = strangers.count();
        assert!(passed < 200, "{passed} of 20000");
    }

    #[test]
    fn refuses_what_is_no_filter() {
        let with = |bytes: usize, probes: u64| {
            let json = format!(r#"{{"FilterSet":"{}","SetLocs":{probes}}}"#, STANDARD.encode(vec![0; bytes]));
            BloomContainer::parse("t", json.as_bytes())
        };
        assert!(with(64, 1).is_ok() && with(128, 64).is_ok());
        for (bytes, probes) in [(0, 6), (32, 6), (65, 6), (64, 0), (64, 65)] {
            assert!(with(bytes, probes).is_err(), "{bytes} {probes}");
        }
        for bad in ["", "{}", "[]", r#"{"FilterSet":"?","SetLocs":1}"#, r#"{"FilterSet":1,"SetLocs":1}"#] {
            assert!(BloomContainer::parse("t", bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn holds_what_it_was_built_of(hashes: Vec<u64>, bits in 1_u32..30) {
            prop_assume!(!hashes.is_empty());
            let filter = BloomContainer::build(&hashes, bits, Sizing::Right);
            let filter = BloomContainer::parse("t", &filter).unwrap();
            prop_assert!(hashes.iter().all(|hash| filter.may_contain(*hash)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = BloomContainer::parse("t", &bytes);
        }
    }
}
