//! The tables that other engines read: every codec, block size, index depth, layout, filter, flavour and checksum.

use std::sync::Arc;

use isledb_core::format::bloom::{BloomContainer, Sizing};
use isledb_core::format::sst::{
    ChecksumKind, Compression, Kind, TableBuilder, TableFlavour, TableLayout, TableOptions,
};

/// One entry, as every reader must list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    pub(crate) value: Vec<u8>,
}

/// A table and what is in it.
pub(crate) struct Table {
    /// The object: the table, and behind it whatever the writer appends.
    pub(crate) object: Vec<u8>,
    /// Where the table ends.
    pub(crate) size: u64,
    pub(crate) entries: Vec<Entry>,
}

/// Makes the entries of a table.
type Entries = fn() -> Vec<Entry>;

/// How a table is made.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    pub(crate) flavour: TableFlavour,
    /// Whether its index is deep enough for a second level.
    pub(crate) two_levels: bool,
    options: TableOptions,
    entries: Entries,
}

/// Every combination.
pub(crate) fn recipes() -> Vec<Recipe> {
    let zstd = Compression::Zstd(Arc::new(|raw: &[u8]| {
        zstd::bulk::compress(raw, 3).unwrap_or_else(|error| panic!("zstd: {error}"))
    }));
    let mut recipes = Vec::new();
    for (codec, compression) in [("none", Compression::None), ("snappy", Compression::Snappy), ("zstd", zstd)]
    {
        for block_size in [512, 4096, 65_536] {
            for (layout_name, layout) in [("edge", TableLayout::Edge), ("original", TableLayout::Original)] {
                for filter_bits_per_key in [0, 10] {
                    for (flavour_name, flavour) in
                        [("pebble", TableFlavour::Pebble), ("rocksdb", TableFlavour::RocksDb)]
                    {
                        let kinds: [(&str, Entries); 4] =
                            [("one", one), ("few", few), ("many", many), ("odd", odd)];
                        for (entries_name, entries) in kinds {
                            let checksum = match recipes.len() % 3 {
                                0 => ChecksumKind::XxHash64,
                                _ => ChecksumKind::Crc32c,
                            };
                            recipes.push(Recipe {
                                name: format!(
                                    "{flavour_name}_{codec}_{block_size}_{layout_name}_bits{filter_bits_per_key}_{entries_name}_{checksum:?}"
                                ),
                                flavour,
                                two_levels: match entries_name {
                                    "many" => block_size <= 4096,
                                    "few" | "odd" => block_size <= 512,
                                    _ => false,
                                },
                                entries,
                                options: TableOptions {
                                    block_size,
                                    compression: compression.clone(),
                                    filter_bits_per_key,
                                    layout,
                                    flavour,
                                    checksum,
                                    restart_interval: 16,
                                    key_hashes: true,
                                },
                            });
                        }
                    }
                }
            }
        }
    }
    recipes
}

impl Recipe {
    /// Writes it, as the engine does: in pieces, with a block of our own before the index and a filter behind the table.
    pub(crate) fn make(&self) -> Table {
        let entries = (self.entries)();
        let (mut builder, mut object) = (TableBuilder::new(self.options.clone()), Vec::new());
        for entry in &entries {
            let added = builder.add(&entry.key, entry.sequence, entry.kind, &entry.value);
            added.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            object.extend_from_slice(&builder.take_output());
        }
        let handle = builder.write_block_before_index(&[0xB1; 320]).unwrap();
        builder
            .add_user_property("isledb.blobs", format!("{} {}", handle.offset, handle.length).as_bytes())
            .unwrap();
        let summary = builder.finish().unwrap();
        object.extend_from_slice(&builder.take_output());
        assert_eq!(summary.size, object.len() as u64);
        let bloom =
            BloomContainer::build(&summary.key_hashes, self.options.filter_bits_per_key, Sizing::Right);
        if !bloom.is_empty() {
            object.extend_from_slice(&bloom);
            object.extend_from_slice(&BloomContainer::trailer(bloom.len() as u64));
        }
        Table { object, size: summary.size, entries }
    }
}

/// Numbers that are the same at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Versions of one key, newest first.
fn versions(out: &mut Vec<Entry>, numbers: &mut Numbers, key: &[u8], versions: u64, value_max: u64) {
    let mut sequence = 1_000_000 + numbers.below(1 << 40);
    for _ in 0..versions {
        let delete = numbers.below(9) == 0;
        let length = if delete { 0 } else { numbers.below(value_max + 1) };
        let byte = numbers.below(7) as u8;
        // Half of a value repeats, half does not: so codecs have something to do and something to fail at.
        let noise = (0..length).map(|i| if i % 128 < 64 { byte } else { numbers.below(256) as u8 });
        let value = std::iter::once(if delete { 2 } else { 0 }).chain(noise).collect();
        let kind = if delete { Kind::Delete } else { Kind::Set };
        out.push(Entry { key: key.to_vec(), sequence, kind, value });
        sequence -= 1 + numbers.below(1_000);
    }
}

fn one() -> Vec<Entry> {
    vec![Entry { key: b"k".to_vec(), sequence: 1, kind: Kind::Set, value: vec![0] }]
}

fn few() -> Vec<Entry> {
    let (mut out, mut numbers) = (Vec::new(), Numbers(0x1D8A_F066));
    for i in 0..150 {
        versions(&mut out, &mut numbers, format!("user{:08}", i * 37).as_bytes(), 1, 120);
    }
    out
}

/// Enough for two levels of index up to blocks of 4 KiB, and for many partitions below.
fn many() -> Vec<Entry> {
    let (mut out, mut numbers) = (Vec::new(), Numbers(0x51ED_270B));
    for i in 0..6_000u64 {
        let count = if i % 50 == 0 { 4 } else { 1 };
        versions(
            &mut out,
            &mut numbers,
            format!("tenant{:02}/user{:09}", i / 1_000, i * 7_919).as_bytes(),
            count,
            150,
        );
    }
    out
}

/// What lies at the edges: keys that are prefixes of others, runs of 0xff, zero bytes, the longest key, hundreds of versions
/// of one key over several blocks, a value much larger than a block, the largest sequence.
fn odd() -> Vec<Entry> {
    let mut numbers = Numbers(0x9E37_79B9);
    let mut keys: Vec<Vec<u8>> =
        vec![vec![0], vec![0, 0], vec![0xff], vec![0xff; 9], vec![0xff; 300], vec![b'm'; 65_527]];
    for length in 1..60 {
        keys.push(b"prefix/of/the/next/".iter().cycle().take(length).copied().collect());
        let random: Vec<u8> =
            (0..length).map(|_| [0, 1, 0x7f, 0x80, 0xfe, 0xff][numbers.below(6) as usize]).collect();
        keys.push(random);
    }
    keys.sort();
    keys.dedup();
    let mut out = Vec::new();
    for (i, key) in keys.iter().enumerate() {
        versions(
            &mut out,
            &mut numbers,
            key,
            if i == 40 { 400 } else { 1 },
            if i == 50 { 300_000 } else { 700 },
        );
    }
    out[0].sequence = (1 << 56) - 2;
    out
}
