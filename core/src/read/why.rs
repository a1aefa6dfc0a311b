//! Why a `get` answers as it does: what each table of a view says of one key, and whose version wins.

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::Bytes;

use super::cache::Cached;
use super::fetch::{Loader, Want};
use super::reader::now_ms;
use super::table::{Wanted, beside_index};
use super::tables::TableRef;
use super::view::View;
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::manifest::SstMeta;
use crate::format::sst::{Block, BlockHandle, Filter, FullFilter, IndexPartition, Kind, PartitionAt, Table};
use crate::format::value::Value;
use crate::sort::sort_indexes;

/// So many versions of a key are shown of one table; [`Source::more`] says that there are others, all of them older.
pub const MAX_VERSIONS: usize = 64;

/// Tables that are looked into at once.
const TABLES_AT_ONCE: usize = 16;

/// What a view knows of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The key.
    pub key: Bytes,
    /// Every table of the view, in the order of the manifest: level 0 from the newest on, then the runs from the front one on.
    pub sources: Vec<Source>,
    /// The source whose newest version wins, as an index; `None` where no table that counts has the key.
    pub winner: Option<usize>,
    /// What `get` makes of it.
    pub answer: Answer,
}

/// What `get` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// No version of the key counts: there is none, or tables were skipped that had one.
    Nothing,
    /// A value.
    Value,
    /// Nothing, since the newest version is a delete.
    Deleted,
    /// Nothing, since the newest version was a value until then (milliseconds since the Unix epoch).
    Expired {
        /// When it stopped to exist.
        at_ms: u64,
    },
}

/// One table, and what it says of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the manifest says of the table: bounds, sequence range, level.
    pub meta: Arc<SstMeta>,
    /// Its object.
    pub object: String,
    /// The id of the run that it stands in; `None` in level 0.
    pub run: Option<u32>,
    /// Why `get` does not let it take part; `None`: it does.
    pub skipped: Option<Skip>,
    /// What the filters say.
    pub filter: FilterVerdict,
    /// The one block that `get` would look into; `None` where the table was not opened, or ends before the key.
    pub place: Option<KeyPlace>,
    /// The versions of the key there, newest first. They are read even where the table is skipped, so that a filter or a
    /// sequence range that lies is seen.
    pub versions: Vec<KeyVersion>,
    /// There are more versions than [`MAX_VERSIONS`].
    pub more: bool,
}

/// Why a table takes no part in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// The key is not between its first and last key. It was not opened.
    Range,
    /// A filter says that the key is not there.
    Filter,
    /// Its highest sequence number cannot beat the version that was found before (of equal ones the table that stands
    /// earlier in the manifest wins).
    Sequence,
}

/// What filters say of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterVerdict {
    /// Nobody was asked: the table has no filter that is worth a request, or was not opened.
    Unasked,
    /// It may be there.
    Maybe,
    /// It is not.
    Absent,
}

/// Where a key would be in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPlace {
    /// Number of the index partition; 0 where the index is one block.
    pub partition: u64,
    /// The data block.
    pub block: BlockHandle,
}

/// One version of the key in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersion {
    /// Its sequence number.
    pub sequence: u64,
    /// What was written.
    pub held: Held,
    /// When it stops to exist, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// The block that it lies in.
    pub block: BlockHandle,
}

/// What a version holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A value of so many bytes, in the table.
    Value {
        /// Its length.
        bytes: u64,
    },
    /// A value in a blob.
    Blob {
        /// The blob.
        id: BlobId,
    },
    /// A delete.
    Delete,
}

