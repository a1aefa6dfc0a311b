//! One bounded cache for everything of a table that is worth keeping decoded.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use crate::format::sst::{Block, Filter, IndexPartition, Table};
use crate::mutation::{Mutation, mutated};

/// The default bound of [`BlockCache`]: 64 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// What an entry costs besides its content: key, slot, and the allocations behind them. An upper estimate.
const ENTRY_OVERHEAD: u64 = 160;

/// A shard below this holds too few blocks to evict well.
const MIN_SHARD_BYTES: u64 = 4 * 1024 * 1024;

/// The name of an immutable object with its hash, made once for each table of a view, so that a look-up neither
/// formats nor hashes it again.
#[derive(Debug, Clone)]
pub(crate) struct ObjectName {
    name: Arc<str>,
    hash: u64,
}

impl ObjectName {
    pub(crate) fn new(name: &str) -> ObjectName {
        let hash = xxhash_rust::xxh64::xxh64(name.as_bytes(), 0);
        ObjectName {
            hash: hash & u64::from(mutated(Mutation::CacheMixesTables)).wrapping_sub(1),
            name: name.into(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared(&self) -> &Arc<str> {
        &self.name
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &ObjectName) -> bool {
        mutated(Mutation::CacheMixesTables)
            || Arc::ptr_eq(&self.name, &other.name)
            || (self.hash == other.hash && self.name == other.name)
    }
}

impl Eq for ObjectName {}

/// Which part of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The parsed tail.
    Tail,
    /// The index partition of this number, with its filter part.
    Partition(u64),
    /// The full filter.
    Filter,
    /// The data block at this offset.
    Block(u64),
}

/// What a part of a table is known by: names are immutable, so an entry is never stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartKey {
    pub(crate) object: ObjectName,
    pub(crate) part: Part,
}

impl Hash for PartKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        PartRef { object: &self.object, part: self.part }.hash(state);
    }
}

/// A [`PartKey`] that borrows the name: to look up.
struct PartRef<'a> {
    object: &'a ObjectName,
    part: Part,
}

impl Hash for PartRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, at) = match self.part {
            Part::Tail => (1, 0),
            Part::Partition(i) => (2, i),
            Part::Filter => (3, 0),
            Part::Block(offset) => (4, offset),
        };
        state.write_u64(self.object.hash ^ mix(at.wrapping_mul(8).wrapping_add(kind)));
    }
}

impl Equivalent<PartKey> for PartRef<'_> {
    fn equivalent(&self, key: &PartKey) -> bool {
        self.part == key.part && *self.object == key.object
    }
}

/// Spreads what differs in few bits over all of them (the finalizer of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Passes on the hash that [`PartKey`] has made already. It depends on no random number, so a simulated run repeats.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MadeHash(u64);

impl Hasher for MadeHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0 ^ xxhash_rust::xxh64::xxh64(bytes, 0));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = mix(self.0 ^ hash);
    }
}

impl BuildHasher for MadeHash {
    type Hasher = MadeHash;
    fn build_hasher(&self) -> MadeHash {
        *self
    }
}

/// A decoded part; cloning it is cheap.
#[derive(Clone)]
pub(crate) enum Cached {
    Table(Arc<Table>),
    Partition(IndexPartition),
    Filter(Filter),
    Block(Block),
}

