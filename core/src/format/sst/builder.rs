//! Writes a table as a stream: entries in, finished bytes out while more entries come.

use bytes::Bytes;

use super::compression::Compression;
use super::footer::{Footer, TableFlavour};
use super::handle::{BLOCK_TRAILER, BlockHandle};
use super::index_builder::IndexBuilder;
use super::internal_key::{self, Kind, MAX_SEQUENCE, TRAILER};
use super::metaindex;
use super::options::{TableLayout, TableOptions};
use super::output::Output;
use super::properties::{FILTER_PARTS, FILTER_PREFIX};
use super::row::common_prefix;
use super::row_builder::RowBuilder;
use super::table_properties::TableCounts;
use super::varint;
use crate::{Error, Result};

/// Largest key or value: blocks have to stay below 2 GiB.
const MAX_ENTRY_PART: usize = 1 << 29;

/// A data block with more deletes than this counts as dense, whatever else it holds.
const DENSE_DELETES: u64 = 100;

/// Writes a table, synchronously and as a stream. Memory: one data block, the index, and 4 bytes a key (1.25 in the edge
/// layout at 10 bits) for the filter, beside what was not taken yet.
pub struct TableBuilder {
    block_size: u64,
    compression: Compression,
    filter_bits: u32,
    flavour: TableFlavour,
    layout: TableLayout,
    collect_key_hashes: bool,
    output: Output,
    data: RowBuilder,
    index: IndexBuilder,
    state: State,
    counts: TableCounts,
    block_deletes: u64,
    block_delete_key_bytes: u64,
    user_properties: Vec<(String, Vec<u8>)>,
    min_key: Bytes,
    seq_lo: u64,
    seq_hi: u64,
    key_hashes: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Takes entries.
    Open,
    /// Data blocks are complete.
    Sealed,
    /// The footer is written.
    Finished,
}

/// What a finished table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Bytes of the table.
    pub size: u64,
    /// SHA-256 of those bytes.
    pub sha256: [u8; 32],
    /// Where the tail begins that [`super::Table::open`] wants: the upper index where there are two levels, else the
    /// filter, else the index.
    pub meta_offset: u64,
    /// Entries, deletes included.
    pub entries: u64,
    /// Deletes among them.
    pub deletes: u64,
    /// Smallest user key.
    pub min_key: Bytes,
    /// Largest user key.
    pub max_key: Bytes,
    /// Smallest sequence.
    pub seq_lo: u64,
    /// Largest sequence.
    pub seq_hi: u64,
    /// Number of data blocks.
    pub data_blocks: u64,
    /// XXH64 of every entry's user key, for the appended Bloom container; empty where the options do not ask for it.
    pub key_hashes: Vec<u64>,
}

impl TableBuilder {
    /// Begins a table.
    pub fn new(options: TableOptions) -> TableBuilder {
        let block_size = if options.block_size == 0 { 4096 } else { u64::from(options.block_size) };
        let interval = if options.restart_interval == 0 { 16 } else { options.restart_interval };
        let filter_parts = options.layout == TableLayout::Edge;
        TableBuilder {
            block_size,
            filter_bits: options.filter_bits_per_key,
            flavour: options.flavour,
            layout: options.layout,
            collect_key_hashes: options.key_hashes,
            output: Output::new(options.compression.clone(), options.checksum),
            compression: options.compression,
            data: RowBuilder::new(interval),
            index: IndexBuilder::new(block_size, options.filter_bits_per_key, filter_parts),
            state: State::Open,
            counts: TableCounts::default(),
            block_deletes: 0,
            block_delete_key_bytes: 0,
            user_properties: Vec::new(),
            min_key: Bytes::new(),
            seq_lo: u64::MAX,
            seq_hi: 0,
            key_hashes: Vec::new(),
        }
    }

    /// Adds an entry: user keys ascending, of one key the highest sequence first.
    ///
    /// Fails with `InvalidArgument` out of that order, for the same key and sequence twice, for an empty key, for a sequence
    /// of [`MAX_SEQUENCE`] or above, and after [`TableBuilder::finish`]. The table is unchanged then.
    pub fn add(&mut self, user_key: &[u8], sequence: u64, kind: Kind, value: &[u8]) -> Result<()> {
        let shared = self.check(user_key, sequence, value)?;
        let key_length = (user_key.len() + TRAILER) as u64;
        if self.data.is_full_for(key_length, value.len() as u64, self.block_size) {
            self.cut(Some(user_key));
        }
        let trailer = internal_key::trailer(sequence, kind).to_le_bytes();
        self.data.add(user_key, &trailer, value, shared);
        self.index.add_key(user_key);

        if self.counts.entries == 0 {
            self.min_key = Bytes::copy_from_slice(user_key);
        }
        if self.collect_key_hashes {
            self.key_hashes.push(xxhash_rust::xxh64::xxh64(user_key, 0));
        }
        self.seq_lo = self.seq_lo.min(sequence);
        self.seq_hi = self.seq_hi.max(sequence);
        self.counts.entries += 1;
        self.counts.raw_key_bytes += key_length;
        self.counts.raw_value_bytes += value.len() as u64;
        if kind == Kind::Delete {
            self.counts.deletes += 1;
            self.counts.delete_key_bytes += user_key.len() as u64;
            self.block_deletes += 1;
            self.block_delete_key_bytes += user_key.len() as u64;
        }
        Ok(())
    }

