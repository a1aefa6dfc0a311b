//! An index entry: what lies in a slot, and the checksum of both.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | when it was used last, in Unix milliseconds; outside of the checksum |
//! | 8..24 | XXH3-128 of bytes 24..256 and of the chunk |
//! | 24..28 | `IDC1` |
//! | 28..32 | length of what is kept of the chunk, from its beginning |
//! | 32..64 | identity of the object |
//! | 64..72 | number of the chunk |
//! | 72..80 | size of the object |
//! | 80..88 | Last-Modified of the object, in Unix milliseconds; all ones: unknown |
//! | 88..92 | size of chunks |
//! | 92..94 | length of the version |
//! | 94..256 | version of the object, then zeros |
//!
//! Integers are little-endian.

use isledb_core::host::{ObjectMeta, Version};
use xxhash_rust::xxh3::Xxh3;

use super::identity::Identity;

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 256;

const MAGIC: [u8; 4] = *b"IDC1";
const UNKNOWN: u64 = u64::MAX;
const VERSION: usize = 94;

/// What a store says of an object beside its bytes. Parts of one object that say differently are not of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) size: u64,
    pub(super) version: Version,
    pub(super) last_modified_ms: Option<u64>,
}

impl Facts {
    pub(super) fn of(meta: &ObjectMeta) -> Option<Facts> {
        let (size, last_modified_ms) = (meta.size, meta.last_modified_ms);
        Some(Facts { size, version: meta.version.clone()?, last_modified_ms })
    }

    pub(super) fn meta(&self, key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: self.size,
            version: Some(self.version.clone()),
            last_modified_ms: self.last_modified_ms,
        }
    }
}

/// A chunk's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkId {
    pub(super) object: Identity,
    pub(super) number: u64,
    /// Size of chunks; the last of an object is shorter.
    pub(super) chunk_bytes: u32,
}

impl ChunkId {
    /// How long the chunk is at most in an object of `size` bytes.
    fn length(&self, size: u64) -> u64 {
        let begin = self.number.saturating_mul(u64::from(self.chunk_bytes));
        size.saturating_sub(begin).min(u64::from(self.chunk_bytes))
    }
}

/// The entry of a chunk; `None` where the version is too long to be kept.
pub(super) fn encode(id: &ChunkId, facts: &Facts, chunk: &[u8], used_ms: u64) -> Option<[u8; ENTRY_BYTES]> {
    let version = facts.version.as_str().as_bytes();
    let mut entry = [0; ENTRY_BYTES];
    entry.get_mut(VERSION..VERSION + version.len())?.copy_from_slice(version);
    entry[..8].copy_from_slice(&used_ms.to_le_bytes());
    entry[24..28].copy_from_slice(&MAGIC);
    entry[28..32].copy_from_slice(&u32::try_from(chunk.len()).ok()?.to_le_bytes());
    entry[32..64].copy_from_slice(&id.object);
    entry[64..72].copy_from_slice(&id.number.to_le_bytes());
    entry[72..80].copy_from_slice(&facts.size.to_le_bytes());
    entry[80..88].copy_from_slice(&facts.last_modified_ms.unwrap_or(UNKNOWN).to_le_bytes());
    entry[88..92].copy_from_slice(&id.chunk_bytes.to_le_bytes());
    entry[92..94].copy_from_slice(&u16::try_from(version.len()).ok()?.to_le_bytes());
    let checksum = checksum(&entry, chunk);
    entry[8..24].copy_from_slice(&checksum);
    Some(entry)
}

/// How much of the chunk an entry keeps; `None` where it is the entry of another one. Nothing is proved yet.
pub(super) fn length_if(entry: &[u8; ENTRY_BYTES], id: &ChunkId) -> Option<usize> {
    let same = entry[24..28] == MAGIC
        && entry[32..64] == id.object
        && u64_at(entry, 64) == id.number
        && u32_at(entry, 88) == id.chunk_bytes;
    let length = u32_at(entry, 28);
    (same && length > 0 && length <= id.chunk_bytes).then_some(length as usize)
}

