//! One table, read whole: every block, every entry, and everything that is said of them elsewhere.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh64::xxh64;

use super::finding::{Finding, FindingKind};
use super::progress::Progress;
use super::sequential::Sequential;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::blob_list::BLOBS_PROPERTY;
use crate::format::bloom::{BloomContainer, TRAILER_LENGTH};
use crate::format::manifest::SstMeta;
use crate::format::sst::{
    Block, BlockHandle, BlockIter, Filter, FullFilter, IndexPartition, Kind, MAX_BLOCK_BYTES, PartitionAt,
    Table, filter_hash,
};
use crate::format::value::Value;
use crate::read::cache::Cached;
use crate::read::fetch::{Loader, Want};
use crate::read::tables::TableRef;
use crate::signature::Trust;

/// Findings of one table that are told one by one; the last of them then says that there are more.
const MAX_FINDINGS: usize = 16;

/// Index partitions that are fetched at once.
const PARTITIONS_AT_ONCE: usize = 64;

/// What a table turned out to be.
pub(super) struct Content {
    pub(super) findings: Vec<Finding>,
    /// The blobs that it refers to, ascending.
    pub(super) blobs: Vec<BlobId>,
    /// Those are all.
    pub(super) complete: bool,
}

/// The blobs that a table refers to: from its own list, or where it has none (the original writes none) by reading it whole.
///
/// Cost: two requests with the list; see [`read_whole`] without.
pub(super) async fn blobs_named(
    loader: &Loader,
    table: &TableRef,
    trust: &Trust,
    progress: &Arc<Progress>,
) -> Result<Content> {
    let open = loader.table(table).await?;
    match loader.listed_blobs(&open).await? {
        Some(blobs) => Ok(Content { findings: Vec::new(), blobs, complete: true }),
        None => {
            progress.add_total(table.meta.size);
            read_whole(loader, table, trust, progress).await
        }
    }
}

/// Reads a table whole and checks everything that is known of it.
///
/// Cost: its tail and its index, then all of it in ranges of 4 MiB, and its bloom container.
pub(super) async fn read_whole(
    loader: &Loader,
    table: &TableRef,
    trust: &Trust,
    progress: &Arc<Progress>,
) -> Result<Content> {
    let mut check = Check::new(&table.meta, table.name.as_str());
    let mut bytes = Sequential::new(loader.requests(), table.name.as_str(), table.meta.size, progress);
    let listed = check.entries(loader, table, &mut bytes).await?;
    check.blobs.sort_unstable();
    check.blobs.dedup();
    if let Some(listed) = listed.filter(|_| check.whole) {
        check.totals(listed);
    }
    // What is damaged was told by its place; the hash of the whole says nothing more then.
    if check.findings.is_empty() {
        let hash = bytes.finish().await?;
        if let Err(error) = trust.check(table.name.as_str(), &table.meta, &hash) {
            check.tell(Finding::of(error)?);
        }
    }
    Ok(Content { findings: check.findings, blobs: check.blobs, complete: check.whole })
}

/// What is known of a table while its entries pass.
struct Check<'a> {
    meta: &'a SstMeta,
    object: &'a str,
    findings: Vec<Finding>,
    /// Everything could be read so far.
    whole: bool,
    blobs: Vec<BlobId>,
    entries: u64,
    deletes: u64,
    blocks: u64,
    /// Internal key of the entry before; no entry was seen while `entries` is 0.
    key: Vec<u8>,
    sequence: u64,
    first_key: Vec<u8>,
    min_expire_at: Option<u64>,
    /// The highest expiry, and whether each put has one.
    max_expire_at: Option<u64>,
    all_expire: bool,
}

/// What a key must be found by.
struct Filters<'a> {
    full: Option<&'a Filter>,
    partition: Option<&'a Filter>,
    bloom: Option<&'a BloomContainer>,
}