impl Cached {
    fn memory(&self) -> u64 {
        match self {
            Cached::Table(table) => table.memory(),
            Cached::Partition(partition) => partition.memory(),
            Cached::Filter(filter) => filter.memory(),
            Cached::Block(block) => block.memory(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct ByMemory;

impl Weighter<PartKey, Cached> for ByMemory {
    fn weight(&self, _key: &PartKey, value: &Cached) -> u64 {
        value.memory() + ENTRY_OVERHEAD
    }
}

/// Counts what is pushed out. What the first two of a request were is dropped behind the lock.
#[derive(Debug, Clone, Default)]
struct CountEvictions(Arc<AtomicU64>);

impl Lifecycle<PartKey, Cached> for CountEvictions {
    type RequestState = [Option<(PartKey, Cached)>; 2];

    fn on_evict(&self, state: &mut Self::RequestState, key: PartKey, value: Cached) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Some(free) = state.iter_mut().find(|slot| slot.is_none()) {
            *free = Some((key, value));
        }
    }
}

/// Decoded data blocks, index partitions, filters and table tails, within a bound of bytes.
///
/// What is used once (a scan over everything) does not push out what is used often: the policy is one of the S3-FIFO kind.
/// Shared by all readers of one database; entries are known by object name, which is immutable, so nothing is ever
/// invalidated. One cache must serve one store only: names are not unique across stores. Safe for any number of threads.
pub struct BlockCache {
    entries: Cache<PartKey, Cached, ByMemory, MadeHash, CountEvictions>,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: CountEvictions,
}

/// Counters of a [`BlockCache`] since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Look-ups that found the part.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Parts that were pushed out by others, or that were too large to be kept at all.
    pub evictions: u64,
    /// Parts held now.
    pub entries: u64,
    /// Bytes held now, with the overhead of each entry.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub capacity_bytes: u64,
}

impl BlockCache {
    /// An empty cache of at most `capacity_bytes`; 0 keeps nothing.
    pub fn new(capacity_bytes: u64) -> BlockCache {
        let shards = (capacity_bytes / MIN_SHARD_BYTES).clamp(1, 16) as usize;
        // Blocks have some 4 KiB; an estimate within a factor of a hundred does.
        let items = (capacity_bytes / 4096).clamp(64, 1 << 24) as usize;
        let mut options = OptionsBuilder::new();
        options.shards(shards).estimated_items_capacity(items).weight_capacity(capacity_bytes);
        #[expect(clippy::expect_used, reason = "build fails only where a capacity was not given")]
        let options = options.build().expect("both capacities are given");
        let evictions = CountEvictions::default();
        BlockCache {
            entries: Cache::with_options(options, ByMemory, MadeHash::default(), evictions.clone()),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions,
        }
    }

    /// The counters now.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: self.evictions.0.load(Ordering::Relaxed),
            entries: self.entries.len() as u64,
            bytes: self.entries.weight(),
            capacity_bytes: self.entries.capacity(),
        }
    }

    /// Forgets everything that is held; counters go on.
    pub fn clear(&self) {
        self.entries.clear();
    }

    pub(crate) fn get(&self, object: &ObjectName, part: Part) -> Option<Cached> {
        let found = self.look(object, part);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Like [`BlockCache::get`], without being counted: see [`BlockCache::count_hits`].
    pub(crate) fn look(&self, object: &ObjectName, part: Part) -> Option<Cached> {
        self.entries.get(&PartRef { object, part })
    }

    /// Counts look-ups that found their part.
    pub(crate) fn count_hits(&self, hits: u64) {
        self.hits.fetch_add(hits, Ordering::Relaxed);
    }

    pub(crate) fn insert(&self, key: PartKey, value: Cached) {
        self.entries.insert(key, value);
    }
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BlockCache").field(&self.stats()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::format::sst::{BlockHandle, ChecksumKind};

    use super::*;

    /// A block of about `bytes` bytes.
    fn block(bytes: usize) -> Cached {
        let mut stored = vec![0; bytes];
        stored.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0]);
        let handle = BlockHandle { offset: 0, length: stored.len() as u64 };
        stored.push(0);
        let checksum = crc32c::crc32c(&stored).rotate_right(15).wrapping_add(0xa282_ead8);
        stored.extend_from_slice(&checksum.to_le_bytes());
        let decoded = Block::decode(&"t".into(), handle, stored.into(), ChecksumKind::Crc32c, u64::MAX);
        Cached::Block(decoded.unwrap())
    }

    #[test]
    fn stays_within_its_bound_and_counts() {
        let (cache, name) = (BlockCache::new(64 * 1024), ObjectName::new("t"));
        let part = |i| PartKey { object: name.clone(), part: Part::Block(i) };
        for i in 0..100 {
            cache.insert(part(i), block(4000));
            assert!(cache.stats().bytes <= cache.stats().capacity_bytes);
        }
        let stats = cache.stats();
        assert_eq!((stats.capacity_bytes, stats.entries + stats.evictions), (64 * 1024, 100));
        let found = (0..100).filter(|i| cache.get(&name, Part::Block(*i)).is_some()).count() as u64;
        assert_eq!(found, stats.entries);
        assert_eq!((cache.stats().hits, cache.stats().misses), (found, 100 - found));
        // One that is larger than all is not kept, and pushes nothing out.
        cache.insert(part(100), block(70_000));
        assert_eq!(cache.stats().evictions, stats.evictions + 1);
        assert_eq!(cache.stats().entries, stats.entries);
        cache.clear();
        assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
    }
}
