//! A run of maintenance over 64 MiB of tables in a guest that is stopped when it wants more than 128 MiB.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod guests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use isledb::read::{ReaderOptions, ScanOptions};
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_wasmtime::{EngineOptions, MaintenanceOptions, run_maintenance};

use guests::{engine, memory, open_options, place};

const LIMIT: u64 = 128 << 20;
const FLUSHES: u32 = 16;
const ROWS: u32 = 4_000;

/// Bytes that no codec makes smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_of_64_mib_stays_within_128() {
    let store = memory();
    let db = Db::open(store.clone(), Arc::new(TokioHost::new()), "db", DbOptions::default()).unwrap();
    let options = WriterOptions { memtable_size: 64 << 20, ..WriterOptions::default() };
    let writer = db.writer(options).await.unwrap();
    let mut model = BTreeMap::new();
    for flush in 0..FLUSHES {
        for row in 0..ROWS {
            // Each table has keys within the ranges of all others.
            let key = format!("key/{:06}", (row * FLUSHES + flush * 7_919) % (ROWS * FLUSHES * 2));
            let length = if row % 100 == 0 { 10_000 } else { 900 };
            let value = noise(u64::from(flush * ROWS + row), length);
            writer.put(key.as_bytes(), &value).await.unwrap();
            model.insert(Bytes::from(key), Bytes::from(value));
        }
        writer.flush().await.unwrap();
    }
    writer.close().await.unwrap();

    let small = engine(EngineOptions { memory_bytes: LIMIT, ..EngineOptions::default() });
    let component = small.load_file(guests::component_file(isledb_component_build::FULL)).unwrap();
    let options = || MaintenanceOptions {
        owner: None,
        merge: None,
        gc: None,
        max_requests: None,
        max_memory_bytes: None,
    };
    let reader = db.reader(ReaderOptions::default()).await.unwrap();

    // What does not fit is refused with what it needs, and nothing was written for it.
    let poor = MaintenanceOptions { max_memory_bytes: Some(1 << 20), ..options() };
    let refused =
        run_maintenance(&component, place(store.clone(), "db"), open_options(), poor).await.unwrap_err();
    assert_eq!(refused.code(), Some("over-budget"));
    let need = refused.to_string();
    assert!(need.contains("max_memory_bytes"), "{need}");
    reader.refresh().await.unwrap();
    assert_eq!(reader.view().manifest().state().tables().count(), FLUSHES as usize);

    let report =
        run_maintenance(&component, place(store.clone(), "db"), open_options(), options()).await.unwrap();
    assert_eq!((report.merges, report.tables_read), (1, u64::from(FLUSHES)), "{report:?}");
    assert!(report.bytes_read > 60 << 20, "{report:?}");
    reader.refresh().await.unwrap();
    let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
    let mut shown = BTreeMap::new();
    while let Some(entry) = scan.next().await.unwrap() {
        shown.insert(entry.key, entry.value);
    }
    assert!(shown == model, "{} keys of {}", shown.len(), model.len());
}