impl<'a> Check<'a> {
    fn new(meta: &'a SstMeta, object: &'a str) -> Check<'a> {
        Check {
            meta,
            object,
            findings: Vec::new(),
            whole: true,
            blobs: Vec::new(),
            entries: 0,
            deletes: 0,
            blocks: 0,
            key: Vec::new(),
            sequence: 0,
            first_key: Vec::new(),
            min_expire_at: None,
            max_expire_at: None,
            all_expire: true,
        }
    }

    /// Walks through all blocks. Returns the table's list of blobs, where it has one, and its properties' counts.
    async fn entries(
        &mut self,
        loader: &Loader,
        table: &TableRef,
        bytes: &mut Sequential<'_>,
    ) -> Result<Option<Listed>> {
        let Some(open) = self.noted(loader.table(table).await)? else { return Ok(None) };
        let Some(listed) = self.noted(loader.listed_blobs(&open).await)? else { return Ok(None) };
        let Some(full) = self.noted(full_filter(loader, table, &open).await)? else { return Ok(None) };
        let Some(bloom) = self.noted(bloom(loader, self.meta, self.object).await)? else { return Ok(None) };
        let mut separator: Vec<u8> = Vec::new();
        for first in (0..open.partitions()).step_by(PARTITIONS_AT_ONCE) {
            let numbers = first..open.partitions().min(first + PARTITIONS_AT_ONCE);
            let read = read_partitions(loader, table, &open, numbers).await;
            let Some(partitions) = self.noted(read)? else { return Ok(None) };
            for partition in &partitions {
                let filters =
                    Filters { full: full.as_ref(), partition: partition.filter(), bloom: bloom.as_ref() };
                for i in 0..partition.len() {
                    let handle = partition.handle(i);
                    self.blocks += 1;
                    let block = read_block(&open, handle, bytes).await;
                    let Some(block) = self.noted(block)? else { continue };
                    let walked = self.block(block, handle, &separator, partition.separator(i), &filters);
                    self.noted(walked)?;
                    separator.clear();
                    separator.extend_from_slice(partition.separator(i));
                }
            }
        }
        let properties = open.properties();
        Ok(Some(Listed {
            blobs: listed,
            entries: properties.entries(),
            deletes: properties.deletes(),
            blocks: properties.data_blocks(),
        }))
    }

    /// What damage says becomes a finding; what says nothing of the table stays an error.
    fn noted<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            // A table that is gone is the caller's matter.
            Err(error @ Error::NotFound { .. }) => Err(error),
            Err(error) => {
                let finding = Finding::of(error)?;
                self.whole = false;
                self.tell(finding);
                Ok(None)
            }
        }
    }

    fn tell(&mut self, finding: Finding) {
        if self.findings.len() + 1 < MAX_FINDINGS {
            self.findings.push(finding);
        } else if self.findings.len() + 1 == MAX_FINDINGS {
            let message = "there is more that is wrong with this table";
            self.findings.push(Finding::new(self.object, finding.kind, message));
        }
    }

    fn disagrees(&mut self, offset: impl Into<Option<u64>>, message: impl Into<String>) {
        let finding = Finding::new(self.object, FindingKind::Disagrees, message);
        self.tell(Finding { offset: offset.into(), ..finding });
    }

    /// Every entry of a block, which must lie between two separators.
    fn block(
        &mut self,
        block: Block,
        handle: BlockHandle,
        after: &[u8],
        until: &[u8],
        filters: &Filters<'_>,
    ) -> Result<()> {
        let mut entries = block.iter();
        let mut found = entries.seek_to_first()?;
        while found {
            let key = entries.user_key();
            if key < after || key > until {
                self.disagrees(handle.offset, format!("{} is not where the index has it", shown(key)));
            }
            self.entry(&entries, handle, filters)?;
            found = entries.next()?;
        }
        Ok(())
    }

    fn entry(&mut self, entries: &BlockIter, handle: BlockHandle, filters: &Filters<'_>) -> Result<()> {
        let (key, sequence) = (entries.user_key(), entries.sequence());
        let same_key = self.entries > 0 && key == self.key;
        if self.entries == 0 {
            self.first_key.extend_from_slice(key);
        } else if key < &self.key[..] || (same_key && sequence >= self.sequence) {
            let message = format!("{} @{sequence} is out of order", shown(key));
            self.disagrees(handle.offset, message);
        }
        let SstMeta { seq_lo, seq_hi, .. } = *self.meta;
        if seq_hi != 0 && !(seq_lo..=seq_hi).contains(&sequence) {
            let message = format!("{} @{sequence} is not of sequences {seq_lo} to {seq_hi}", shown(key));
            self.disagrees(handle.offset, message);
        }
        if !same_key && let Some(which) = filters.hide(key) {
            self.disagrees(handle.offset, format!("{which} says that {} is not there", shown(key)));
        }
        self.entries += 1;
        self.sequence = sequence;
        self.key.clear();
        self.key.extend_from_slice(key);
        if entries.kind() == Kind::Delete {
            self.deletes += 1;
            return Ok(());
        }
        let expire_at_ms = match Value::decode(self.object, Some(handle.offset), entries.value())? {
            Value::Inline { expire_at_ms, .. } => expire_at_ms,
            Value::Blob { id, expire_at_ms } => {
                self.blobs.push(id);
                expire_at_ms
            }
            Value::Delete { .. } => return Ok(()),
        };
        match expire_at_ms {
            Some(at) => {
                self.min_expire_at = Some(self.min_expire_at.map_or(at, |min| min.min(at)));
                self.max_expire_at = self.max_expire_at.max(Some(at));
            }
            None => self.all_expire = false,
        }
        Ok(())
    }

    /// What manifest and properties say, held against what was there.
    fn totals(&mut self, listed: Listed) {
        let meta = self.meta;
        let counts = [
            ("the properties say", "entries", Some(listed.entries).filter(|n| *n > 0), self.entries),
            ("the properties say", "deletes", Some(listed.deletes).filter(|n| *n > 0), self.deletes),
            ("the properties say", "data blocks", Some(listed.blocks).filter(|n| *n > 0), self.blocks),
            ("the manifest says", "entries", meta.entry_count, self.entries),
            ("the manifest says", "deletes", meta.delete_count, self.deletes),
        ];
        for (who, what, said, found) in counts {
            if said.is_some_and(|said| said != found) {
                self.disagrees(None, format!("{who} {} {what}, there are {found}", said.unwrap_or(0)));
            }
        }
        for (which, said, found) in
            [("first", &meta.min_key, self.first_key.clone()), ("last", &meta.max_key, self.key.clone())]
        {
            if self.entries > 0 && said[..] != found[..] {
                let message = format!(
                    "the manifest says that its {which} key is {}, it is {}",
                    shown(said),
                    shown(&found)
                );
                self.disagrees(None, message);
            }
        }
        let earlier = |said: u64| self.min_expire_at.is_some_and(|found| found < said);
        if meta.min_expire_at.is_some_and(earlier) {
            self.disagrees(None, "an entry expires before the MinExpireAt of the manifest");
        }
        let later = |said: u64| !self.all_expire || self.max_expire_at.is_some_and(|found| found > said);
        if meta.max_expire_at.is_some_and(later) {
            self.disagrees(None, "an entry outlives the MaxExpireAt of the manifest");
        }
        if !self.blobs.is_empty() && !meta.has_blob_refs {
            self.disagrees(None, "it refers to blobs, the manifest says that it does not");
        }
        if listed.blobs.is_some_and(|listed| listed != self.blobs) {
            self.disagrees(
                None,
                format!("its property {BLOBS_PROPERTY} lists other blobs than it refers to"),
            );
        }
    }
}

