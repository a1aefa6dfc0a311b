//! The feed of databases that the original wrote is what was done to them.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::*;

/// A field that is not there is empty.
fn bytes(op: &Json, field: &str) -> Bytes {
    op[field].as_str().map(|text| STANDARD.decode(text).unwrap()).unwrap_or_default().into()
}

fn value(op: &Json) -> Bytes {
    let Some(repeat) = op.get("value_repeat") else { return bytes(op, "value") };
    let (unit, length) = (bytes(repeat, "unit"), repeat["len"].as_u64().unwrap() as usize);
    unit.iter().copied().cycle().take(length).collect::<Vec<u8>>().into()
}

fn load(folder: &Path, prefix: &str, store: &MemoryStore) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            load(&entry.path(), &key, store);
        } else if !key.ends_with(".attrs") {
            let body = fs::read(entry.path()).unwrap();
            block_on(store.put(&key, body.into(), PutCondition::None)).unwrap();
        }
    }
}

#[test]
fn the_feed_is_the_list_of_operations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/buckets");
    for name in [
        "blobs-compacted",
        "blobs-default",
        "edge-keys",
        "everything",
        "flush-zstd",
        "get-scan-disagree",
        "l0-many",
        "multi-version",
        "prefix-empty",
        "rotated",
        "several-runs-and-l0",
        "three-claims",
        "tombstones-compacted",
        "ttl",
        "two-level-snappy",
    ] {
        let clock = VirtualClock::at_unix_ms(1_800_000_000_000);
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        load(&root.join(name).join("bucket"), "", &memory);
        let expected: Json =
            serde_json::from_slice(&fs::read(root.join(name).join("expected.json")).unwrap()).unwrap();
        let layout = Layout::new(expected["prefix"].as_str().unwrap()).unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(memory);
        let options =
            TailOptions { start: TailStart::Begin, max_buffer_bytes: 100_000, ..TailOptions::default() };
        let mut tailer = block_on(Tailer::open(source(&store, &clock, &layout), options)).unwrap();
        let changes = drain(&mut tailer);

        let text = fs::read_to_string(root.join(name).join("ops.ndjson")).unwrap();
        let mut refused = false;
        let mut done = Vec::new();
        for op in text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
            match op["op"].as_str().unwrap() {
                _ if std::mem::take(&mut refused) => {}
                "expect_error" => refused = true,
                "put" => done.push((bytes(&op, "key"), Some(value(&op)), op["ttl_ms"].is_u64())),
                "del" => done.push((bytes(&op, "key"), None, false)),
                _ => {}
            }
        }
        let found: Vec<_> = changes
            .iter()
            .map(|change| match &change.op {
                ChangeOp::Put { value, expires_at_ms } => {
                    (change.key.clone(), Some(value.clone()), expires_at_ms.is_some())
                }
                ChangeOp::Delete => (change.key.clone(), None, false),
            })
            .collect();
        assert_eq!(found.len(), done.len(), "{name}");
        assert!(found == done, "{name}");
        assert!(changes.is_sorted_by_key(|change| change.sequence), "{name}");
    }
}
