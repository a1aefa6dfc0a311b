//! The JSON documents: CURRENT, log entries, snapshots, and those of deletion.

use std::sync::Arc;

use bytes::Bytes;
use isledb::format::gc::{DoomedBlobs, GcCheckpoint, PendingMarks};
use isledb::format::manifest::{Current, Effect, Effects, FenceToken, LogEntry, Op, Snapshot, SstMeta};
use isledb::format::time::Timestamp;

use super::object::Kind;
use crate::command::Context;
use crate::exit::Outcome;
use crate::json::Line;
use crate::keys::Encoding;
use crate::output::{self, STRONG};

/// Decodes the document, which verifies it, and shows it.
pub(super) fn show(object: &str, kind: &Kind, bytes: &Bytes, context: &mut Context) -> Outcome {
    let encoding = context.global.encoding();
    let (word, text) = match kind {
        Kind::Current => ("current", current(&Current::decode(object, bytes)?, encoding)?),
        Kind::Log(slot) => ("log_entry", log_entry(&LogEntry::decode(object, *slot, bytes)?, encoding)),
        Kind::Snapshot => ("snapshot", snapshot(&Snapshot::decode(object, bytes)?, encoding)),
        Kind::Marks => ("pending_marks", marks(&PendingMarks::decode(object, bytes)?)),
        Kind::Checkpoint => ("gc_checkpoint", checkpoint(&GcCheckpoint::decode(object, bytes)?)),
        Kind::DoomedBlobs => ("doomed_blobs", doomed(&DoomedBlobs::decode(object, bytes)?)),
        // The caller keeps these for itself.
        Kind::Table | Kind::Blob(_) | Kind::Cursor | Kind::Ticket => return Ok(()),
    };
    let sealed = bytes.windows(10).rev().take(24).any(|window| window == b",\"crc32c\":");
    let out = &mut context.out;
    if out.is_json() {
        let line = Line::new().field("object", object).field("kind", word).field("bytes", bytes.len());
        out.json(line.field("checksum_verified", sealed).raw("document", &one_line(bytes)))?;
        return Ok(());
    }
    let checksum = if sealed { "checksum verified" } else { "no checksum" };
    out.line(out.paint(STRONG, object))?;
    out.line(format!("{}, {}, {checksum}", word.replace('_', " "), output::size(bytes.len() as u64)))?;
    out.line(text)?;
    Ok(())
}

/// The document on one line, which it is unless somebody edited it.
fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text.contains('\n') {
        return text.into_owned();
    }
    // It was decoded just now, so it is JSON.
    serde_json::from_str::<serde_json::Value>(&text).map(|value| value.to_string()).unwrap_or_default()
}

/// Names and values, one a line.
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn text(self) -> String {
        let mut table = output::table(&[]);
        for (name, value) in self.0 {
            table.add_row([name, &value]);
        }
        output::table_text(table, &[])
    }
}

fn current(current: &Current, encoding: Encoding) -> Outcome<String> {
    let number = |n: Option<u64>| n.map_or("none".to_owned(), |n| n.to_string());
    let none_if_empty = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let fields = Fields(vec![
        ("snapshot", none_if_empty(&current.snapshot)),
        ("log_seq_start", current.log_seq_start.to_string()),
        ("next_seq", current.next_seq.to_string()),
        ("next_epoch", current.next_epoch.to_string()),
        ("next_sequence", number(current.next_sequence)),
        ("max_committed_lsn", number(current.max_committed_lsn)),
        ("low_watermark_lsn", number(current.low_watermark_lsn)),
        ("feed_floor_seq", number(current.feed_floor_seq)),
        ("max_view_age_ms", number(current.max_view_age_ms)),
        ("change_retention_ms", number(current.change_retention_ms)),
        ("writer_fence", fence(current.writer_fence.as_ref())),
        ("compactor_fence", fence(current.compactor_fence.as_ref())),
        ("inline_log", format!("{} entries", current.inline_log.len())),
    ]);
    let mut text = fields.text();
    if !current.inline_log.is_empty() {
        let mut table = output::table(&["slot", "role", "epoch", "time", "operation"]);
        for inline in &current.inline_log {
            let entry = LogEntry::decode("manifest/CURRENT, inline_log", inline.seq, &inline.bytes)?;
            table.add_row([
                entry.seq.to_string(),
                entry.role.name().to_owned(),
                entry.epoch.to_string(),
                time(&entry.ts),
                operation(&entry.op, encoding),
            ]);
        }
        text.push_str("\n\n");
        text.push_str(&output::table_text(table, &[0, 2]));
    }
    Ok(text)
}

fn log_entry(entry: &LogEntry, encoding: Encoding) -> String {
    let mut fields = vec![
        ("slot", entry.seq.to_string()),
        ("id", entry.id.to_string()),
        ("time", time(&entry.ts)),
        ("role", format!("{}, epoch {}", entry.role.name(), entry.epoch)),
        ("operation", operation(&entry.op, encoding)),
    ];
    if let Some(effects) = &entry.effects {
        fields.push(("effects", effects_text(effects)));
    }
    let tables: Vec<&Arc<SstMeta>> = match &entry.op {
        Op::AddSstable(table) => vec![table],
        Op::Compaction(compaction) => compaction.added().collect(),
        Op::Checkpoint(snapshot) => tables_of(snapshot),
        _ => Vec::new(),
    };
    with_tables(Fields(fields), &tables, encoding)
}

