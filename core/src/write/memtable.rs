//! Writes between two flushes: an append arena, sorted once.
//!
//! Reads see committed data only, so nobody looks a key up in a memtable. That leaves two operations: append, and "all
//! in table order". So entries lie in the arena in the order they came, and the order of the table is made when the memtable
//! is flushed, by sorting (8 bytes of the key, position). The 8 bytes are those *after* what all keys have in common, so that
//! keys under one prefix rarely need a look into the arena. `benches/memtable.rs` holds this against a balanced tree and
//! against sorting by whole keys.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::format::blob::BlobId;
use crate::format::value;

const FIRST_CHUNK_BYTES: usize = 16 << 10;
const CHUNK_BYTES: usize = 1 << 20;
/// Ordinal (u32), key length (u16), encoded value length (u32), in native byte order since it never leaves the process; then
/// the [`Form`].
const HEADER_BYTES: usize = 11;

/// One write, checked against all limits.
#[derive(Debug, Clone)]
pub enum Slot<'a> {
    /// A value that lies in the table.
    Inline {
        /// The value.
        value: &'a [u8],
        /// When it is gone, Unix milliseconds.
        expire_at_ms: Option<u64>,
    },
    /// A value that becomes an object of its own.
    Blob {
        /// Its hash.
        id: BlobId,
        /// The value; kept until the table is committed, since the upload may have to be made again.
        value: Bytes,
        /// When it is gone, Unix milliseconds.
        expire_at_ms: Option<u64>,
    },
    /// A delete.
    Delete,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// A put whose value lies in the table.
    Inline = 0,
    /// A put whose value is a blob.
    Blob = 1,
    /// A delete.
    Delete = 2,
}

/// An entry in table order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The user key.
    pub key: &'a [u8],
    /// The sequence number of the write.
    pub sequence: u64,
    /// What it is.
    pub form: Form,
    /// The value as a table stores it: marker, expiry, content.
    pub value: &'a [u8],
}

/// What a table's metadata say of its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expiries {
    /// The lowest expiry, Unix milliseconds.
    pub min_ms: Option<u64>,
    /// The highest expiry, where every put has one.
    pub max_ms: Option<u64>,
}

/// Writes in the order they came. Their sequence numbers follow each other without a gap.
pub struct Memtable {
    first_sequence: u64,
    count: u32,
    chunks: Vec<Vec<u8>>,
    spare: Spare,
    /// Length of what all keys have in common with the first one.
    common: usize,
    /// Ordered, so that the same writes make the same requests.
    blobs: BTreeMap<BlobId, Bytes>,
    bytes: u64,
    min_expire_ms: Option<u64>,
    max_expire_ms: Option<u64>,
    puts_without_expiry: bool,
}

/// Empty chunks of a memtable that is done, for the next one: pages that the system need not clear again. All of
/// [`CHUNK_BYTES`], and no more than that memtable had.
#[derive(Default)]
pub struct Spare(Vec<Vec<u8>>);

/// The entries of one memtable in table order: key ascending, newest version first. 16 bytes an entry.
pub struct Order(Vec<Position>);

#[derive(Clone, Copy)]
struct Position {
    /// Eight bytes of the key after the common part, zero padded, so that comparing numbers compares keys.
    prefix: u64,
    chunk: u32,
    offset: u32,
}

impl Memtable {
    /// An empty one, whose first write gets `first_sequence`.
    pub fn new(first_sequence: u64) -> Memtable {
        Memtable::reusing(Spare::default(), first_sequence)
    }

    /// The same in the memory of one that is done.
    pub fn reusing(spare: Spare, first_sequence: u64) -> Memtable {
        Memtable {
            first_sequence,
            count: 0,
            chunks: Vec::new(),
            spare,
            common: 0,
            blobs: BTreeMap::new(),
            bytes: 0,
            min_expire_ms: None,
            max_expire_ms: None,
            puts_without_expiry: false,
        }
    }

    /// The memory of this one, whose content is no longer wanted.
    pub fn into_spare(self) -> Spare {
        let chunks = self.chunks.into_iter().chain(self.spare.0);
        let whole = chunks.filter(|chunk| chunk.capacity() == CHUNK_BYTES);
        Spare(
            whole
                .map(|mut chunk| {
                    chunk.clear();
                    chunk
                })
                .collect(),
        )
    }

