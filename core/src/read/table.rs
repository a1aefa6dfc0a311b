//! Opens tables, and finds the place of a key in their index.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::cache::{Cached, Part, PartKey};
use super::fetch::{Loader, Source, Want};
use super::tables::TableRef;
use super::trusted::Whole;
use crate::error::{Error, Result};
use crate::format::manifest::SstMeta;
use crate::format::sst::{
    BlockHandle, ChunkDigests, Filter, FullFilter, IndexPartition, PartitionAt, Table, TableOpen, filter_hash,
};

/// A full filter up to this size is worth fetching beside a partition: it takes no further round, and says for every later
/// key whether the table must be asked at all.
const MAX_FULL_FILTER: u64 = 64 * 1024;

/// The longest tail that is read, in bytes. The index of a table has a second level from some hundred blocks on, so a real
/// one stays far below.
const MAX_TAIL: u64 = 64 * 1024 * 1024;

/// A table is open after one fetch, or two where the manifest does not say where its tail begins. More means that the
/// table leads the reader on.
const MAX_FETCHES: usize = 4;

/// A key that is looked up, with the hash that every filter asks for.
pub(crate) struct Wanted<'a> {
    pub(super) key: &'a [u8],
    hash: u32,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(key: &'a [u8]) -> Wanted<'a> {
        Wanted { key, hash: filter_hash(key) }
    }

    pub(super) fn hash(&self) -> u32 {
        self.hash
    }
}

/// Where a key would be in a table.
pub(crate) struct Place {
    pub(crate) table: Arc<Table>,
    /// The one block that can hold the newest version of the key.
    pub(crate) block: BlockHandle,
    /// A filter has said "maybe"; without one, nothing is known.
    pub(crate) filtered: bool,
}

/// What the cache alone says of a key in a table.
pub(crate) enum Located {
    /// The key is not there.
    Absent,
    /// It may be here.
    At(Place),
    /// Something must be fetched to tell.
    Unknown,
}

impl Loader {
    /// The table, opened. Cost: nothing where it is cached; else one round of 1-4 KiB (all of a table up to 64 KiB), or
    /// two rounds where the manifest does not say where the tail begins.
    pub(crate) async fn table(&self, table: &TableRef) -> Result<Arc<Table>> {
        let key = PartKey { object: table.name.clone(), part: Part::Tail };
        if let Some(Cached::Table(table)) = self.cached(&table.name, Part::Tail) {
            return Ok(table);
        }
        let (name, meta) = (table.name.shared().clone(), table.meta.clone());
        match self.one(key, move |source| Box::pin(open(source, name, meta))).await? {
            Some(Cached::Table(table)) => Ok(table),
            _ => Err(Error::corrupt(table.name.as_str(), None, "a table", "another part")),
        }
    }

    /// Where a key would be in `table`; `None`: it is not there. Cost: up to two rounds, the tail and then the partition
    /// (8 KiB with its filter part).
    pub(crate) async fn locate(&self, table: &TableRef, wanted: &Wanted<'_>) -> Result<Option<Place>> {
        let open = self.table(table).await?;
        let Some(i) = open.find_partition(wanted.key) else { return Ok(None) };
        let mut wants = Vec::with_capacity(2);
        let mut partition = None;
        let mut filter = None;
        match open.partition(i) {
            PartitionAt::Resident(resident) => partition = Some(resident),
            PartitionAt::Stored(range) => wants.push(Want::Partition(i, range)),
        }
        match beside_index(&open) {
            Some(FullFilter::Resident(resident)) => filter = Some(resident),
            Some(FullFilter::Stored(handle)) => wants.push(Want::Filter(handle)),
            None => {}
        }
        if !wants.is_empty() {
            for part in self.parts(&table.name, &open, &wants).await? {
                match part {
                    Cached::Partition(loaded) => partition = Some(loaded),
                    Cached::Filter(loaded) => filter = Some(loaded),
                    Cached::Table(_) | Cached::Block(_) => {}
                }
            }
        }
        let Some(partition) = partition else {
            return Err(Error::corrupt(table.name.as_str(), None, "an index partition", "another part"));
        };
        match decide(open, &partition, filter.as_ref(), wanted) {
            Located::At(place) => Ok(Some(place)),
            Located::Absent | Located::Unknown => Ok(None),
        }
    }
}

