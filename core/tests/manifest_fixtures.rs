//! The manifests of all 44 databases that the original wrote: every document decodes, encodes to the same bytes again, and
//! the replay gives the state that the original's own reader saw.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop where it fails")]

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use isledb_core::format::gc::{GcCheckpoint, PendingMarks};
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{Current, LogEntry, Snapshot, SortedRun, SstMeta};
use isledb_core::manifest::Replay;
use serde_json::{Value, json};

fn buckets() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/buckets");
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expected.json").exists())
        .collect();
    found.sort();
    assert_eq!(found.len(), 44);
    found
}

struct Bucket {
    root: PathBuf,
    layout: Layout,
    expected: Value,
}

impl Bucket {
    fn open(path: &Path) -> Bucket {
        let expected: Value = serde_json::from_slice(&fs::read(path.join("expected.json")).unwrap()).unwrap();
        let layout = Layout::new(expected["prefix"].as_str().unwrap()).unwrap();
        Bucket { root: path.join("bucket"), layout, expected }
    }

    fn read(&self, key: &str) -> Option<Bytes> {
        fs::read(self.root.join(key)).ok().map(Bytes::from)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| !name.ends_with(".attrs")).map(|name| format!("{folder}{name}")).collect();
        names.sort();
        names
    }

    fn current(&self) -> Current {
        let key = self.layout.current();
        Current::decode(&key, &self.read(&key).unwrap()).unwrap()
    }

    fn entry(&self, slot: u64) -> LogEntry {
        let key = self.layout.log(slot);
        LogEntry::decode(&key, slot, &self.read(&key).unwrap()).unwrap()
    }

    fn snapshot(&self, current: &Current) -> Option<Snapshot> {
        (!current.snapshot.is_empty()).then(|| {
            let key = self.layout.snapshot(&self.layout.snapshot_id_of(&current.snapshot).unwrap());
            Snapshot::decode(&key, &self.read(&key).unwrap()).unwrap()
        })
    }

    fn replay(&self) -> (Current, Replay) {
        let current = self.current();
        let entries: Vec<LogEntry> = current.window().map(|slot| self.entry(slot)).collect();
        let replay = Replay::full(&current, self.snapshot(&current), &entries).unwrap();
        (current, replay)
    }
}

fn as_expected(sst: &SstMeta) -> Value {
    use base64::Engine;
    let base64 = |bytes: &Bytes| base64::engine::general_purpose::STANDARD.encode(bytes);
    json!({
        "id": sst.id, "epoch": sst.epoch, "seq_lo": sst.seq_lo, "seq_hi": sst.seq_hi,
        "min_key": base64(&sst.min_key), "max_key": base64(&sst.max_key), "size": sst.size,
        "bloom_bits": sst.bloom.bits_per_key, "bloom_length": sst.bloom.length, "level": sst.level,
        "has_blob_refs": sst.has_blob_refs, "signed": sst.signature.is_some(),
    })
}

#[test]
fn replay_gives_the_state_that_the_original_saw() {
    for path in buckets() {
        let bucket = Bucket::open(&path);
        let (current, replay) = bucket.replay();
        let state = &replay.state;
        let l0: Vec<Value> = state.l0.iter().map(|sst| as_expected(sst)).collect();
        let run = |run: &SortedRun| {
            assert!(run.is_disjoint());
            json!({"id": run.id, "ssts": run.ssts.iter().map(|sst| as_expected(sst)).collect::<Vec<_>>()})
        };
        let runs: Vec<Value> = state.runs.iter().map(run).collect();
        let expected = &bucket.expected;
        assert_eq!(Value::from(l0), expected["l0"], "{path:?}");
        assert_eq!(Value::from(runs), expected["runs"], "{path:?}");
        assert_eq!(Value::from(state.next_epoch), expected["next_epoch"], "{path:?}");
        assert_eq!(Value::from(state.log_seq), expected["log_seq"], "{path:?}");
        assert_eq!(json!(current.max_committed_lsn), expected["max_committed_lsn"], "{path:?}");
        assert_eq!(json!(current.low_watermark_lsn), expected["low_watermark_lsn"], "{path:?}");
    }
}

#[test]
fn every_document_encodes_to_the_bytes_of_the_original() {
    let mut documents = 0;
    let mut check = |key: &str, original: &Bytes, plain: Vec<u8>, sealed: Bytes| {
        assert_eq!(String::from_utf8(plain).unwrap(), String::from_utf8_lossy(original), "{key}");
        let trailer = sealed.strip_prefix(&original[..original.len() - 1]).unwrap();
        assert!(trailer.starts_with(b",\"crc32c\":\"") && trailer.ends_with(b"\"}"), "{key}");
        documents += 1;
    };
    for path in buckets() {
        let bucket = Bucket::open(&path);
        let layout = &bucket.layout;
        let key = layout.current();
        let bytes = bucket.read(&key).unwrap();
        let current = bucket.current();
        check(&key, &bytes, current.encode_plain(), current.encode());
        assert_eq!(Current::decode(&key, &current.encode()).unwrap(), current);
        for key in bucket.names(&layout.log_prefix()) {
            let slot = layout.slot_of(&key).unwrap();
            let entry = bucket.entry(slot);
            check(&key, &bucket.read(&key).unwrap(), entry.encode_plain(), entry.encode());
            assert_eq!(LogEntry::decode(&key, slot, &entry.encode()).unwrap(), entry);
            assert!(LogEntry::decode(&key, slot + 1, &entry.encode()).is_err());
        }
        for key in bucket.names(&layout.snapshot_prefix()) {
            let bytes = bucket.read(&key).unwrap();
            let snapshot = Snapshot::decode(&key, &bytes).unwrap();
            check(&key, &bytes, snapshot.encode_plain(), snapshot.encode());
            assert_eq!(Snapshot::decode(&key, &snapshot.encode()).unwrap(), snapshot);
        }
        let key = layout.pending_marks();
        if let Some(bytes) = bucket.read(&key) {
            let marks = PendingMarks::decode(&key, &bytes).unwrap();
            check(&key, &bytes, marks.encode_plain(), marks.encode());
            assert_eq!(PendingMarks::decode(&key, &marks.encode()).unwrap(), marks);
        }
        let key = layout.gc_checkpoint();
        if let Some(bytes) = bucket.read(&key) {
            let checkpoint = GcCheckpoint::decode(&key, &bytes).unwrap();
            check(&key, &bytes, checkpoint.encode_plain(), checkpoint.encode());
            assert_eq!(GcCheckpoint::decode(&key, &checkpoint.encode()).unwrap(), checkpoint);
        }
    }
    assert_eq!(documents, 358);
}

#[test]
fn going_on_entry_by_entry_gives_what_a_full_replay_gives() {
    for path in buckets() {
        let bucket = Bucket::open(&path);
        let current = bucket.current();
        let entries: Vec<LogEntry> = current.window().map(|slot| bucket.entry(slot)).collect();
        let mut at = Current { next_seq: current.log_seq_start, ..current.clone() };
        let mut replay = Replay::full(&at, bucket.snapshot(&at), &[]).unwrap();
        for (i, entry) in entries.iter().enumerate() {
            at.next_seq = entry.seq + 1;
            let full = Replay::full(&at, bucket.snapshot(&at), &entries[..=i]).unwrap();
            if let Some(extended) = replay.extend(&at, std::slice::from_ref(entry)).unwrap() {
                assert_eq!(extended.state, full.state, "{path:?} slot {}", entry.seq);
            }
            replay = full;
        }
    }
}