    /// Appends a write and returns its sequence number. The caller has checked the key (1 to 65,527 bytes), the value
    /// (below 4 GiB) and the expiry (1 to `i64::MAX`), and rotates long before 2^32 entries.
    pub fn push(&mut self, key: &[u8], slot: Slot<'_>) -> u64 {
        debug_assert!(!key.is_empty() && key.len() <= u16::MAX as usize);
        let (form, encoded_bytes) = match &slot {
            Slot::Inline { value, expire_at_ms } => {
                (Form::Inline, 1 + 8 * usize::from(expire_at_ms.is_some()) + value.len())
            }
            Slot::Blob { expire_at_ms, .. } => (Form::Blob, 1 + 8 * usize::from(expire_at_ms.is_some()) + 32),
            Slot::Delete => (Form::Delete, 1),
        };
        self.note_common(key);
        let ordinal = self.count;
        let chunk = self.chunk_with(HEADER_BYTES + key.len() + encoded_bytes);
        chunk.extend_from_slice(&ordinal.to_ne_bytes());
        chunk.extend_from_slice(&(key.len() as u16).to_ne_bytes());
        chunk.extend_from_slice(&(encoded_bytes as u32).to_ne_bytes());
        chunk.push(form as u8);
        chunk.extend_from_slice(key);
        let value_at = chunk.len();
        match &slot {
            Slot::Inline { value, expire_at_ms } => value::encode_inline_into(chunk, value, *expire_at_ms),
            Slot::Blob { id, expire_at_ms, .. } => value::encode_blob_into(chunk, id, *expire_at_ms),
            Slot::Delete => value::encode_delete_into(chunk),
        }
        debug_assert_eq!(chunk.len() - value_at, encoded_bytes);
        self.bytes += (HEADER_BYTES + key.len() + encoded_bytes + size_of::<Position>()) as u64;
        match slot {
            Slot::Inline { expire_at_ms, .. } => self.note_expiry(expire_at_ms),
            Slot::Blob { id, value, expire_at_ms } => {
                self.note_expiry(expire_at_ms);
                let bytes = value.len() as u64;
                if self.blobs.insert(id, value).is_none() {
                    self.bytes += bytes;
                }
            }
            Slot::Delete => {}
        }
        self.count += 1;
        self.first_sequence + u64::from(ordinal)
    }

    /// True before the first write.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The number of writes.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Memory that it stands for, blob values and the order to be made included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sequence number of the first write (the next one, while it is empty).
    pub fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// Sequence number after the last write.
    pub fn next_sequence(&self) -> u64 {
        self.first_sequence + u64::from(self.count)
    }

    /// The values that are to become objects, each once.
    pub fn blobs(&self) -> &BTreeMap<BlobId, Bytes> {
        &self.blobs
    }

    /// Expiry times of the puts.
    pub fn expiries(&self) -> Expiries {
        let max_ms = if self.puts_without_expiry { None } else { self.max_expire_ms };
        Expiries { min_ms: self.min_expire_ms, max_ms }
    }

    /// Sorts. Some 50 ms for a million entries of random keys; ordered input takes a tenth.
    pub fn order(&self) -> Order {
        let mut positions = Vec::with_capacity(self.count as usize);
        for (number, chunk) in self.chunks.iter().enumerate() {
            let mut offset = 0;
            while offset < chunk.len() {
                let (key, value_end) = key_at(chunk, offset);
                let prefix = prefix_of(&key[self.common.min(key.len())..]);
                positions.push(Position { prefix, chunk: number as u32, offset: offset as u32 });
                offset = value_end;
            }
        }
        positions.sort_unstable_by(|a, b| {
            a.prefix.cmp(&b.prefix).then_with(|| self.compare_keys(a, b)).then_with(|| {
                // Positions grow with sequence numbers, and the newest version comes first.
                (b.chunk, b.offset).cmp(&(a.chunk, a.offset))
            })
        });
        Order(positions)
    }

    /// All entries, in the order that [`Memtable::order`] of this memtable gave.
    pub fn entries<'a>(&'a self, order: &'a Order) -> impl Iterator<Item = Entry<'a>> {
        order.0.iter().map(|at| self.entry(at))
    }