/// Where a key would be in a table, as far as the cache can tell; `part` looks a part of that table up.
pub(super) fn locate_cached(wanted: &Wanted<'_>, mut part: impl FnMut(Part) -> Option<Cached>) -> Located {
    let Some(Cached::Table(open)) = part(Part::Tail) else { return Located::Unknown };
    let Some(i) = open.find_partition(wanted.key) else { return Located::Absent };
    let partition = match open.partition(i) {
        PartitionAt::Resident(partition) => partition,
        PartitionAt::Stored(_) => match part(Part::Partition(i as u64)) {
            Some(Cached::Partition(partition)) => partition,
            _ => return Located::Unknown,
        },
    };
    // Its absence from the cache is no reason to fetch it: that is decided when something is fetched anyway.
    let filter = match beside_index(&open) {
        Some(FullFilter::Resident(filter)) => Some(filter),
        Some(FullFilter::Stored(_)) => match part(Part::Filter) {
            Some(Cached::Filter(filter)) => Some(filter),
            _ => None,
        },
        None => None,
    };
    decide(open, &partition, filter.as_ref(), wanted)
}

/// The full filter, where the index partitions have none of their own and it is worth asking.
pub(super) fn beside_index(table: &Table) -> Option<FullFilter> {
    if !table.is_two_level() {
        return None;
    }
    table.full_filter().filter(|filter| match filter {
        FullFilter::Resident(_) => true,
        FullFilter::Stored(handle) => handle.length <= MAX_FULL_FILTER,
    })
}

/// The verdict of filters and index.
fn decide(
    table: Arc<Table>,
    partition: &IndexPartition,
    filter: Option<&Filter>,
    wanted: &Wanted<'_>,
) -> Located {
    let mut filters = filter.into_iter().chain(partition.filter());
    let filtered = filters.clone().next().is_some();
    if filters.any(|filter| !filter.may_contain_hash(wanted.hash)) {
        return Located::Absent;
    }
    match partition.find_block(wanted.key) {
        Some(i) => Located::At(Place { block: partition.handle(i), table, filtered }),
        None => Located::Absent,
    }
}

/// Fetches the tail of a table, or all of it where it has to be verified, and parses it.
pub(crate) async fn open(source: Source, name: Arc<str>, meta: Arc<SstMeta>) -> Result<Cached> {
    let mut range = Table::tail_range(meta.meta_offset, meta.size);
    if range.end - range.start > MAX_TAIL {
        let found = format!("one that begins at {} of {}", range.start, range.end);
        return Err(Error::corrupt(&name, range.start, format!("a tail of at most {MAX_TAIL} bytes"), found));
    }
    let (mut tail, chunks) = if source.trust.wants_whole_tables() {
        let Whole { tail, chunks } = source.read_whole(&name, &meta, range.start).await?;
        (tail, chunks)
    } else {
        (fetch_one(&source, &name, None, range.clone()).await?, None)
    };
    for _ in 0..MAX_FETCHES {
        let wider = match Table::open(&name, meta.size, range.start, tail.clone())? {
            TableOpen::Ready(table) => return Ok(Cached::Table(Arc::new(table.verified(chunks)))),
            TableOpen::NeedMore(wider) => wider,
        };
        if wider.start >= range.start || wider.end != range.end || wider.end - wider.start > MAX_TAIL {
            break;
        }
        // What is here already is not fetched again.
        let front = fetch_one(&source, &name, chunks.as_deref(), wider.start..range.start).await?;
        let mut both = BytesMut::with_capacity(front.len() + tail.len());
        both.extend_from_slice(&front);
        both.extend_from_slice(&tail);
        (range, tail) = (wider, both.freeze());
    }
    Err(Error::corrupt(
        &name,
        range.start,
        "a tail that opens the table",
        format!("{} bytes that do not", tail.len()),
    ))
}

async fn fetch_one(
    source: &Source,
    name: &Arc<str>,
    chunks: Option<&ChunkDigests>,
    range: std::ops::Range<u64>,
) -> Result<Bytes> {
    Ok(source.fetch(name, chunks, std::slice::from_ref(&range)).await?.pop().unwrap_or_default())
}