/// What a table says of itself.
struct Listed {
    blobs: Option<Vec<BlobId>>,
    entries: u64,
    deletes: u64,
    blocks: u64,
}

impl Filters<'_> {
    /// The filter that hides a key that is there.
    fn hide(&self, key: &[u8]) -> Option<&'static str> {
        let hash = filter_hash(key);
        if self.full.is_some_and(|filter| !filter.may_contain_hash(hash)) {
            return Some("the filter of the table");
        }
        if self.partition.is_some_and(|filter| !filter.may_contain_hash(hash)) {
            return Some("the filter of its partition");
        }
        if self.bloom.is_some_and(|bloom| !bloom.may_contain(xxh64(key, 0))) {
            return Some("the bloom container");
        }
        None
    }
}

/// The filter of the whole table where the index has two levels: with one, it is that of the one partition.
async fn full_filter(loader: &Loader, table: &TableRef, open: &Arc<Table>) -> Result<Option<Filter>> {
    let handle = match open.full_filter() {
        None => return Ok(None),
        Some(FullFilter::Resident(filter)) => return Ok(Some(filter)),
        Some(FullFilter::Stored(handle)) => handle,
    };
    match loader.parts(&table.name, open, &[Want::Filter(handle)]).await?.pop() {
        Some(Cached::Filter(filter)) => Ok(Some(filter)),
        _ => Err(Error::corrupt(table.name.as_str(), handle.offset, "a filter", "another part")),
    }
}

