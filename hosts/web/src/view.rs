//! What a view is, for people and programs.

use isledb_core::format::manifest::{FenceToken, Role, SstMeta};
use isledb_core::read::View;
use wasm_bindgen::JsValue;

use crate::record::Record;

/// `ViewInfo` of the TypeScript package. Sequence numbers and LSNs are `bigint`; sizes, counts, times, slots and epochs are
/// numbers.
pub(crate) fn record(view: &View, prefix: &str) -> JsValue {
    let manifest = view.manifest();
    let (current, state) = (&manifest.current, manifest.state());
    let tables: Vec<&SstMeta> = state.tables().map(|table| &**table).collect();
    // One table that does not say makes the sum unknown.
    let sum = |of: fn(&SstMeta) -> Option<u64>| tables.iter().map(|table| of(table)).sum::<Option<u64>>();
    let runs = state.runs.iter().map(|run| {
        Record::new()
            .number("id", run.id.into())
            .number("bytes", run.ssts.iter().map(|table| table.size).sum())
            .list("tables", run.ssts.iter().map(|meta| table(meta)))
            .into()
    });
    Record::new()
        .text("version", &view.version())
        .text("prefix", prefix)
        .flag("exists", view.exists())
        .number("ageMs", view.age_ms())
        .number("expiresInMs", view.expires_in_ms())
        .number("readAtMs", manifest.read_at.unix_ms())
        .number("nextSeq", current.next_slot())
        .number("logSeqStart", current.log_seq_start)
        .maybe_text("snapshot", Some(current.snapshot.as_str()).filter(|name| !name.is_empty()))
        .bigint("nextSequence", manifest.next_sequence())
        .maybe_bigint("maxCommittedLsn", current.max_committed_lsn)
        .maybe_bigint("lowWatermarkLsn", current.low_watermark_lsn)
        .maybe_number("feedFloorSeq", current.feed_floor_seq)
        .maybe_number("changeRetentionMs", current.change_retention_ms)
        .number("maxViewAgeMs", manifest.max_age_ms())
        .value("writer", owner(current.fence(Role::Writer)))
        .value("maintenance", owner(current.fence(Role::Maintenance)))
        .number("tables", tables.len() as u64)
        .number("bytes", tables.iter().map(|table| table.size).sum())
        .maybe_number("entries", sum(|table| table.entry_count))
        .maybe_number("deletes", sum(|table| table.delete_count))
        .list("l0", state.l0.iter().map(|meta| table(meta)))
        .list("runs", runs)
        .into()
}

fn owner(fence: Option<&FenceToken>) -> JsValue {
    fence.map_or(JsValue::UNDEFINED, |fence| {
        Record::new()
            .text("owner", &fence.owner)
            .number("epoch", fence.epoch)
            .value("claimedAtMs", fence.claimed_at.unix_ms() as f64)
            .into()
    })
}

/// `TableInfo` of the TypeScript package.
pub(crate) fn table(meta: &SstMeta) -> JsValue {
    Record::new()
        .text("id", &meta.id)
        .value("level", meta.level)
        .number("epoch", meta.epoch)
        .number("bytes", meta.size)
        .number("bloomBytes", meta.bloom.length)
        .bytes("minKey", &meta.min_key)
        .bytes("maxKey", &meta.max_key)
        .bigint("seqLo", meta.seq_lo)
        .bigint("seqHi", meta.seq_hi)
        .value("createdAtMs", meta.created_at.unix_ms() as f64)
        .maybe_number("entries", meta.entry_count)
        .maybe_number("deletes", meta.delete_count)
        .maybe_number("minExpiresAtMs", meta.min_expire_at)
        .maybe_number("maxExpiresAtMs", meta.max_expire_at)
        .flag("hasBlobs", meta.has_blob_refs)
        .flag("signed", meta.signature.is_some())
        .text("checksum", &meta.checksum)
        .into()
}
