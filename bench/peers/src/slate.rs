//! The rows in SlateDB.

use std::sync::Arc;
use std::time::Duration;

use slatedb::admin::AdminBuilder;
use slatedb::config::{CompactorOptions, CompressionCodec, DbReaderOptions, FlushOptions, FlushType, ScanOptions, Settings};
use slatedb::db_cache::foyer::{FoyerCache, FoyerCacheOptions};
use slatedb::object_store::ObjectStore;
use slatedb::object_store::memory::InMemory;
use slatedb::{Db, DbReader, DbReaderMode, Error, IterationOrder, ValueDeletable, WalReader};

use crate::rows;

/// Where its database is.
pub const PATH: &str = "db";

/// A database of all rows in so many overlapping tables of level 0, and as many files of its write-ahead log.
pub async fn load(tables: u64) -> Result<Arc<dyn ObjectStore>, Error> {
    load_rows(rows::ROWS, tables).await
}

fn settings() -> Settings {
    Settings {
        flush_interval: None,
        l0_sst_size_bytes: 1 << 30,
        max_unflushed_bytes: 2 << 30,
        compactor_options: None,
        garbage_collector_options: None,
        compression_codec: Some(CompressionCodec::Snappy),
        ..Settings::default()
    }
}

/// A database of `total` rows in so many overlapping tables of level 0.
pub async fn load_rows(total: u64, tables: u64) -> Result<Arc<dyn ObjectStore>, Error> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let db = Db::builder(PATH, store.clone()).with_settings(settings()).build().await?;
    for table in 0..tables {
        for i in rows::of(total, table, tables) {
            db.put_bytes(rows::key(i), rows::value(i)).await?;
        }
        for flush_type in [FlushType::Wal, FlushType::MemTable] {
            db.flush_with_options(FlushOptions { flush_type }).await?;
        }
    }
    db.close().await?;
    Ok(store)
}

/// A reader of it whose cache holds all blocks. It reads tables only, as ours does: no log is replayed into memory.
pub async fn warm_reader(store: &Arc<dyn ObjectStore>) -> Result<DbReader, Error> {
    let cache = FoyerCache::new_with_opts(FoyerCacheOptions { max_capacity: rows::CACHE, ..Default::default() });
    let reader = DbReader::builder(PATH, store.clone())
        .with_reader_mode(DbReaderMode::FollowLatest)
        .with_options(DbReaderOptions { skip_wal_replay: true, ..DbReaderOptions::default() })
        .with_db_cache(Arc::new(cache), 1)
        .build()
        .await?;
    assert_eq!(scan(&reader, false).await?, rows::bytes());
    Ok(reader)
}

/// Reads everything; the bytes of keys and values. With the read-ahead that its documentation recommends for long scans.
pub async fn scan(reader: &DbReader, reverse: bool) -> Result<u64, Error> {
    let order = if reverse { IterationOrder::Descending } else { IterationOrder::Ascending };
    let options =
        ScanOptions { read_ahead_bytes: 1 << 20, cache_blocks: true, max_fetch_tasks: 4, order, ..ScanOptions::default() };
    let mut scan = reader.scan_with_options::<std::ops::RangeFull>(.., &options).await?;
    let mut bytes = 0;
    while let Some(entry) = scan.next().await? {
        bytes += (entry.key.len() + entry.value.len()) as u64;
    }
    Ok(bytes)
}

/// Reads its write-ahead log, which is its change feed, from the beginning; the bytes of keys and values.
pub async fn tail(store: &Arc<dyn ObjectStore>) -> Result<u64, Error> {
    let log = WalReader::new(PATH, store.clone());
    let mut bytes = 0;
    for file in log.list(..).await? {
        let mut rows = file.iterator().await?;
        while let Some(row) = rows.next().await? {
            if let ValueDeletable::Value(value) = &row.value {
                bytes += (row.key.len() + value.len()) as u64;
            }
        }
    }
    Ok(bytes)
}

/// Merges all tables of level 0 into one run, by the compactor that runs beside the database, with one worker.
pub async fn merge(store: Arc<dyn ObjectStore>) -> Result<(), Error> {
    let moment = Duration::from_millis(20);
    let compactor =
        CompactorOptions { poll_interval: moment, commit_compacted_interval: moment, ..CompactorOptions::default() };
    let settings = Settings { compactor_options: Some(compactor), ..settings() };
    let db = Db::builder(PATH, store.clone()).with_settings(settings).build().await?;
    let admin = AdminBuilder::new(PATH, store).build();
    loop {
        let manifest = admin.read_manifest(None).await?;
        if manifest.is_some_and(|manifest| manifest.l0().is_empty() && !manifest.compacted().is_empty()) {
            return db.close().await;
        }
        tokio::time::sleep(moment).await;
    }
}
