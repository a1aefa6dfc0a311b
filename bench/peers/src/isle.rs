//! The rows in isledb.

use std::sync::Arc;

use isledb::host::MemoryStore;
use isledb::maintain::MaintenanceOptions;
use isledb::read::{Reader, ReaderOptions, Scan, ScanOptions, TryNext};
use isledb::tail::{TailOptions, TailStart};
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, Result, TokioHost};

use crate::rows;

/// A database of all rows in so many overlapping tables.
pub async fn load(tables: u64) -> Result<Db> {
    load_rows(rows::ROWS, tables).await
}

/// A database of `total` rows in so many overlapping tables.
pub async fn load_rows(total: u64, tables: u64) -> Result<Db> {
    let host = Arc::new(TokioHost::new());
    let options = DbOptions { cache_bytes: rows::CACHE, ..DbOptions::default() };
    let db = Db::open(Arc::new(MemoryStore::new(host.clone())), host, "db", options)?;
    let options = WriterOptions { memtable_size: 1 << 30, ..WriterOptions::default() };
    let writer = db.writer(options).await?;
    for table in 0..tables {
        for i in rows::of(total, table, tables) {
            writer.put(&rows::key(i), &rows::value(i)).await?;
        }
        writer.flush().await?;
    }
    writer.close().await?;
    Ok(db)
}

/// A reader of it whose cache holds all blocks.
pub async fn warm_reader(db: &Db) -> Result<Reader> {
    let reader = db.reader(ReaderOptions::default()).await?;
    assert_eq!(scan(&reader, false).await?, rows::bytes());
    Ok(reader)
}

/// Reads everything; the bytes of keys and values.
pub async fn scan(reader: &Reader, reverse: bool) -> Result<u64> {
    let mut scan: Scan = reader.scan(ScanOptions { reverse, ..ScanOptions::default() }).await?;
    let mut bytes = 0;
    loop {
        let entry = match scan.try_next()? {
            TryNext::Entry(entry) => entry,
            TryNext::End => return Ok(bytes),
            TryNext::Wait => match scan.next().await? {
                Some(entry) => entry,
                None => return Ok(bytes),
            },
        };
        bytes += (entry.key.len() + entry.value.len()) as u64;
    }
}

/// Follows the change feed from its beginning; the bytes of keys and values.
pub async fn tail(db: &Db) -> Result<u64> {
    let options = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
    let mut tailer = db.tailer(options).await?;
    let mut bytes = 0;
    while let Some(change) = tailer.try_next().await? {
        if let isledb::tail::ChangeOp::Put { value, .. } = change.op {
            bytes += (change.key.len() + value.len()) as u64;
        }
    }
    Ok(bytes)
}

/// Merges all tables into one run; how many rows were read.
pub async fn merge(db: &Db) -> Result<u64> {
    let mut owner = db.maintenance(MaintenanceOptions { gc: None, ..MaintenanceOptions::default() }).await?;
    let report = owner.merge_everything().await?;
    Ok(report.merges.iter().map(|merge| merge.entries_read).sum())
}