    /// Adds a property, up to [`TableBuilder::finish`]. Readers that do not know its name pass it on or skip it.
    ///
    /// Fails with `InvalidArgument` for a name that is taken or belongs to the format (`rocksdb.`, `pebble.`, filters).
    pub fn add_user_property(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.refuse_finished()?;
        let reserved = ["rocksdb.", "pebble.", FILTER_PREFIX].iter().any(|prefix| name.starts_with(prefix));
        if name.is_empty() || reserved || self.user_properties.iter().any(|(taken, _)| taken == name) {
            return Err(Error::invalid(format!("the property name {name:?} is empty, taken or reserved")));
        }
        self.user_properties.push((name.to_owned(), value.to_vec()));
        Ok(())
    }

    /// Writes a block of the caller's between data and index, uncompressed, and ends the data: no entry can follow. A
    /// property that holds the handle makes it findable; [`super::read_stored_block`] reads it.
    ///
    /// Fails with `InvalidArgument` the second time and in a table without entries.
    pub fn write_block_before_index(&mut self, body: &[u8]) -> Result<BlockHandle> {
        self.refuse_finished()?;
        if self.state != State::Open {
            return Err(Error::invalid("a second block before the index"));
        }
        self.seal()?;
        Ok(self.output.raw_block(body))
    }

    /// Bytes of the table if it were finished now, about: what is open counts uncompressed.
    pub fn estimated_size(&self) -> u64 {
        self.output.written() + self.data.estimate() + self.index.estimate()
    }

    /// Bytes of finished data blocks so far: what a limit on the size of tables is compared with.
    pub fn written(&self) -> u64 {
        self.output.written()
    }

    /// Finished bytes since the last call, possibly none. All pieces in order are the table.
    pub fn take_output(&mut self) -> Bytes {
        self.output.take()
    }

    /// Writes filter, index, properties and footer. [`TableBuilder::take_output`] gives the rest afterwards.
    ///
    /// Fails with `InvalidArgument` in a table without entries, and the second time.
    pub fn finish(&mut self) -> Result<TableSummary> {
        self.refuse_finished()?;
        if self.state == State::Open {
            self.seal()?;
        }
        let (index, full_filter) =
            if self.index.is_single() { self.write_single_index() } else { self.write_two_levels() };
        let meta_offset = full_filter.filter(|_| self.counts.two_level.is_none()).unwrap_or(index).offset;
        self.write_tail(index, full_filter);
        self.state = State::Finished;
        Ok(TableSummary {
            size: self.output.written(),
            sha256: self.output.sha256(),
            meta_offset,
            entries: self.counts.entries,
            deletes: self.counts.deletes,
            min_key: std::mem::take(&mut self.min_key),
            max_key: Bytes::copy_from_slice(self.last_user_key()),
            seq_lo: self.seq_lo,
            seq_hi: self.seq_hi,
            data_blocks: self.counts.data_blocks,
            key_hashes: std::mem::take(&mut self.key_hashes),
        })
    }

    /// Checks an entry, and gives the prefix that it shares with the last internal key. One walk over the keys does both:
    /// the first byte that differs is what the order hangs on.
    fn check(&self, user_key: &[u8], sequence: u64, value: &[u8]) -> Result<usize> {
        if self.state != State::Open {
            return Err(Error::invalid("an entry behind the end of the data"));
        }
        if user_key.is_empty() || user_key.len() > MAX_ENTRY_PART || value.len() > MAX_ENTRY_PART {
            let what = format!(
                "a key of {} bytes (1 to {MAX_ENTRY_PART}) with a value of {} (at most as many)",
                user_key.len(),
                value.len()
            );
            return Err(Error::invalid(what));
        }
        if sequence >= MAX_SEQUENCE {
            return Err(Error::invalid(format!("the sequence {sequence} is not below {MAX_SEQUENCE}")));
        }
        let last = self.data.last_key();
        let shared = common_prefix(last, user_key);
        let Some((last_key, last_trailer)) = internal_key::split(last) else {
            return Ok(0);
        };
        let ordered = match (last_key.get(shared), user_key.get(shared)) {
            (Some(before), Some(after)) => before < after,
            (Some(_), None) => false,
            (None, _) if user_key.len() == last_key.len() => sequence < last_trailer >> 8,
            (None, _) => true,
        };
        if !ordered {
            let what = format!(
                "entries out of order: {user_key:02x?} at {sequence} after {last_key:02x?} at {}",
                last_trailer >> 8
            );
            return Err(Error::invalid(what));
        }
        Ok(shared)
    }

