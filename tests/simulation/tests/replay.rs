//! The plain replay against the original itself: the manifests of 44 buckets, and what the original made of them.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use isledb_simulation::replay::{self, PlainState, PlainTable};
use serde_json::Value;

fn json(path: &Path) -> Option<Value> {
    Some(serde_json::from_slice(&std::fs::read(path).ok()?).unwrap())
}

fn expected_table(table: &Value) -> PlainTable {
    let text = |key: &str| table[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| table[key].as_u64().unwrap();
    let key = |name: &str| BASE64_STANDARD.decode(text(name)).unwrap();
    PlainTable {
        id: text("id"),
        epoch: number("epoch"),
        sequences: (number("seq_lo"), number("seq_hi")),
        keys: (key("min_key"), key("max_key")),
        size: number("size"),
        level: table["level"].as_i64().unwrap(),
    }
}

fn expected_tables(tables: &Value) -> Vec<Arc<PlainTable>> {
    tables.as_array().into_iter().flatten().map(|table| Arc::new(expected_table(table))).collect()
}

#[test]
fn it_agrees_with_the_original_on_every_bucket() {
    let buckets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/buckets");
    let mut seen = 0;
    for bucket in std::fs::read_dir(buckets).unwrap().map(|entry| entry.unwrap().path()) {
        let Some(expected) = json(&bucket.join("expected.json")) else { continue };
        let prefix = expected["prefix"].as_str().unwrap().trim_end_matches('/');
        let root = bucket.join("bucket");
        let object = |key: &str| json(&root.join(key));
        let manifest = if prefix.is_empty() { "manifest".to_owned() } else { format!("{prefix}/manifest") };
        let log = |slot: u64| object(&format!("{manifest}/log/{slot:020}.json"));
        let Some(current) = object(&format!("{manifest}/CURRENT")) else {
            assert_eq!(expected["l0_count"], 0, "{}: no CURRENT", bucket.display());
            continue;
        };
        let snapshot = |key: &str| object(key).as_ref().map(PlainState::of_snapshot);
        let state = replay::full(&current, snapshot, log).unwrap();
        let at = bucket.display();
        assert_eq!(state.l0, expected_tables(&expected["l0"]), "{at}");
        let runs: Vec<_> = expected["runs"].as_array().into_iter().flatten().collect();
        let runs: Vec<_> = runs
            .into_iter()
            .map(|run| (run["id"].as_u64().unwrap(), expected_tables(&run["ssts"])))
            .collect();
        assert_eq!(state.runs, runs, "{at}");
        assert_eq!(
            (state.next_epoch, state.log_seq),
            (expected["next_epoch"].as_u64().unwrap(), expected["log_seq"].as_u64().unwrap()),
            "{at}"
        );
        seen += 1;
    }
    assert!(seen >= 40, "{seen} buckets");
}
