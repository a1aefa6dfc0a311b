//! The Bloom filter of a table or of one index partition: lines of 64 bytes, one line a key.
//!
//! A test touches one line, so it costs one cache miss. At 10 bits a key about one absent key in a hundred passes.

use bytes::Bytes;

use crate::mutation::{Mutation, mutated};
use crate::{Error, Result};

/// Bytes behind the bits: the number of probes and the number of lines.
const TAIL: usize = 5;

/// A filter block, decoded. Cheap to clone; its bits are a slice of what was fetched.
#[derive(Debug, Clone)]
pub struct Filter {
    bits: Bytes,
    lines: u32,
    line_bits: u32,
    probes: u8,
}

impl Filter {
    /// Reads a filter body. `at` is its offset in the object.
    pub(super) fn decode(object: &str, at: u64, body: Bytes) -> Result<Filter> {
        // Without keys there is an empty body, or a tail alone: it contains nothing.
        if body.len() <= TAIL {
            return Ok(Filter { bits: Bytes::new(), lines: 0, line_bits: 0, probes: 1 });
        }
        let bits = body.slice(..body.len() - TAIL);
        let (probes, lines) = match body.get(bits.len()..) {
            Some(&[probes, a, b, c, d]) => (probes, u32::from_le_bytes([a, b, c, d])),
            _ => (0, 0),
        };
        // 0xff marks the layouts of later RocksDB: they mean something else, so nothing can be excluded.
        if probes == 0xff {
            return Ok(Filter { bits: Bytes::new(), lines: 1, line_bits: 0, probes: 0 });
        }
        let line_bytes = (bits.len() as u64).checked_div(u64::from(lines)).unwrap_or(0);
        if !line_bytes.is_power_of_two()
            || line_bytes * u64::from(lines) != bits.len() as u64
            || line_bytes > 4096
        {
            let found = format!("{lines} lines in {} bytes", bits.len());
            return Err(Error::corrupt(object, at, "filter lines that fill the block", found));
        }
        Ok(Filter { bits, lines, line_bits: line_bytes as u32 * 8, probes })
    }

    /// False: the key is not there. True: it may be.
    pub fn may_contain(&self, user_key: &[u8]) -> bool {
        self.may_contain_hash(hash(user_key))
    }

    /// [`Filter::may_contain`] for a key whose [`hash`] is at hand: one key is often asked of many tables.
    pub fn may_contain_hash(&self, hash: u32) -> bool {
        if self.lines == 0 {
            return false;
        }
        if self.line_bits == 0 {
            return true;
        }
        let line = (hash % self.lines) as usize * (self.line_bits / 8) as usize;
        let Some(line) = self.bits.get(line..line + (self.line_bits / 8) as usize) else {
            return true;
        };
        let hash = hash ^ u32::from(mutated(Mutation::FilterHashDiffers));
        let mask = self.line_bits - 1;
        let delta = hash.rotate_right(17);
        let mut h = hash;
        for _ in 0..self.probes {
            let bit = h & mask;
            if line.get((bit / 8) as usize).is_some_and(|byte| byte & (1 << (bit % 8)) == 0) {
                return false;
            }
            h = h.wrapping_add(delta);
        }
        true
    }

    /// Bytes that it keeps in memory.
    pub fn memory(&self) -> u64 {
        self.bits.len() as u64
    }
}

/// The 32-bit hash of a user key that filters are made of.
pub fn hash(user_key: &[u8]) -> u32 {
    const M: u32 = 0xc6a4_a793;
    let mut h = 0xbc9f_1d34 ^ (user_key.len() as u32).wrapping_mul(M);
    let (words, rest) = user_key.as_chunks::<4>();
    for word in words {
        h = h.wrapping_add(u32::from_le_bytes(*word)).wrapping_mul(M);
        h ^= h >> 16;
    }
    // The last bytes are taken as signed: an accident of the first implementation that became the format.
    for (i, &byte) in rest.iter().enumerate().rev() {
        h = h.wrapping_add((byte as i8 as u32) << (8 * i));
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
        h ^= h >> 24;
    }
    h
}