    fn entry(&self, at: &Position) -> Entry<'_> {
        let chunk = &self.chunks[at.chunk as usize];
        let offset = at.offset as usize;
        let (key, end) = key_at(chunk, offset);
        let ordinal = u32::from_ne_bytes(array(chunk, offset));
        let value = &chunk[offset + HEADER_BYTES + key.len()..end];
        let form = match chunk[offset + HEADER_BYTES - 1] {
            0 => Form::Inline,
            1 => Form::Blob,
            _ => Form::Delete,
        };
        Entry { key, sequence: self.first_sequence + u64::from(ordinal), form, value }
    }

    fn compare_keys(&self, a: &Position, b: &Position) -> Ordering {
        let rest = |at: &Position| {
            let (key, _) = key_at(&self.chunks[at.chunk as usize], at.offset as usize);
            &key[self.common.min(key.len())..]
        };
        rest(a).cmp(rest(b))
    }

    /// A chunk with room for `bytes` more; never grown, so nothing is copied.
    fn chunk_with(&mut self, bytes: usize) -> &mut Vec<u8> {
        let fits = self.chunks.last().is_some_and(|chunk| chunk.capacity() - chunk.len() >= bytes);
        if !fits {
            let spare = if bytes <= CHUNK_BYTES { self.spare.0.pop() } else { None };
            self.chunks.push(spare.unwrap_or_else(|| {
                let doubled = FIRST_CHUNK_BYTES << self.chunks.len().min(6);
                Vec::with_capacity(doubled.min(CHUNK_BYTES).max(bytes))
            }));
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    fn note_common(&mut self, key: &[u8]) {
        let Some(chunk) = self.chunks.first() else {
            self.common = key.len();
            return;
        };
        let (first, _) = key_at(chunk, 0);
        let first = &first[..self.common];
        if !key.starts_with(first) {
            self.common = first.iter().zip(key).take_while(|(a, b)| a == b).count();
        }
    }

    fn note_expiry(&mut self, expire_at_ms: Option<u64>) {
        match expire_at_ms {
            Some(at) => {
                self.min_expire_ms = Some(self.min_expire_ms.map_or(at, |min| min.min(at)));
                self.max_expire_ms = self.max_expire_ms.max(Some(at));
            }
            None => self.puts_without_expiry = true,
        }
    }
}

/// The key of the entry at `offset`, and where the entry ends.
fn key_at(chunk: &[u8], offset: usize) -> (&[u8], usize) {
    let key_len = u16::from_ne_bytes(array(chunk, offset + 4)) as usize;
    let value_len = u32::from_ne_bytes(array(chunk, offset + 6)) as usize;
    let key = &chunk[offset + HEADER_BYTES..][..key_len];
    (key, offset + HEADER_BYTES + key_len + value_len)
}

fn array<const N: usize>(chunk: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&chunk[at..at + N]);
    out
}

