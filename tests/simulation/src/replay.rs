//! The original's replay of a manifest, written from its description alone and on plain JSON values: nothing of the engine
//! is used, so what this makes of the objects is an independent opinion of the engine's state.

use std::borrow::Borrow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A table as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainTable {
    /// Its id, which is its object's name.
    pub id: String,
    /// Its epoch, a label.
    pub epoch: u64,
    /// Lowest and highest sequence number of its entries.
    pub sequences: (u64, u64),
    /// Smallest and largest key.
    pub keys: (Vec<u8>, Vec<u8>),
    /// Bytes of the table.
    pub size: u64,
    /// 0 for a flush.
    pub level: i64,
}

/// The state that a manifest stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainState {
    /// Lowest epoch for the next table.
    pub next_epoch: u64,
    /// Highest applied log slot.
    pub log_seq: u64,
    /// Flushed tables, newest first.
    pub l0: Vec<Arc<PlainTable>>,
    /// Sorted runs, front first.
    pub runs: Vec<(u64, Vec<Arc<PlainTable>>)>,
    /// Lowest id for the next run.
    pub next_run: u64,
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

impl PlainTable {
    fn of(value: &Value) -> Arc<PlainTable> {
        let key = |name| STANDARD.decode(value.get(name).and_then(Value::as_str).unwrap_or_default());
        Arc::new(PlainTable {
            id: text(value, "ID"),
            epoch: number(value, "Epoch"),
            sequences: (number(value, "SeqLo"), number(value, "SeqHi")),
            keys: (key("MinKey").unwrap_or_default(), key("MaxKey").unwrap_or_default()),
            size: number(value, "Size"),
            level: value.get("Level").and_then(Value::as_i64).unwrap_or(0),
        })
    }
}

fn run(value: &Value) -> (u64, Vec<Arc<PlainTable>>) {
    (number(value, "id"), list(value, "ssts").iter().map(PlainTable::of).collect())
}

impl PlainState {
    /// The state that a snapshot document holds.
    pub fn of_snapshot(value: &Value) -> PlainState {
        PlainState {
            next_epoch: number(value, "next_epoch"),
            log_seq: number(value, "log_seq"),
            l0: list(value, "l0_ssts").iter().map(PlainTable::of).collect(),
            runs: list(value, "sorted_runs").iter().map(run).collect(),
            next_run: number(value, "next_sorted_run_id"),
        }
    }

    /// All its tables.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<PlainTable>> {
        self.l0.iter().chain(self.runs.iter().flat_map(|(_, tables)| tables))
    }

    fn remove_tables(&mut self, ids: &[Value]) {
        let gone = |table: &Arc<PlainTable>| ids.iter().any(|id| id.as_str() == Some(&table.id));
        self.l0.retain(|table| !gone(table));
        for (_, tables) in &mut self.runs {
            tables.retain(|table| !gone(table));
        }
        self.runs.retain(|(_, tables)| !tables.is_empty());
    }

    fn add_table(&mut self, value: &Value) {
        let table = PlainTable::of(value);
        self.next_epoch = self.next_epoch.max(table.epoch + 1);
        if table.level == 0 {
            self.l0.insert(0, table);
        } else {
            self.runs.insert(0, (self.next_run, vec![table]));
            self.next_run += 1;
        }
    }

    /// One entry that counts.
    pub fn apply(&mut self, entry: &Value) {
        let seq = number(entry, "seq");
        match entry.get("op").and_then(Value::as_str).unwrap_or_default() {
            "add_sstable" => {
                if let Some(table) = entry.get("sstable").filter(|table| !table.is_null()) {
                    self.add_table(table);
                }
            }
            "remove_sstables" => self.remove_tables(list(entry, "remove_sstable_ids")),
            "compaction" => {
                let job = entry.get("compaction").unwrap_or(&Value::Null);
                self.remove_tables(list(job, "remove_sstable_ids"));
                let dropped = list(job, "remove_sorted_run_ids");
                self.runs.retain(|(id, _)| !dropped.iter().any(|gone| gone.as_u64() == Some(*id)));
                if let Some(added) = job.get("add_sorted_run").filter(|added| !added.is_null()) {
                    let added = run(added);
                    self.next_run = self.next_run.max(added.0 + 1);
                    self.runs.insert(0, added);
                }
                for table in list(job, "add_sstables") {
                    self.add_table(table);
                }
            }
            "checkpoint" => {
                if let Some(state) = entry.get("checkpoint").filter(|state| !state.is_null()) {
                    *self = PlainState::of_snapshot(state);
                }
            }
            _ => {}
        }
        self.log_seq = self.log_seq.max(seq);
    }
}

/// The role of an entry: 0 writer, 1 maintenance.
pub fn role(entry: &Value) -> usize {
    usize::from(number(entry, "role") == 1)
}

/// The fence epoch of an entry's author.
pub fn epoch(entry: &Value) -> u64 {
    number(entry, "epoch")
}