impl View {
    /// Why [`View::get`] answers what it does for `key`. It looks into every table whose key range covers the key, also into
    /// those that `get` may leave out.
    ///
    /// Cost with a cold cache: three rounds for each 16 such tables (tail, partition, block). No blob is fetched.
    ///
    /// Errors: `InvalidArgument` for an empty key; `ViewExpired`; `Corrupt`, which names the object.
    pub async fn why(&self, key: &[u8]) -> Result<Why> {
        if key.is_empty() {
            return Err(Error::invalid("an empty key: keys have 1 to 65527 bytes"));
        }
        self.pinned.check_age(&**self.reader.host())?;
        match self.explain(key).await {
            Ok(why) => Ok(why),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn explain(&self, key: &[u8]) -> Result<Why> {
        let (tables, loader) = (&self.pinned.tables, self.reader.loader());
        let state = self.pinned.manifest.state();
        let in_runs = state.runs.iter().flat_map(|run| run.ssts.iter().map(|_| Some(run.id)));
        let runs: Vec<Option<u32>> = state.l0.iter().map(|_| None).chain(in_runs).collect();
        let key = Bytes::copy_from_slice(key);
        let looks: Vec<_> = tables
            .all()
            .zip(runs)
            .map(|(table, run)| {
                Look { loader: loader.clone(), table: table.clone(), run, key: key.clone() }.source()
            })
            .collect();
        let mut sources: Vec<Source> = try_all(TABLES_AT_ONCE, looks).await?;
        let winner = rank(&mut sources);
        let newest = winner.and_then(|i| sources.get(i)?.versions.first());
        let now = now_ms(&**self.reader.host());
        let answer = match newest {
            None => Answer::Nothing,
            Some(KeyVersion { held: Held::Delete, .. }) => Answer::Deleted,
            Some(KeyVersion { expires_at_ms: Some(at_ms), .. }) if *at_ms <= now => {
                Answer::Expired { at_ms: *at_ms }
            }
            Some(_) => Answer::Value,
        };
        Ok(Why { key, sources, winner, answer })
    }
}

/// Applies the rule of `get`: tables by their highest sequence number, at equal ones by their place; the first that cannot
/// beat what was found ends the search. Marks those that were left out, and says whose version wins.
fn rank(sources: &mut [Source]) -> Option<usize> {
    let seq_hi = |source: &Source| match source.meta.seq_hi {
        0 => u64::MAX, // unknown
        seq_hi => seq_hi,
    };
    let mut order: Vec<usize> = (0..sources.len()).filter(|i| sources[*i].skipped.is_none()).collect();
    sort_indexes(&mut order, &|a, b| seq_hi(&sources[b]).cmp(&seq_hi(&sources[a])));
    let mut best: Option<(u64, usize)> = None;
    for i in order {
        if best.is_some_and(|(sequence, at)| (seq_hi(&sources[i]), Reverse(i)) < (sequence, Reverse(at))) {
            sources[i].skipped = Some(Skip::Sequence);
        } else if let Some(found) = sources[i].seen_by_get()
            && best.is_none_or(|(sequence, at)| (found, Reverse(i)) > (sequence, Reverse(at)))
        {
            best = Some((found, i));
        }
    }
    best.map(|(_, i)| i)
}

impl Source {
    /// The sequence number of the version that `get` finds here: the newest, which lies in the block that it looks into.
    fn seen_by_get(&self) -> Option<u64> {
        let (place, newest) = (self.place?, self.versions.first()?);
        (newest.block == place.block).then_some(newest.sequence)
    }
}

/// A look into one table.
struct Look {
    loader: Loader,
    table: Arc<TableRef>,
    run: Option<u32>,
    key: Bytes,
}

impl Look {
    /// What the table says.
    async fn source(self) -> Result<Source> {
        let mut source = Source {
            meta: self.table.meta.clone(),
            object: self.table.name.as_str().to_owned(),
            run: self.run,
            skipped: None,
            filter: FilterVerdict::Unasked,
            place: None,
            versions: Vec::new(),
            more: false,
        };
        if self.table.meta.covers(&self.key) {
            look(&self.loader, &self.table, &self.key, &mut source).await?;
        } else {
            source.skipped = Some(Skip::Range);
        }
        Ok(source)
    }
}

/// Opens a table that may have the key, and fills in what it says.
async fn look(loader: &Loader, table: &TableRef, key: &[u8], source: &mut Source) -> Result<()> {
    let open = loader.table(table).await?;
    let Some(mut number) = open.find_partition(key) else { return Ok(()) };
    let mut partition = read_partition(loader, table, &open, number).await?;
    let full = read_full_filter(loader, table, &open).await?;
    let wanted = Wanted::new(key);
    for filter in full.as_ref().into_iter().chain(partition.filter()) {
        if source.filter != FilterVerdict::Absent {
            source.filter = FilterVerdict::Maybe;
        }
        if !filter.may_contain_hash(wanted.hash()) {
            source.filter = FilterVerdict::Absent;
            source.skipped = Some(Skip::Filter);
        }
    }
    let Some(mut block) = partition.find_block(key) else { return Ok(()) };
    source.place = Some(KeyPlace { partition: number as u64, block: partition.handle(block) });
    loop {
        let handle = partition.handle(block);
        let beyond = read_versions(loader, table, &open, handle, key, source).await?;
        // Everything behind a separator is at or above it.
        if beyond || partition.separator(block) != key {
            return Ok(());
        }
        block += 1;
        while block >= partition.len() {
            (number, block) = (number + 1, 0);
            if number >= open.partitions() {
                return Ok(());
            }
            partition = read_partition(loader, table, &open, number).await?;
        }
    }
}

/// Adds the versions in one block. True where nothing more of the key can follow, or is to be shown.
async fn read_versions(
    loader: &Loader,
    table: &TableRef,
    open: &Arc<Table>,
    handle: BlockHandle,
    key: &[u8],
    source: &mut Source,
) -> Result<bool> {
    let block = read_block(loader, table, open, handle).await?;
    let mut entries = block.iter();
    let mut found = entries.seek_ge(key)?;
    while found && entries.user_key() == key {
        if source.versions.len() == MAX_VERSIONS {
            source.more = true;
            return Ok(true);
        }
        let (held, expires_at_ms) = match entries.kind() {
            Kind::Delete => (Held::Delete, None),
            Kind::Set => match Value::decode(table.name.as_str(), Some(handle.offset), entries.value())? {
                Value::Inline { value, expire_at_ms } => {
                    (Held::Value { bytes: value.len() as u64 }, expire_at_ms)
                }
                Value::Blob { id, expire_at_ms } => (Held::Blob { id }, expire_at_ms),
                Value::Delete { .. } => (Held::Delete, None),
            },
        };
        source.versions.push(KeyVersion { sequence: entries.sequence(), held, expires_at_ms, block: handle });
        found = entries.next()?;
    }
    Ok(found)
}

async fn read_block(
    loader: &Loader,
    table: &TableRef,
    open: &Arc<Table>,
    handle: BlockHandle,
) -> Result<Block> {
    match loader.parts(&table.name, open, &[Want::Block(handle)]).await?.pop() {
        Some(Cached::Block(block)) => Ok(block),
        _ => Err(Error::corrupt(table.name.as_str(), handle.offset, "a data block", "another part")),
    }
}

async fn read_partition(
    loader: &Loader,
    table: &TableRef,
    open: &Arc<Table>,
    number: usize,
) -> Result<IndexPartition> {
    let range = match open.partition(number) {
        PartitionAt::Resident(partition) => return Ok(partition),
        PartitionAt::Stored(range) => range,
    };
    let offset = range.start;
    match loader.parts(&table.name, open, &[Want::Partition(number, range)]).await?.pop() {
        Some(Cached::Partition(partition)) => Ok(partition),
        _ => Err(Error::corrupt(table.name.as_str(), offset, "an index partition", "another part")),
    }
}

/// The full filter where `get` would ask it.
async fn read_full_filter(loader: &Loader, table: &TableRef, open: &Arc<Table>) -> Result<Option<Filter>> {
    let handle = match beside_index(open) {
        None => return Ok(None),
        Some(FullFilter::Resident(filter)) => return Ok(Some(filter)),
        Some(FullFilter::Stored(handle)) => handle,
    };
    match loader.parts(&table.name, open, &[Want::Filter(handle)]).await?.pop() {
        Some(Cached::Filter(filter)) => Ok(Some(filter)),
        _ => Err(Error::corrupt(table.name.as_str(), handle.offset, "a filter", "another part")),
    }
}