fn snapshot(snapshot: &Snapshot, encoding: Encoding) -> String {
    let fields = Fields(vec![
        ("version", snapshot.version.to_string()),
        ("log_seq", snapshot.log_seq.to_string()),
        ("next_epoch", snapshot.next_epoch.to_string()),
        ("next_sorted_run_id", snapshot.next_sorted_run_id.to_string()),
        ("l0", format!("{} tables", snapshot.l0.len())),
        (
            "runs",
            snapshot
                .runs
                .iter()
                .map(|run| format!("{} ({} tables)", run.id, run.ssts.len()))
                .collect::<Vec<_>>()
                .join(", "),
        ),
    ]);
    with_tables(fields, &tables_of(snapshot), encoding)
}

fn tables_of(snapshot: &Snapshot) -> Vec<&Arc<SstMeta>> {
    snapshot.l0.iter().chain(snapshot.runs.iter().flat_map(|run| &run.ssts)).collect()
}

fn with_tables(fields: Fields, tables: &[&Arc<SstMeta>], encoding: Encoding) -> String {
    let mut text = fields.text();
    if !tables.is_empty() {
        let mut shown = output::table(&[
            "table",
            "level",
            "sequences",
            "entries",
            "deletes",
            "bytes",
            "first key",
            "last key",
        ]);
        let known = |n: Option<u64>| n.map_or("unknown".to_owned(), |n| n.to_string());
        for table in tables {
            shown.add_row([
                table.id.clone(),
                table.level.to_string(),
                format!("{}-{}", table.seq_lo, table.seq_hi),
                known(table.entry_count),
                known(table.delete_count),
                table.size.to_string(),
                encoding.show(&table.min_key),
                encoding.show(&table.max_key),
            ]);
        }
        text.push_str("\n\n");
        text.push_str(&output::table_text(shown, &[1, 3, 4, 5]));
    }
    text
}

/// What an entry changes in CURRENT.
fn effects_text(effects: &Effects) -> String {
    let settings = [
        ("max_committed_lsn", &effects.max_committed_lsn),
        ("low_watermark_lsn", &effects.low_watermark_lsn),
        ("max_view_age_ms", &effects.max_view_age_ms),
        ("change_retention_ms", &effects.change_retention_ms),
    ];
    let next = effects.next_sequence.map(|sequence| format!("next_sequence {sequence}"));
    let rest = settings.iter().filter_map(|(name, effect)| match effect {
        Effect::Unchanged => None,
        Effect::Remove => Some(format!("{name} removed")),
        Effect::Set(value) => Some(format!("{name} {value}")),
    });
    let all: Vec<String> = next.into_iter().chain(rest).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

/// An operation on one line.
fn operation(op: &Op, encoding: Encoding) -> String {
    let name = op.name();
    match op {
        Op::AddSstable(table) => {
            let entries = table.entry_count.map(|n| format!(", {n} entries")).unwrap_or_default();
            format!(
                "{name} {}{entries}, {}, {} to {}",
                table.id,
                output::size(table.size),
                encoding.show(&table.min_key),
                encoding.show(&table.max_key)
            )
        }
        Op::RemoveSstables(ids) => format!("{name} {}", ids.join(" ")),
        Op::Compaction(compaction) => format!(
            "{name} of {} tables and {} runs into {} tables",
            compaction.remove_sstable_ids.len(),
            compaction.remove_sorted_run_ids.len(),
            compaction.added().count()
        ),
        Op::FenceClaim { owner, epoch, .. } => format!("{name} by {owner}, epoch {epoch}"),
        Op::Checkpoint(snapshot) => format!("{name} of {} tables", tables_of(snapshot).len()),
        Op::Unknown(_) => format!("{name} (not known here, ignored)"),
    }
}

fn marks(marks: &PendingMarks) -> String {
    let mut table = output::table(&["table", "first seen unreferenced", "reason", "slot that added it"]);
    for mark in &marks.marks {
        table.add_row([
            mark.sst_id.clone(),
            time(&mark.first_seen_unreferenced_at),
            mark.first_reason.clone(),
            mark.add_seq.map_or("unknown".into(), |slot| slot.to_string()),
        ]);
    }
    format!("{} tables wait for their deletion\n{}", marks.marks.len(), output::table_text(table, &[3]))
}

fn checkpoint(checkpoint: &GcCheckpoint) -> String {
    Fields(vec![
        ("last_applied_seq", checkpoint.last_applied_seq.to_string()),
        ("last_seen_log_seq_start", checkpoint.last_seen_log_seq_start.to_string()),
        ("updated_at", time(&checkpoint.updated_at)),
        ("sightings", checkpoint.sightings.len().to_string()),
        ("unnamed snapshots", checkpoint.unnamed_snapshots.len().to_string()),
    ])
    .text()
}

fn doomed(doomed: &DoomedBlobs) -> String {
    let mut table = output::table(&["blob", "named", "condemned"]);
    for blob in &doomed.blobs {
        let condemned = blob.condemned_at.as_ref().map_or("no".to_owned(), time);
        table.add_row([blob.id.to_string(), time(&blob.named_at), condemned]);
    }
    format!("{} blobs are about to go\n{}", doomed.blobs.len(), output::table_text(table, &[]))
}

fn fence(fence: Option<&FenceToken>) -> String {
    fence.map_or("none".into(), |fence| {
        format!("{}, epoch {}, claimed {}", fence.owner, fence.epoch, time(&fence.claimed_at))
    })
}

fn time(time: &Timestamp) -> String {
    time.to_string()
}