/// The container behind the table.
async fn bloom(loader: &Loader, meta: &SstMeta, object: &str) -> Result<Option<BloomContainer>> {
    let (offset, length) = (meta.bloom.offset, meta.bloom.length);
    if length == 0 {
        return Ok(None);
    }
    let bytes = loader.requests().get_range(object, offset..offset + length + TRAILER_LENGTH).await?;
    let trailer = bytes.slice(length as usize..);
    if trailer[..] != BloomContainer::trailer(length) {
        let expected = format!("the trailer of a bloom container of {length} bytes");
        return Err(Error::corrupt(object, offset + length, expected, format!("{trailer:02x?}")));
    }
    // Its JSON has no checksum of its own, but it is held against every key.
    BloomContainer::parse(object, &bytes[..length as usize]).map(Some)
}

async fn read_partitions(
    loader: &Loader,
    table: &TableRef,
    open: &Arc<Table>,
    numbers: Range<usize>,
) -> Result<Vec<IndexPartition>> {
    let mut wants = Vec::new();
    let mut partitions: Vec<Option<IndexPartition>> = Vec::with_capacity(numbers.len());
    for number in numbers {
        partitions.push(match open.partition(number) {
            PartitionAt::Resident(partition) => Some(partition),
            PartitionAt::Stored(range) => {
                wants.push(Want::Partition(number, range));
                None
            }
        });
    }
    if !wants.is_empty() {
        let mut fetched = loader.parts(&table.name, open, &wants).await?.into_iter();
        for slot in partitions.iter_mut().filter(|slot| slot.is_none()) {
            if let Some(Cached::Partition(partition)) = fetched.next() {
                *slot = Some(partition);
            }
        }
    }
    partitions
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| Error::corrupt(table.name.as_str(), None, "index partitions", "other parts"))
}

async fn read_block(open: &Table, handle: BlockHandle, bytes: &mut Sequential<'_>) -> Result<Block> {
    let stored: Bytes = bytes.part(handle.stored()).await?;
    Block::decode(open.object(), handle, stored, open.checksum(), MAX_BLOCK_BYTES)
}

/// A key for a message: text where it is, else hexadecimal; at most 40 bytes of it.
fn shown(key: &[u8]) -> String {
    let part = key.get(..40).unwrap_or(key);
    let more = if part.len() < key.len() { "…" } else { "" };
    match std::str::from_utf8(part) {
        Ok(text) if !text.chars().any(char::is_control) => format!("{text:?}{more}"),
        _ => format!("0x{}{more}", part.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))),
    }
}
