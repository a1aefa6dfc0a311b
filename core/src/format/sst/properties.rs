//! The properties block: names and values that describe the table, those of the format and those of users.

use bytes::Bytes;

use super::row::RowBlock;
use super::varint;
use crate::{Error, Result};

pub(super) const COMPARATOR: &str = "rocksdb.comparator";
pub(super) const COMPARATOR_BYTEWISE: &str = "leveldb.BytewiseComparator";
pub(super) const DATA_SIZE: &str = "rocksdb.data.size";
pub(super) const DELETED_KEYS: &str = "rocksdb.deleted.keys";
pub(super) const INDEX_PARTITIONS: &str = "rocksdb.index.partitions";
pub(super) const INDEX_TYPE: &str = "rocksdb.block.based.table.index.type";
pub(super) const MERGE_OPERATOR: &str = "rocksdb.merge.operator";
pub(super) const MERGE_OPERATOR_CONCATENATE: &str = "pebble.concatenate";
pub(super) const NUM_DATA_BLOCKS: &str = "rocksdb.num.data.blocks";
pub(super) const NUM_ENTRIES: &str = "rocksdb.num.entries";
pub(super) const NUM_RANGE_DELETIONS: &str = "rocksdb.num.range-deletions";
/// Lengths of the filter parts beside the index partitions.
pub(super) const FILTER_PARTS: &str = "isledb.filter_parts";
/// Begins the names of this engine's filters. A name that this version does not know: read without filter.
pub(super) const FILTER_PREFIX: &str = "isledb.filter_";

const INDEX_KEY_IS_USER_KEY: &str = "rocksdb.index.key.is.user.key";
const INDEX_VALUE_IS_DELTA: &str = "rocksdb.index.value.is.delta.encoded";
const GLOBAL_SEQUENCE: &str = "rocksdb.external_sst_file.global_seqno";

/// What the names may take in memory: a name may repeat nearly all of the one before for three bytes, so a block of 64 MiB then stands for
/// terabytes of them.
const MAX_NAME_BYTES: u64 = 1 << 20;

/// The properties of a table. Counters are what its writer said; nothing relies on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    rows: Vec<(Bytes, Bytes)>,
    pub(super) two_level: bool,
    pub(super) index_partitions: Option<u64>,
    /// Lengths of the filter parts, in partition order.
    pub(super) filter_parts: Option<Vec<u64>>,
}

impl Properties {
    /// Reads the body of the properties block at `at`, and refuses tables whose properties say that they mean something
    /// else than what is read here.
    pub(super) fn decode(object: &str, at: u64, body: Bytes) -> Result<Properties> {
        let mut rows = Vec::new();
        let mut name_bytes = 0;
        RowBlock::parse(object, at, body)?.for_each(object, at, |name, value| {
            name_bytes += name.len() as u64;
            if name_bytes > MAX_NAME_BYTES {
                let expected = format!("names of properties of {MAX_NAME_BYTES} bytes at most");
                return Err(Error::corrupt(object, at, expected, "more"));
            }
            rows.push((Bytes::copy_from_slice(name), value));
            Ok(())
        })?;
        let mut properties =
            Properties { rows, two_level: false, index_partitions: None, filter_parts: None };
        properties.two_level = properties.index_type(object, at)?;
        properties.refuse_foreign(object, at)?;
        properties.index_partitions = properties.number(object, at, INDEX_PARTITIONS)?;
        properties.filter_parts = properties.parts(object, at)?;
        Ok(properties)
    }

