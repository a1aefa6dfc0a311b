//! One table that a merge writes.

use bytes::Bytes;

use super::leftovers::Leftovers;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::blob_list::{self, BLOBS_PROPERTY, BlobList};
use crate::format::manifest::{BloomMeta, SstMeta};
use crate::format::sst::{Kind, TableBuilder, TableOptions, TableSummary};
use crate::format::time::Timestamp;
use crate::format::value::Value;
use crate::maintain::options::MergeOptions;
use crate::signature::{TableSigner, hex};
use crate::write::container::append_bloom;

/// More entries do not go into one table: the hashes of their keys are kept until it is finished.
const MAX_ENTRIES: u64 = 1 << 20;
/// More blobs are not named by one table: their ids are kept until it is finished.
const MAX_BLOBS: usize = 1 << 16;

/// A table that is being built, without its upload.
pub(super) struct Output {
    id: String,
    epoch: u64,
    unix_ns: u64,
    builder: TableBuilder,
    blobs: Vec<BlobId>,
    entries: u64,
    expiries: Expiries,
    max_data_time: Option<u64>,
    last_key: Vec<u8>,
}

#[derive(Default)]
struct Expiries {
    min_ms: Option<u64>,
    max_ms: Option<u64>,
    puts_without: bool,
}

/// What is to be known of an entry beside its bytes.
pub(super) struct Traits {
    kind: Kind,
    blob: Option<BlobId>,
    expire_at_ms: Option<u64>,
    /// When the data of the table that it comes from was written, at the latest.
    data_time_ms: Option<u64>,
}

impl Traits {
    pub(super) fn delete(data_time_ms: Option<u64>) -> Traits {
        Traits { kind: Kind::Delete, blob: None, expire_at_ms: None, data_time_ms }
    }

    /// Of a value as it is stored; a delete too.
    pub(super) fn of(value: &Value, data_time_ms: Option<u64>) -> Traits {
        let (blob, expire_at_ms) = match value {
            Value::Delete { .. } => return Traits::delete(data_time_ms),
            Value::Blob { id, expire_at_ms } => (Some(*id), *expire_at_ms),
            Value::Inline { expire_at_ms, .. } => (None, *expire_at_ms),
        };
        Traits { kind: Kind::Set, blob, expire_at_ms, data_time_ms }
    }
}

impl Output {
    pub(super) fn new(id: String, epoch: u64, unix_ns: u64, options: &MergeOptions) -> Output {
        let key_hashes = options.bloom_container && options.table.filter_bits_per_key > 0;
        let builder = TableBuilder::new(TableOptions { key_hashes, ..options.table.clone() });
        Output {
            id,
            epoch,
            unix_ns,
            builder,
            blobs: Vec::new(),
            entries: 0,
            expiries: Expiries::default(),
            max_data_time: None,
            last_key: Vec::new(),
        }
    }

    pub(super) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    pub(super) fn add(&mut self, key: &[u8], sequence: u64, stored: &[u8], traits: &Traits) -> Result<()> {
        self.builder.add(key, sequence, traits.kind, stored)?;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.entries += 1;
        self.blobs.extend(traits.blob);
        self.max_data_time = self.max_data_time.max(traits.data_time_ms);
        if traits.kind == Kind::Set {
            match traits.expire_at_ms {
                Some(at) => {
                    self.expiries.min_ms = Some(self.expiries.min_ms.map_or(at, |min| min.min(at)));
                    self.expiries.max_ms = self.expiries.max_ms.max(Some(at));
                }
                None => self.expiries.puts_without = true,
            }
        }
        Ok(())
    }

    /// True where the next entry belongs to the next table.
    pub(super) fn is_full(&self, table_size: u64) -> bool {
        self.builder.written() >= table_size || self.entries >= MAX_ENTRIES || self.blobs.len() >= MAX_BLOBS
    }

    /// Bytes that were finished since the last call.
    pub(super) fn take(&mut self) -> Bytes {
        self.builder.take_output()
    }

    /// Finishes table and upload: at most one request more than its parts. Errors: of the upload.
    pub(super) async fn finish(
        mut self,
        options: &MergeOptions,
        signer: Option<&dyn TableSigner>,
        leftovers: &mut Leftovers,
    ) -> Result<SstMeta> {
        self.blobs.sort_unstable();
        self.blobs.dedup();
        if !self.blobs.is_empty() {
            let at = self.builder.write_block_before_index(&blob_list::encode_ids(&self.blobs))?;
            let list = BlobList { offset: at.offset, length: at.length, count: self.blobs.len() as u64 };
            self.builder.add_user_property(BLOBS_PROPERTY, &list.encode())?;
        }
        let summary = self.builder.finish()?;
        let signature = signer.map(|signer| signer.sign(&summary.sha256)).transpose()?;
        let Some(upload) = &mut leftovers.upload else {
            return Err(Error::invalid("a table without its upload"));
        };
        upload.write(self.builder.take_output()).await?;
        let bits = options.table.filter_bits_per_key;
        let bloom = append_bloom(upload, &summary, bits, options.bloom_container).await?;
        upload.finish().await?;
        leftovers.upload = None;
        Ok(SstMeta { signature, ..self.describe(summary, bloom) })
    }

    fn describe(self, summary: TableSummary, bloom: BloomMeta) -> SstMeta {
        let Expiries { min_ms, max_ms, puts_without } = self.expiries;
        SstMeta {
            id: self.id,
            epoch: self.epoch,
            seq_lo: summary.seq_lo,
            seq_hi: summary.seq_hi,
            min_key: summary.min_key,
            max_key: summary.max_key,
            size: summary.size,
            checksum: format!("sha256:{}", hex(&summary.sha256)),
            signature: None,
            bloom,
            created_at: Timestamp::from_unix_ns(self.unix_ns),
            level: 1,
            has_blob_refs: !self.blobs.is_empty(),
            meta_offset: Some(summary.meta_offset),
            entry_count: Some(summary.entries),
            delete_count: Some(summary.deletes),
            min_expire_at: min_ms,
            max_expire_at: max_ms.filter(|_| !puts_without),
            max_data_time: self.max_data_time,
        }
    }
}