/// Whether an entry claims a role.
pub fn is_claim(entry: &Value) -> bool {
    entry.get("op").and_then(Value::as_str) == Some("fence_claim")
}

/// Applies `entries` in order, leaving out those of owners who have been fenced. `active` is the fence epoch by role.
pub fn apply_all<'a>(
    state: &mut PlainState,
    active: &mut [u64; 2],
    entries: impl IntoIterator<Item = &'a Value>,
) {
    for entry in entries {
        let (role, epoch) = (role(entry), epoch(entry));
        if is_claim(entry) {
            active[role] = active[role].max(epoch);
        } else if epoch >= active[role] {
            state.apply(entry);
        }
    }
}

/// The full replay: CURRENT, the snapshot that it names, and the log entries of its window.
///
/// `snapshot` gives the state of a snapshot by its full key, `log` the entry of a slot; `None` is a missing object, which the
/// original takes as an error.
pub fn full<E: Borrow<Value>>(
    current: &Value,
    snapshot: impl Fn(&str) -> Option<PlainState>,
    log: impl Fn(u64) -> Option<E>,
) -> Result<PlainState, String> {
    let mut state = PlainState { next_epoch: 1, ..PlainState::default() };
    let key = text(current, "snapshot");
    if !key.is_empty() {
        state = snapshot(&key).ok_or(key)?;
    }
    let (start, next) = (number(current, "log_seq_start"), number(current, "next_seq"));
    let mut entries = Vec::new();
    for slot in start..next {
        entries.push(log(slot).ok_or_else(|| format!("log slot {slot}"))?);
    }
    let entries = || entries.iter().map(Borrow::borrow);
    let mut active = [0; 2];
    for (of, fence) in ["writer_fence", "compactor_fence"].into_iter().enumerate() {
        let own = || entries().filter(|entry| role(entry) == of);
        let max_claim = own().filter(|entry| is_claim(entry)).map(epoch).max().unwrap_or(0);
        let max_entry = own().map(epoch).max().unwrap_or(0);
        if let Some(fence) = current.get(fence).filter(|fence| !fence.is_null()) {
            let fence = number(fence, "epoch");
            if max_claim == 0 || (max_entry >= fence && max_claim < fence) {
                active[of] = fence;
            }
        }
    }
    apply_all(&mut state, &mut active, entries());
    let above = active.iter().max().copied().unwrap_or(0) + 1;
    if above > state.next_epoch && above > 1 {
        state.next_epoch = above;
    }
    state.next_epoch = state.next_epoch.max(number(current, "next_epoch"));
    if next > 0 {
        state.log_seq = next - 1;
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flush(seq: u64, epoch: u64, id: &str) -> Value {
        json!({"seq": seq, "role": 0, "epoch": epoch, "op": "add_sstable",
            "sstable": {"ID": id, "Epoch": seq, "SeqLo": seq, "SeqHi": seq, "Size": 1, "Level": 0}})
    }

    fn claim(seq: u64, epoch: u64) -> Value {
        json!({"seq": seq, "role": 0, "epoch": epoch, "op": "fence_claim"})
    }

    fn replay(current: &Value, log: &[Value]) -> Vec<String> {
        let at = |slot: u64| log.iter().find(|entry| number(entry, "seq") == slot).cloned();
        full(current, |_| None, at).unwrap().l0.iter().map(|table| table.id.clone()).collect()
    }

    #[test]
    fn an_entry_of_a_fenced_writer_counts_only_before_the_claim() {
        let current = json!({"log_seq_start": 1, "next_seq": 6, "writer_fence": {"epoch": 2}});
        let log = [claim(1, 1), flush(2, 1, "a"), claim(3, 2), flush(4, 1, "late"), flush(5, 2, "b")];
        assert_eq!(replay(&current, &log), ["b", "a"]);
    }

    #[test]
    fn without_a_claim_in_the_window_the_fence_of_current_decides() {
        let current = json!({"log_seq_start": 4, "next_seq": 6, "writer_fence": {"epoch": 2}});
        let log = [flush(4, 1, "old"), flush(5, 2, "b")];
        assert_eq!(replay(&current, &log), ["b"]);
    }

    #[test]
    fn a_compaction_takes_its_inputs_away() {
        let current = json!({"log_seq_start": 1, "next_seq": 4});
        let job = json!({"remove_sstable_ids": ["a", "b"], "add_sstables": null,
            "add_sorted_run": {"id": 3, "ssts": [{"ID": "ab", "Level": 1}]}});
        let log = [
            flush(1, 1, "a"),
            flush(2, 1, "b"),
            json!({"seq": 3, "role": 1, "epoch": 1, "op": "compaction", "compaction": job}),
        ];
        let at = |slot: u64| log.get(slot as usize - 1).cloned();
        let state = full(&current, |_| None, at).unwrap();
        assert!(state.l0.is_empty());
        assert_eq!((state.runs[0].0, state.runs[0].1[0].id.as_str(), state.next_run), (3, "ab", 4));
        assert!(full(&current, |_| None, |_| None::<Value>).is_err(), "a missing log object is an error");
    }
}
