//! Why the memtable is an arena that is sorted once: the engine's own against a balanced tree and against sorting whole keys.
//!
//! Each fills one memtable of 16 MiB and then walks it in table order, which is all that is ever asked of one. `put` is the
//! fill alone: what a caller waits for. The memory of the run before is used again, as a writer does. Before each benchmark one run is counted: `allocations` are calls of the allocator.
#![allow(missing_docs, reason = "criterion's macro is public")]

mod counting;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isledb_core::write::memtable::{Memtable, Slot};

const ENTRIES: u64 = 116_000;
const VALUE: [u8; 100] = [7; 100];

trait Design {
    fn new() -> Self;
    /// Forgets everything but its memory.
    fn clear(&mut self);
    fn put(&mut self, key: &[u8], value: &[u8]);
    /// Sum of the lengths of all keys and values, visited in table order.
    fn walk(&mut self) -> usize;
}

struct SortedPrefixes(Memtable);

impl Design for SortedPrefixes {
    fn new() -> Self {
        SortedPrefixes(Memtable::new(1))
    }

    fn clear(&mut self) {
        let done = std::mem::replace(&mut self.0, Memtable::new(1));
        self.0 = Memtable::reusing(done.into_spare(), 1);
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.push(key, Slot::Inline { value, expire_at_ms: None });
    }

    fn walk(&mut self) -> usize {
        let order = self.0.order();
        self.0.entries(&order).map(|entry| entry.key.len() + entry.value.len()).sum()
    }
}

/// The same arena, without the eight bytes beside each position.
#[derive(Default)]
struct SortedKeys {
    arena: Vec<u8>,
    at: Vec<(u32, u16, u16)>,
}

impl Design for SortedKeys {
    fn new() -> Self {
        SortedKeys::default()
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.at.clear();
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.at.push((self.arena.len() as u32, key.len() as u16, value.len() as u16));
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value);
    }

    fn walk(&mut self) -> usize {
        let arena = &self.arena;
        let key = |(at, key, _): &(u32, u16, u16)| &arena[*at as usize..][..usize::from(*key)];
        self.at.sort_unstable_by(|a, b| key(a).cmp(key(b)).then(b.0.cmp(&a.0)));
        self.at.iter().map(|at| key(at).len() + usize::from(at.2)).sum()
    }
}

/// User key, and the newest version first.
type TableOrder = (Box<[u8]>, Reverse<u64>);

#[derive(Default)]
struct Tree {
    entries: BTreeMap<TableOrder, Box<[u8]>>,
    sequence: u64,
}

impl Design for Tree {
    fn new() -> Self {
        Tree::default()
    }

    fn clear(&mut self) {
        self.entries.clear();
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.sequence += 1;
        self.entries.insert((key.into(), Reverse(self.sequence)), value.into());
    }

    fn walk(&mut self) -> usize {
        self.entries.iter().map(|((key, _), value)| key.len() + value.len()).sum()
    }
}

fn keys(shape: &str) -> Vec<Vec<u8>> {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    (0..ENTRIES)
        .map(|i| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            match shape {
                "ordered" => format!("{i:016}").into_bytes(),
                "random" => format!("{random:016x}").into_bytes(),
                _ => format!("tenant/0042/user/{:016x}", random).into_bytes(),
            }
        })
        .collect()
}

fn fill<D: Design>(design: &mut D, keys: &[Vec<u8>]) {
    design.clear();
    keys.iter().for_each(|key| design.put(key, &VALUE));
}

fn compare<D: Design>(c: &mut Criterion, name: &str) {
    for shape in ["ordered", "random", "prefixed"] {
        let keys = keys(shape);
        let bytes: usize = keys.iter().map(|key| key.len() + VALUE.len()).sum();
        let mut design = D::new();
        let mut run = || {
            fill(&mut design, &keys);
            black_box(design.walk())
        };
        run();
        let allocations = counting::allocations(|| _ = run());
        println!("memtable/{name}/{shape}: {ENTRIES} entries, {bytes} bytes, {allocations} allocations");
        let mut group = c.benchmark_group(format!("memtable/{name}"));
        group.sample_size(20);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("fill and walk, {shape} keys"), |b| b.iter(&mut run));
        group.throughput(Throughput::Elements(ENTRIES));
        group.bench_function(format!("put, {shape} keys"), |b| b.iter(|| fill(&mut design, &keys)));
        group.finish();
    }
}

fn memtable(c: &mut Criterion) {
    compare::<SortedPrefixes>(c, "arena, sorted by prefix");
    compare::<SortedKeys>(c, "arena, sorted by key");
    compare::<Tree>(c, "balanced tree");
}

criterion_group!(benches, memtable);
criterion_main!(benches);
