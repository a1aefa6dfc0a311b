//! Where a chunk may lie in the file.

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3;

use super::entry::ENTRY_BYTES;
use super::identity::Identity;

/// Entries, and slots, of a set.
pub(super) const WAYS: usize = 16;
/// The index entries of a set: one page of a disk.
pub(super) const PAGE_BYTES: usize = WAYS * ENTRY_BYTES;

/// Sizes of a file of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    chunk_bytes: u32,
    sets: u64,
}

impl Geometry {
    /// As many sets as fit into `max_bytes`; `None` if not even one does.
    pub(super) fn new(max_bytes: u64, chunk_bytes: u32) -> Option<Geometry> {
        let sets = max_bytes / set_bytes(chunk_bytes);
        (sets > 0).then_some(Geometry { chunk_bytes, sets })
    }

    pub(super) fn chunk_bytes(&self) -> u64 {
        u64::from(self.chunk_bytes)
    }

    /// The longest that the file becomes.
    pub(super) fn file_bytes(&self) -> u64 {
        self.sets * set_bytes(self.chunk_bytes)
    }

    /// The chunks that a range of an object touches.
    pub(super) fn chunks(&self, range: &Range<u64>) -> Range<u64> {
        range.start / self.chunk_bytes()..range.end.div_ceil(self.chunk_bytes())
    }

    /// The set of a chunk. A file that grows or shrinks by a set keeps almost all chunks where they are.
    pub(super) fn set_of(&self, object: &Identity, chunk: u64) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(object);
        hash.update(&chunk.to_le_bytes());
        jump(hash.digest(), self.sets)
    }

    /// Where the index entries of a set lie.
    pub(super) fn page(&self, set: u64) -> u64 {
        set * set_bytes(self.chunk_bytes)
    }

    /// Where the chunk of an entry lies.
    pub(super) fn slot(&self, set: u64, way: usize) -> u64 {
        self.page(set) + PAGE_BYTES as u64 + way as u64 * self.chunk_bytes()
    }

    /// Where an entry lies.
    pub(super) fn entry(&self, set: u64, way: usize) -> u64 {
        self.page(set) + (way * ENTRY_BYTES) as u64
    }
}

fn set_bytes(chunk_bytes: u32) -> u64 {
    PAGE_BYTES as u64 + WAYS as u64 * u64::from(chunk_bytes)
}

/// Jump consistent hashing (Lamping and Veach, 2014): of all keys, one in `buckets` moves when a bucket is added.
fn jump(mut key: u64, buckets: u64) -> u64 {
    let (mut bucket, mut next) = (0, 0);
    while next < buckets {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let share = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * share) as u64;
    }
    bucket
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lie_beside_one_another_within_the_bound() {
        let geometry = Geometry::new(5_000_000, 64 << 10).unwrap();
        assert_eq!(geometry.sets, 4);
        let mut end = 0;
        for set in 0..4 {
            assert_eq!(geometry.page(set), end);
            assert_eq!(geometry.entry(set, 0), end);
            assert_eq!(geometry.entry(set, WAYS - 1), geometry.slot(set, 0) - ENTRY_BYTES as u64);
            end += PAGE_BYTES as u64;
            for way in 0..WAYS {
                assert_eq!(geometry.slot(set, way), end);
                end += 64 << 10;
            }
        }
        assert_eq!(geometry.file_bytes(), end);
        assert!(end <= 5_000_000);
        assert_eq!(Geometry::new(16 << 20, 1 << 20), None);
    }

    #[test]
    fn ranges_touch_the_chunks_that_hold_them() {
        let geometry = Geometry::new(1 << 30, 4096).unwrap();
        assert_eq!(geometry.chunks(&(0..1)), 0..1);
        assert_eq!(geometry.chunks(&(4095..4096)), 0..1);
        assert_eq!(geometry.chunks(&(4095..4097)), 0..2);
        assert_eq!(geometry.chunks(&(4096..8192)), 1..2);
    }

    #[test]
    fn sets_are_used_evenly_and_survive_another_bound() {
        let (smaller, larger) = (Geometry::new(100 << 20, 64 << 10), Geometry::new(110 << 20, 64 << 10));
        let (smaller, larger) = (smaller.unwrap(), larger.unwrap());
        let mut used = vec![0_u64; smaller.sets as usize];
        let mut moved = 0;
        for chunk in 0..20_000 {
            let set = smaller.set_of(&[7; 32], chunk);
            used[set as usize] += 1;
            moved += u64::from(larger.set_of(&[7; 32], chunk) != set);
        }
        let (least, most) = (used.iter().min().unwrap(), used.iter().max().unwrap());
        assert!(*least > 120 && *most < 300, "between {least} and {most} of 200");
        assert!(moved < 2_500, "{moved} of 20,000 moved");
    }
}