    /// The value of a property, byte for byte.
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.rows.iter().find(|(found, _)| found == name.as_bytes()).map(|(_, value)| value)
    }

    /// All properties in the order of the table: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.rows.iter().map(|(name, value)| (name, value))
    }

    /// Entries in the table, deletes included; 0 where the writer did not say.
    pub fn entries(&self) -> u64 {
        self.count(NUM_ENTRIES)
    }

    /// Deletes among the entries; 0 where the writer did not say.
    pub fn deletes(&self) -> u64 {
        self.count(DELETED_KEYS)
    }

    /// Number of data blocks; 0 where the writer did not say.
    pub fn data_blocks(&self) -> u64 {
        self.count(NUM_DATA_BLOCKS)
    }

    /// Offset behind the last data block; 0 where the writer did not say.
    pub fn data_size(&self) -> u64 {
        self.count(DATA_SIZE)
    }

    pub(super) fn memory(&self) -> u64 {
        self.rows
            .iter()
            .map(|(name, value)| (name.len() + value.len() + size_of::<(Bytes, Bytes)>()) as u64)
            .sum()
    }

    fn count(&self, name: &str) -> u64 {
        self.get(name).and_then(|value| varint::read_exact(value)).unwrap_or(0)
    }

    fn number(&self, object: &str, at: u64, name: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match varint::read_exact(value) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::corrupt(object, at, format!("a number in {name}"), format!("{value:02x?}"))),
        }
    }

    /// True for a two-level index.
    fn index_type(&self, object: &str, at: u64) -> Result<bool> {
        let Some(value) = self.get(INDEX_TYPE) else {
            return Ok(false);
        };
        let what = match <[u8; 4]>::try_from(value.as_ref()).map(u32::from_le_bytes) {
            Ok(0) => return Ok(false),
            Ok(2) => return Ok(true),
            Ok(1) => "a hash index".to_owned(),
            Ok(3) => "an index with first keys".to_owned(),
            _ => {
                let expected = format!("0 or 2 in four bytes of {INDEX_TYPE}");
                return Err(Error::corrupt(object, at, expected, format!("{value:02x?}")));
            }
        };
        Err(Error::Unsupported { object: object.to_owned(), what })
    }

    fn refuse_foreign(&self, object: &str, at: u64) -> Result<()> {
        let refuse = |what: String| Err(Error::Unsupported { object: object.to_owned(), what });
        let text = |name| self.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        match text(COMPARATOR).as_deref() {
            None | Some("" | COMPARATOR_BYTEWISE) => {}
            Some(other) => return refuse(format!("the comparator {other:?}")),
        }
        match text(MERGE_OPERATOR).as_deref() {
            None | Some("" | "nullptr" | MERGE_OPERATOR_CONCATENATE) => {}
            Some(other) => return refuse(format!("the merge operator {other:?}")),
        }
        for (name, what) in [
            (INDEX_KEY_IS_USER_KEY, "index keys without sequence"),
            (INDEX_VALUE_IS_DELTA, "a delta-encoded index"),
            (NUM_RANGE_DELETIONS, "range deletions"),
        ] {
            if self.number(object, at, name)?.unwrap_or(0) != 0 {
                return refuse(what.to_owned());
            }
        }
        if self.get(GLOBAL_SEQUENCE).is_some_and(|value| value.iter().any(|&byte| byte != 0)) {
            return refuse("a global sequence number".to_owned());
        }
        Ok(())
    }

    /// The lengths of the filter parts; `None` without them, or where a later version says something of filters that
    /// this one does not understand.
    fn parts(&self, object: &str, at: u64) -> Result<Option<Vec<u64>>> {
        let is_unknown =
            |name: &Bytes| name.starts_with(FILTER_PREFIX.as_bytes()) && name != FILTER_PARTS.as_bytes();
        let Some(value) = self.get(FILTER_PARTS) else {
            return Ok(None);
        };
        if self.rows.iter().any(|(name, _)| is_unknown(name)) {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        let mut rest = value.as_ref();
        while !rest.is_empty() {
            let Some((number, length)) = varint::read(rest) else { break };
            numbers.push(number);
            rest = rest.get(length as usize..).unwrap_or_default();
        }
        match numbers.split_first() {
            Some((&count, lengths)) if rest.is_empty() && count == lengths.len() as u64 => {
                Ok(Some(lengths.to_vec()))
            }
            _ => {
                let expected = format!("a count and as many lengths in {FILTER_PARTS}");
                Err(Error::corrupt(object, at, expected, format!("{value:02x?}")))
            }
        }
    }
}
