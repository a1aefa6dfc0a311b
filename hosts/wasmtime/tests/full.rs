//! The larger component: it writes what readers and tailers of other guests see, and keeps the database small.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod guests;

use std::sync::Arc;

use isledb::read::ReaderOptions;
use isledb::{Db, DbOptions, TokioHost};
use isledb_wasmtime::{
    Database, MaintenanceOptions, Tail, TailOptions, TailStart, Write, Writer, WriterOptions, run_maintenance,
};

use guests::{component, memory, open_options, place};

fn writer_options() -> WriterOptions {
    WriterOptions {
        owner: Some("guest".to_owned()),
        takeover: None,
        memtable_bytes: None,
        blob_threshold_bytes: Some(4_000),
    }
}

fn from_the_beginning() -> TailOptions {
    TailOptions {
        start: TailStart::Begin,
        prefix: None,
        start_key: None,
        end_key: None,
        poll_ms: Some(5),
        idle_poll_ms: Some(20),
        max_buffer_bytes: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer_reader_tailer_and_maintenance_share_a_database() {
    let component = component(isledb_component_build::FULL);
    let store = memory();
    let here = || place(store.clone(), "db");
    let writer = Writer::open(&component, here(), open_options(), writer_options()).await.unwrap();
    let mut tail = Tail::open(&component, here(), open_options(), from_the_beginning()).await.unwrap();
    let database = Database::open(&component, here(), open_options()).await.unwrap();

    let mut last = 0;
    for round in 0..10_u32 {
        writer.put(format!("key/{round:02}"), vec![round as u8; 100]).await.unwrap();
        let batch = vec![
            Write { key: b"latest".to_vec(), value: Some(round.to_string().into_bytes()), ttl_ms: None },
            Write { key: b"large".to_vec(), value: Some(vec![7; 5_000 + round as usize]), ttl_ms: None },
            Write {
                key: format!("key/{:02}", round.wrapping_sub(2)).into_bytes(),
                value: None,
                ttl_ms: None,
            },
        ];
        last = writer.apply(batch).await.unwrap();
        assert_eq!(writer.flush().await.unwrap(), last);
    }
    assert_eq!(writer.committed_sequence().await.unwrap(), last);
    database.wait_for(last).await.unwrap();
    assert_eq!(database.get("latest").await.unwrap(), Some(b"9".to_vec()));
    assert_eq!(database.get("large").await.unwrap().map(|value| value.len()), Some(5_009));
    let keys: Vec<Vec<u8>> = (0..10).map(|i| format!("key/{i:02}").into_bytes()).collect();
    let found = database.get_many(keys).await.unwrap();
    assert_eq!(found.iter().filter(|value| value.is_some()).count(), 2, "the others were deleted");

    let mut changes = Vec::new();
    while changes.len() < 40 {
        changes.extend(tail.next_batch(7, 1 << 20).await.unwrap());
    }
    let sequences: Vec<u64> = changes.iter().map(|change| change.sequence).collect();
    assert_eq!(sequences, (last - 39..=last).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(changes.iter().filter(|change| change.value.is_none()).count(), 10);
    assert_eq!(tail.cursor().await.unwrap(), changes[39].cursor);
    assert!(tail.poll(10, 1 << 20).await.unwrap().is_empty());

    let options = || MaintenanceOptions {
        owner: None,
        merge: None,
        gc: None,
        max_requests: None,
        max_memory_bytes: None,
    };
    let poor = MaintenanceOptions { max_memory_bytes: Some(1_000), ..options() };
    let refused = run_maintenance(&component, here(), open_options(), poor).await.unwrap_err();
    assert_eq!(refused.code(), Some("over-budget"));
    assert!(refused.to_string().contains("max_memory_bytes"), "{refused}");
    let idle = MaintenanceOptions { max_requests: Some(3), ..options() };
    let refused = run_maintenance(&component, here(), open_options(), idle).await.unwrap_err();
    assert!(refused.to_string().contains("max_requests"), "{refused}");
    let report = run_maintenance(&component, here(), open_options(), options()).await.unwrap();
    assert_eq!((report.merges, report.merges_left, report.over_budget.clone()), (1, 0, None), "{report:?}");
    assert!(report.tables_read == 10 && report.requests > 10, "{report:?}");

    // What the guests did is a database to everybody.
    let db = Db::open(store.clone(), Arc::new(TokioHost::new()), "db", DbOptions::default()).unwrap();
    let native = db.reader(ReaderOptions::default()).await.unwrap();
    assert_eq!(native.get(b"latest").await.unwrap().as_deref(), Some(&b"9"[..]));
    assert_eq!(native.view().manifest().state().tables().count(), 1);
    writer.put("after", "1").await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(writer.put("closed", "1").await.unwrap_err().code(), Some("closed"));

    let other = Writer::open(&component, here(), open_options(), writer_options()).await.unwrap();
    let newest = Writer::open(&component, here(), open_options(), writer_options()).await.unwrap();
    other.put("k", "v").await.unwrap();
    assert_eq!(other.flush().await.unwrap_err().code(), Some("fenced"));
    newest.close().await.unwrap();
}