fn prefix_of(rest: &[u8]) -> u64 {
    let mut first = [0; 8];
    let n = rest.len().min(8);
    first[..n].copy_from_slice(&rest[..n]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn inline(value: &[u8]) -> Slot<'_> {
        Slot::Inline { value, expire_at_ms: None }
    }

    #[test]
    fn keeps_every_version_newest_first() {
        let mut memtable = Memtable::new(7);
        assert!(memtable.is_empty());
        assert_eq!(memtable.push(b"b", inline(b"1")), 7);
        assert_eq!(memtable.push(b"a", Slot::Delete), 8);
        assert_eq!(memtable.push(b"b", Slot::Delete), 9);
        assert_eq!(memtable.push(b"b", inline(b"")), 10);
        let order = memtable.order();
        let entries: Vec<_> = memtable.entries(&order).map(|e| (e.key, e.sequence, e.value)).collect();
        let expected: [(&[u8], u64, &[u8]); 4] =
            [(b"a", 8, b"\x02"), (b"b", 10, b"\x00"), (b"b", 9, b"\x02"), (b"b", 7, b"\x001")];
        assert_eq!(entries, expected);
        assert_eq!((memtable.first_sequence(), memtable.next_sequence(), memtable.len()), (7, 11, 4));
    }

    #[test]
    fn the_highest_expiry_counts_only_where_every_put_has_one() {
        let put = |expire_at_ms| Slot::Inline { value: b"v", expire_at_ms };
        let mut memtable = Memtable::new(1);
        assert_eq!(memtable.expiries(), Expiries { min_ms: None, max_ms: None });
        memtable.push(b"a", put(Some(20)));
        memtable.push(b"b", Slot::Delete);
        memtable.push(b"b", put(Some(10)));
        assert_eq!(memtable.expiries(), Expiries { min_ms: Some(10), max_ms: Some(20) });
        memtable.push(b"c", put(None));
        assert_eq!(memtable.expiries(), Expiries { min_ms: Some(10), max_ms: None });
    }

    #[test]
    fn equal_blobs_are_held_once() {
        let mut memtable = Memtable::new(1);
        let value = Bytes::from(vec![7; 1000]);
        for key in [b"a", b"b"] {
            let id = BlobId::of(&value);
            memtable.push(key, Slot::Blob { id, value: value.clone(), expire_at_ms: None });
        }
        assert_eq!(memtable.blobs().len(), 1);
        assert!((1000..1200).contains(&memtable.bytes()), "{}", memtable.bytes());
    }

    #[test]
    fn entries_larger_than_a_chunk_have_one_of_their_own() {
        let mut memtable = Memtable::new(1);
        let large = vec![1; CHUNK_BYTES + 1];
        for key in [b"c", b"a", b"b"] {
            memtable.push(key, inline(&large));
            memtable.push(key, inline(b"small"));
        }
        let order = memtable.order();
        let found: Vec<_> = memtable.entries(&order).map(|e| (e.key[0], e.sequence, e.value.len())).collect();
        let long = large.len() + 1;
        assert_eq!(
            found,
            [(b'a', 4, 6), (b'a', 3, long), (b'b', 6, 6), (b'b', 5, long), (b'c', 2, 6), (b'c', 1, long)]
        );
    }

    #[test]
    fn the_next_one_takes_over_the_memory_and_nothing_else() {
        let fill = |memtable: &mut Memtable| {
            for i in 0..30_000u32 {
                memtable.push(&i.to_be_bytes(), Slot::Inline { value: &[7; 100], expire_at_ms: Some(5) });
            }
            memtable.push(b"large", inline(&vec![1; CHUNK_BYTES + 1]));
        };
        let mut first = Memtable::new(1);
        fill(&mut first);
        let chunks = first.chunks.iter().filter(|chunk| chunk.capacity() == CHUNK_BYTES).count();
        let spare = first.into_spare();
        assert_eq!(spare.0.len(), chunks);
        let mut second = Memtable::reusing(spare, 9);
        assert!(second.is_empty() && second.bytes() == 0 && second.expiries() == Expiries::default());
        second.push(b"b", inline(b"1"));
        second.push(b"a", inline(b"2"));
        assert_eq!(second.spare.0.len(), chunks - 1);
        let order = second.order();
        let found: Vec<_> = second.entries(&order).map(|e| (e.key, e.sequence)).collect();
        assert_eq!(found, [(&b"a"[..], 10), (b"b", 9)]);
        fill(&mut second);
        assert!(second.into_spare().0.len() <= chunks + 1, "it does not grow from one to the next");
    }

    proptest! {
        #[test]
        fn is_in_the_order_of_a_sorted_map(
            start in 1u64..1 << 40,
            common in proptest::collection::vec(any::<u8>(), 0..12),
            keys in proptest::collection::vec(proptest::collection::vec(0u8..3, 1..12), 0..200),
            bare in any::<bool>(),
        ) {
            let mut memtable = Memtable::new(start);
            let mut model = BTreeMap::new();
            for (i, key) in keys.iter().enumerate() {
                let mut whole = common.clone();
                whole.extend(key);
                // One key outside the common prefix, somewhere in the middle.
                let whole = if bare && i == keys.len() / 2 { key.clone() } else { whole };
                let value = i.to_le_bytes();
                let sequence = memtable.push(&whole, inline(&value));
                prop_assert_eq!(sequence, start + i as u64);
                model.insert((whole, Reverse(sequence)), value);
            }
            let order = memtable.order();
            let found: Vec<_> = memtable.entries(&order).map(|e| (e.key.to_vec(), e.sequence, e.value[1..].to_vec())).collect();
            let expected: Vec<_> = model.into_iter().map(|((key, Reverse(seq)), value)| (key, seq, value.to_vec())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
