//! The feed of databases that the original wrote is what was done to them.

#![allow(clippy::unwrap_used, reason = "a test")]

mod bucket;

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::tail::{ChangeOp, TailOptions, TailStart, Tailer};
use serde_json::Value as Json;

use bucket::{TestClock, base64, fixtures, load, source};

/// A field that is not there is empty.
fn bytes(op: &Json, field: &str) -> Bytes {
    op[field].as_str().map(base64).unwrap_or_default().into()
}

fn value(op: &Json) -> Bytes {
    let Some(repeat) = op.get("value_repeat") else { return bytes(op, "value") };
    let (unit, length) = (bytes(repeat, "unit"), repeat["len"].as_u64().unwrap() as usize);
    unit.iter().copied().cycle().take(length).collect::<Vec<u8>>().into()
}

#[test]
fn the_feed_is_the_list_of_operations() {
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
        let folder = fixtures().join(name);
        let clock = TestClock::new();
        let store = load(&folder.join("bucket"), clock.clone());
        let expected: Json =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let source = source(Arc::new(store), clock, expected["prefix"].as_str().unwrap());
        let options =
            TailOptions { start: TailStart::Begin, max_buffer_bytes: 100_000, ..TailOptions::default() };
        let changes = block_on(async {
            let mut tailer = Tailer::open(source, options).await.unwrap();
            let mut changes = Vec::new();
            while let Some(change) = tailer.try_next().await.unwrap() {
                changes.push(change);
            }
            changes
        });

        let text = fs::read_to_string(folder.join("ops.ndjson")).unwrap();
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