    fn refuse_finished(&self) -> Result<()> {
        match self.state {
            State::Finished => Err(Error::invalid("the table is finished")),
            _ => Ok(()),
        }
    }

    fn last_user_key(&self) -> &[u8] {
        internal_key::split(self.data.last_key()).map_or(&[], |(user_key, _)| user_key)
    }

    /// Ends the data.
    fn seal(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::invalid("a table without entries"));
        }
        self.cut(None);
        self.counts.data_size = self.output.written();
        self.state = State::Sealed;
        Ok(())
    }

    /// Writes the open data block; `next` is the user key that comes after it.
    fn cut(&mut self, next: Option<&[u8]>) {
        let body = self.data.finish();
        let dense = self.block_deletes > DENSE_DELETES || 2 * self.block_delete_key_bytes > body.len() as u64;
        self.counts.delete_dense_blocks += u64::from(dense);
        self.counts.data_blocks += 1;
        self.block_deletes = 0;
        self.block_delete_key_bytes = 0;
        let handle = self.output.block(body);
        self.data.clear();
        self.index.add_block(self.data.last_key(), next, handle);
    }

    /// Filter of the whole table and one index block.
    fn write_single_index(&mut self) -> (BlockHandle, Option<BlockHandle>) {
        let filter = self.write_full_filter();
        let body = self.index.finish_single();
        self.counts.index_size = body.len() as u64 + BLOCK_TRAILER;
        (self.output.block(body), filter)
    }

    fn write_full_filter(&mut self) -> Option<BlockHandle> {
        if self.filter_bits == 0 {
            return None;
        }
        let body = self.index.full_filter();
        self.counts.filter_size = Some(body.len() as u64);
        Some(self.output.raw_block(&body))
    }

    /// Index partitions and the upper level; filters before them or beside them, as the layout says.
    fn write_two_levels(&mut self) -> (BlockHandle, Option<BlockHandle>) {
        let filter = match self.layout {
            TableLayout::Original => self.write_full_filter(),
            TableLayout::Edge => None,
        };
        let partitions = self.index.finish_partitions();
        let mut top = RowBuilder::new(1);
        let mut value = Vec::new();
        let mut parts = Vec::new();
        varint::put(&mut parts, partitions.len() as u64);
        for partition in &partitions {
            let handle = self.output.block(&partition.body);
            self.counts.index_size += partition.body.len() as u64;
            value.clear();
            handle.encode_into(&mut value);
            top.add(&partition.last_separator, &[], &value, 0);
            if !partition.filter.is_empty() {
                self.output.raw_block(&partition.filter);
                varint::put(&mut parts, partition.filter.len() as u64);
            }
        }
        if self.layout == TableLayout::Edge && self.filter_bits > 0 {
            self.user_properties.push((FILTER_PARTS.to_owned(), parts));
        }
        let body = top.finish();
        self.counts.index_size += body.len() as u64 + BLOCK_TRAILER;
        self.counts.two_level = Some((partitions.len() as u64, body.len() as u64));
        (self.output.block(body), filter)
    }

    /// Properties, metaindex and footer.
    fn write_tail(&mut self, index: BlockHandle, full_filter: Option<BlockHandle>) {
        let body = self.counts.encode(&self.compression, self.flavour, &self.user_properties);
        let properties = self.output.raw_block(&body);

        let mut names = RowBuilder::new(1);
        let mut value = Vec::new();
        let filter = full_filter.map(|handle| (metaindex::FULL_FILTER, handle));
        for (name, handle) in filter.into_iter().chain([(metaindex::PROPERTIES, properties)]) {
            value.clear();
            handle.encode_into(&mut value);
            names.add_name(name.as_bytes(), &value);
        }
        let metaindex = self.output.raw_block(names.finish());
        let version = match self.flavour {
            TableFlavour::Pebble => 1,
            TableFlavour::RocksDb => 2,
        };
        let checksum = self.output.checksum();
        let mut footer = Vec::new();
        Footer { checksum, metaindex, index, flavour: self.flavour, version }.encode_into(&mut footer);
        self.output.bytes(&footer);
    }
}