/// Appends the filter body for `hashes` to `out`. A hash equal to the one just before it is taken once.
#[cfg(feature = "write")]
pub(super) fn build_into(out: &mut Vec<u8>, hashes: &[u32], bits_per_key: u32) {
    const LINE: u64 = 64;
    if hashes.is_empty() {
        return;
    }
    let repeated = hashes.iter().zip(hashes.iter().skip(1)).filter(|(a, b)| a == b).count() as u64;
    let bits = (hashes.len() as u64 - repeated) * u64::from(bits_per_key);
    // An odd number of lines, so that the hash's low bits choose among all of them.
    let lines = bits.div_ceil(LINE * 8) | 1;
    let probes = ((f64::from(bits_per_key) * 0.69) as u32).clamp(1, 30);
    let start = out.len();
    out.resize(start + (lines * LINE) as usize, 0);
    let (chunks, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<64>();
    for &hash in hashes {
        let Some(line) = chunks.get_mut((u64::from(hash) % lines) as usize) else { continue };
        let delta = hash.rotate_right(17);
        let mut h = hash;
        for _ in 0..probes {
            let bit = h % (LINE as u32 * 8);
            line[(bit / 8) as usize] |= 1 << (bit % 8);
            h = h.wrapping_add(delta);
        }
    }
    out.push(probes as u8);
    out.extend_from_slice(&(lines as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_vectors() {
        let cases: [(&[u8], u32); 12] = [
            (b"", 0xbc9f_1d34),
            (b"a", 0x286e_9db0),
            (b"ab", 0x39ac_a330),
            (b"abc", 0x855d_012f),
            (b"abcd", 0xb9c8_3353),
            (b"abcde", 0x41d2_c26d),
            (b"apple", 0x7c7f_163b),
            (b"\xff", 0x1d66_774f),
            (b"\x80\xff", 0xf627_8120),
            (b"\x80\x81\xfe", 0x1a5e_866d),
            (b"\x00", 0xe40b_1e01),
            (&[0xff; 8], 0x2abc_303f),
        ];
        for (key, expected) in cases {
            assert_eq!(hash(key), expected, "{key:02x?}");
        }
    }

    #[test]
    fn odd_bodies() {
        let decode = |body: &'static [u8]| Filter::decode("t", 0, Bytes::from_static(body));
        assert!(!decode(b"").unwrap().may_contain(b"k"), "a filter of no keys contains nothing");
        assert!(!decode(&[6, 0, 0, 0, 0]).unwrap().may_contain(b"k"));
        assert!(decode(&[0, 0xff, 1, 0, 0, 0]).unwrap().may_contain(b"k"), "a later layout excludes nothing");
        assert!(decode(&[0, 6, 0, 0, 0, 0]).is_err(), "no lines");
        assert!(decode(&[0, 0, 0, 6, 1, 0, 0, 0]).is_err(), "a line of three bytes");
        assert!(decode(&[0, 6, 2, 0, 0, 0]).is_err(), "more lines than bytes");
    }

    #[cfg(feature = "write")]
    #[test]
    fn no_key_is_missed_and_few_strangers_pass() {
        let keys: Vec<String> = (0..20_000).map(|i| format!("user{:08}", i * 7919)).collect();
        let hashes: Vec<u32> = keys.iter().map(|key| hash(key.as_bytes())).collect();
        let mut body = Vec::new();
        build_into(&mut body, &hashes, 10);
        let filter = Filter::decode("t", 0, Bytes::from(body)).unwrap();
        assert!(keys.iter().all(|key| filter.may_contain(key.as_bytes())));
        let passed = (0..50_000).filter(|i| filter.may_contain(format!("other{i}").as_bytes())).count();
        assert!(passed < 1000, "{passed} of 50000 absent keys pass, 2 % are allowed");
    }
}
