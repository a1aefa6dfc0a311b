//! From a memtable to a table in the store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join;
use hashbrown::HashSet;

use super::blob::PutTimes;
use super::container::append_bloom;
use super::context::{Context, TableName};
use super::memtable::{Entry, Form, Memtable};
use super::upload::Upload;
use crate::error::{Error, Result};
use crate::format::blob::BlobId;
use crate::format::blob_list::{self, BLOBS_PROPERTY, BlobList};
use crate::format::manifest::{BloomMeta, SstMeta, SstSignature};
use crate::format::sst::{Kind, TableBuilder, TableOptions, TableSummary};
use crate::format::time::Timestamp;
use crate::format::value::{self, Value};
use crate::host::{Backoff, Moment};
use crate::signature::hex;

/// After this much input the build lets others run: some 5 ms of work.
const YIELD_BYTES: usize = 512 << 10;

/// A table in the store that no manifest names yet.
pub(super) struct Uploaded {
    pub(super) meta: Arc<SstMeta>,
    /// Before the first request of it.
    pub(super) began: Moment,
    /// The blobs that it names.
    pub(super) blobs: PutTimes,
}

/// Builds the table of a memtable and uploads it, its blobs beside it: one put for the table (parts where it is larger than
/// one), one a blob, all in one round. Blobs in `inline` are written into the table instead.
///
/// A failed upload in parts is made again, under a new name, until the flush deadline.
pub(super) async fn build(
    context: Arc<Context>,
    memtable: Arc<Memtable>,
    inline: Arc<HashSet<BlobId>>,
    closed_at_ms: u64,
) -> Result<Uploaded> {
    let began = Moment::now(context.host.as_ref());
    let outside = memtable.blobs().iter().filter(|(id, _)| !inline.contains(*id));
    let outside: Vec<(BlobId, Bytes)> = outside.map(|(id, value)| (*id, value.clone())).collect();
    let ids: Vec<BlobId> = outside.iter().map(|(id, _)| *id).collect();
    let blobs = context.clone().put_blobs(outside);
    let table = build_table(&context, &memtable, &inline, ids, closed_at_ms);
    let (meta, blobs) = try_join(table, blobs).await?;
    Ok(Uploaded { meta: Arc::new(meta), began, blobs })
}

async fn build_table(
    context: &Arc<Context>,
    memtable: &Memtable,
    inline: &HashSet<BlobId>,
    mut ids: Vec<BlobId>,
    closed_at_ms: u64,
) -> Result<SstMeta> {
    ids.sort_unstable();
    let began = Moment::now(context.host.as_ref());
    let mut backoff = Backoff::new(50, 5_000);
    loop {
        let name = context.name_table(memtable.first_sequence(), memtable.next_sequence() - 1);
        let mut upload =
            Upload::new(context.requests.clone(), context.layout.sst(&name.id), context.options.part_size);
        match stream_table(context, memtable, inline, &ids, &mut upload).await {
            Ok((summary, bloom, signature)) => {
                let has_blob_refs = !ids.is_empty();
                let meta = describe(memtable, name, summary, bloom, has_blob_refs, closed_at_ms);
                return Ok(SstMeta { signature, ..meta });
            }
            Err(error) => {
                upload.abort().await;
                let late = began.elapsed_ms(context.host.as_ref()) >= context.flush_deadline_ms();
                if late || !matches!(error, Error::Unavailable { .. }) {
                    return Err(error);
                }
                backoff.pause(context.host.as_ref()).await;
            }
        }
    }
}

/// Output goes to the upload while the rest is being built.
async fn stream_table(
    context: &Context,
    memtable: &Memtable,
    inline: &HashSet<BlobId>,
    ids: &[BlobId],
    upload: &mut Upload,
) -> Result<(TableSummary, BloomMeta, Option<SstSignature>)> {
    let key_hashes = context.options.bloom_container && context.options.table.filter_bits_per_key > 0;
    let mut builder = TableBuilder::new(TableOptions { key_hashes, ..context.options.table.clone() });
    let order = memtable.order();
    let mut since_yield = 0;
    for entry in memtable.entries(&order) {
        let kind = if entry.form == Form::Delete { Kind::Delete } else { Kind::Set };
        match inlined(memtable, &entry, inline)? {
            Some(value) => builder.add(entry.key, entry.sequence, kind, &value)?,
            None => builder.add(entry.key, entry.sequence, kind, entry.value)?,
        }
        since_yield += entry.key.len() + entry.value.len();
        if since_yield >= YIELD_BYTES {
            since_yield = 0;
            upload.write(builder.take_output()).await?;
            // A timer, not only a wake-up: in a browser only that lets anything else run.
            context.host.sleep(Duration::ZERO).await;
        }
    }
    if !ids.is_empty() {
        let at = builder.write_block_before_index(&blob_list::encode_ids(ids))?;
        let list = BlobList { offset: at.offset, length: at.length, count: ids.len() as u64 };
        builder.add_user_property(BLOBS_PROPERTY, &list.encode())?;
    }
    let summary = builder.finish()?;
    let signature = context.options.signer.as_ref().map(|signer| signer.sign(&summary.sha256)).transpose()?;
    upload.write(builder.take_output()).await?;
    let bits = context.options.table.filter_bits_per_key;
    let bloom = append_bloom(upload, &summary, bits, context.options.bloom_container).await?;
    upload.finish().await?;
    Ok((summary, bloom, signature))
}

/// The entry with its value in place, if it names a blob that must not be relied on.
fn inlined(memtable: &Memtable, entry: &Entry<'_>, inline: &HashSet<BlobId>) -> Result<Option<Vec<u8>>> {
    if entry.form != Form::Blob || inline.is_empty() {
        return Ok(None);
    }
    let Value::Blob { id, expire_at_ms } =
        Value::decode("memtable", None, Bytes::copy_from_slice(entry.value))?
    else {
        return Ok(None);
    };
    let value = memtable.blobs().get(&id).filter(|_| inline.contains(&id));
    Ok(value.map(|value| {
        let mut encoded = Vec::with_capacity(value.len() + 9);
        value::encode_inline_into(&mut encoded, value, expire_at_ms);
        encoded
    }))
}

fn describe(
    memtable: &Memtable,
    name: TableName,
    summary: TableSummary,
    bloom: BloomMeta,
    has_blob_refs: bool,
    closed_at_ms: u64,
) -> SstMeta {
    let expiries = memtable.expiries();
    SstMeta {
        id: name.id,
        epoch: name.epoch,
        seq_lo: summary.seq_lo,
        seq_hi: summary.seq_hi,
        min_key: summary.min_key,
        max_key: summary.max_key,
        size: summary.size,
        checksum: format!("sha256:{}", hex(&summary.sha256)),
        signature: None,
        bloom,
        created_at: Timestamp::from_unix_ns(name.unix_ns),
        level: 0,
        has_blob_refs,
        meta_offset: Some(summary.meta_offset),
        entry_count: Some(summary.entries),
        delete_count: Some(summary.deletes),
        min_expire_at: expiries.min_ms,
        max_expire_at: expiries.max_ms,
        max_data_time: Some(closed_at_ms),
    }
}