/// What the entry says of the object, if entry and chunk are as they were written, and belong together.
pub(super) fn check(entry: &[u8; ENTRY_BYTES], id: &ChunkId, chunk: &[u8]) -> Option<Facts> {
    if length_if(entry, id)? != chunk.len() || entry[8..24] != checksum(entry, chunk) {
        return None;
    }
    let version = usize::from(u16::from_le_bytes([entry[92], entry[93]]));
    let version = std::str::from_utf8(entry.get(VERSION..VERSION + version)?).ok()?;
    let size = u64_at(entry, 72);
    let last_modified_ms = Some(u64_at(entry, 80)).filter(|ms| *ms != UNKNOWN);
    (chunk.len() as u64 <= id.length(size)).then(|| Facts {
        size,
        version: Version::new(version),
        last_modified_ms,
    })
}

/// When the entry was used last; `None` for one that was never written.
pub(super) fn used_ms(entry: &[u8; ENTRY_BYTES]) -> Option<u64> {
    (entry[24..28] == MAGIC).then(|| u64_at(entry, 0))
}

fn checksum(entry: &[u8; ENTRY_BYTES], chunk: &[u8]) -> [u8; 16] {
    let mut hash = Xxh3::new();
    hash.update(&entry[24..]);
    hash.update(chunk);
    hash.digest128().to_le_bytes()
}

fn u64_at(entry: &[u8; ENTRY_BYTES], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&entry[at..at + 8]);
    u64::from_le_bytes(bytes)
}

fn u32_at(entry: &[u8; ENTRY_BYTES], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&entry[at..at + 4]);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> ChunkId {
        ChunkId { object: [3; 32], number, chunk_bytes: 4096 }
    }

    fn facts(version: &str) -> Facts {
        Facts { size: 5000, version: Version::new(version), last_modified_ms: Some(17) }
    }

    #[test]
    fn entries_are_read_as_written() {
        for last_modified_ms in [None, Some(17)] {
            let facts = Facts { last_modified_ms, ..facts("\"0cc175b9c0f1b6a8\"") };
            let (first, last) = (vec![1; 4096], vec![2; 904]);
            for (number, chunk) in [(0, first), (1, last)] {
                let entry = encode(&id(number), &facts, &chunk, 99).unwrap();
                assert_eq!(length_if(&entry, &id(number)), Some(chunk.len()));
                assert_eq!(check(&entry, &id(number), &chunk), Some(facts.clone()));
                assert_eq!(used_ms(&entry), Some(99));
            }
        }
    }

    #[test]
    fn every_byte_of_entry_and_chunk_counts() {
        let chunk = vec![2; 904];
        let entry = encode(&id(1), &facts("v"), &chunk, 99).unwrap();
        for at in 8..ENTRY_BYTES {
            let mut flipped = entry;
            flipped[at] ^= 0x10;
            assert_eq!(check(&flipped, &id(1), &chunk), None, "byte {at} of the entry");
        }
        for at in 0..chunk.len() {
            let mut flipped = chunk.clone();
            flipped[at] ^= 1;
            assert_eq!(check(&entry, &id(1), &flipped), None, "byte {at} of the chunk");
        }
        assert_eq!(check(&entry, &id(1), &chunk[1..]), None);
        assert_eq!(check(&[0; ENTRY_BYTES], &id(1), &chunk), None);
        assert_eq!(used_ms(&[0; ENTRY_BYTES]), None);
    }

    #[test]
    fn a_chunk_of_anything_else_is_another_one() {
        let chunk = vec![2; 904];
        let entry = encode(&id(1), &facts("v"), &chunk, 99).unwrap();
        let other = ChunkId { object: [4; 32], ..id(1) };
        for other in [other, id(0), id(2), ChunkId { chunk_bytes: 8192, ..id(1) }] {
            assert_eq!(length_if(&entry, &other), None);
            assert_eq!(check(&entry, &other, &chunk), None);
        }
        // A chunk that cannot be of an object of that size, whoever wrote it.
        let long = encode(&id(1), &facts("v"), &[2; 905], 99).unwrap();
        assert_eq!(check(&long, &id(1), &[2; 905]), None);
        // Its beginning is as good as far as it goes.
        let short = encode(&id(1), &facts("v"), &chunk[1..], 99).unwrap();
        assert_eq!(check(&short, &id(1), &chunk[1..]), Some(facts("v")));
    }

    #[test]
    fn versions_that_are_too_long_are_not_kept() {
        assert!(encode(&id(1), &facts(&"v".repeat(162)), &[2; 904], 0).is_some());
        assert!(encode(&id(1), &facts(&"v".repeat(163)), &[2; 904], 0).is_none());
    }
}
