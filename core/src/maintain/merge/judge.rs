//! Asks the user's filter, batch by batch.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, Result, key_text};
use crate::format::value::Value;
use crate::maintain::filter::{
    CompactionFilter, FilterEntry, FilterValue, MAX_FILTER_BATCH_BYTES, MAX_FILTER_BATCH_ENTRIES,
    MAX_REPLACEMENT_BYTES, Verdict,
};

/// An entry that waits: a live put for its verdict, a delete for its turn behind them.
pub(super) struct Judged {
    pub(super) key: Bytes,
    pub(super) sequence: u64,
    pub(super) value: Value,
    /// Of the table that it comes from.
    pub(super) data_time_ms: Option<u64>,
    /// It hides an older version, or may: where it goes, a delete has to stay.
    pub(super) hides: bool,
}

/// The filter, and the entries that it has not seen yet.
pub(super) struct Judge {
    filter: Arc<dyn CompactionFilter>,
    now_ms: u64,
    waiting: Vec<Judged>,
    bytes: u64,
}

impl Judge {
    pub(super) fn new(filter: Arc<dyn CompactionFilter>, now_ms: u64) -> Judge {
        Judge { filter, now_ms, waiting: Vec::new(), bytes: 0 }
    }

    /// Takes the next entry; its bytes are copied, since batches outlive blocks.
    pub(super) fn push(&mut self, mut entry: Judged) {
        if let Value::Inline { value, .. } = &mut entry.value {
            *value = Bytes::copy_from_slice(value);
            self.bytes += value.len() as u64;
        }
        self.bytes += entry.key.len() as u64;
        self.waiting.push(entry);
    }

    /// True where the batch must be judged before the next entry.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_FILTER_BATCH_BYTES || self.waiting.len() >= MAX_FILTER_BATCH_ENTRIES as usize
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }

    /// What becomes of the entries that wait.
    ///
    /// Errors: of the filter, with its name and the first and last key of the batch before the message.
    pub(super) fn judge(&mut self) -> Result<Vec<Judged>> {
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        let puts: Vec<FilterEntry<'_>> = waiting.iter().filter_map(as_entry).collect();
        if puts.is_empty() {
            return Ok(waiting);
        }
        let (asked, verdicts) = (puts.len(), self.filter.filter(self.now_ms, &puts));
        let first_and_last = [puts.first(), puts.last()].map(|put| key_text(put.map_or(b"", |put| put.key)));
        let failed = |error: Error| {
            let [first, last] = &first_and_last;
            let name = format!("compaction filter {}: entries {first} to {last}", self.filter.name());
            error.of_user_code(&name)
        };
        let verdicts = verdicts.map_err(failed)?;
        if verdicts.len() != asked {
            return Err(failed(Error::invalid(format!("{} verdicts for {asked} entries", verdicts.len()))));
        }
        let puts = waiting.iter_mut().filter(|entry| !entry.value.is_delete());
        for (entry, verdict) in puts.zip(verdicts) {
            match verdict {
                Verdict::Keep => {}
                Verdict::Drop => entry.value = Value::Delete { expire_at_ms: None },
                Verdict::Replace(value) if value.len() as u64 > MAX_REPLACEMENT_BYTES => {
                    let found = value.len();
                    return Err(failed(Error::invalid(format!(
                        "a value of {found} bytes for {}, at most {MAX_REPLACEMENT_BYTES} are allowed",
                        key_text(&entry.key)
                    ))));
                }
                Verdict::Replace(value) => {
                    let expire_at_ms = entry.value.expire_at_ms();
                    entry.value = Value::Inline { value, expire_at_ms };
                }
            }
        }
        waiting.retain(|entry| entry.hides || !entry.value.is_delete());
        Ok(waiting)
    }
}

/// What the filter sees of it; nothing of a delete.
fn as_entry(entry: &Judged) -> Option<FilterEntry<'_>> {
    let value = match &entry.value {
        Value::Blob { id, .. } => FilterValue::Blob(*id),
        Value::Inline { value, .. } => FilterValue::Inline(value),
        Value::Delete { .. } => return None,
    };
    let expires_at_ms = entry.value.expire_at_ms();
    Some(FilterEntry { key: &entry.key, value, sequence: entry.sequence, expires_at_ms })
}
