//! On targets with threads every future of the engine may be spawned on any executor: a proof by compiling.

#![cfg(feature = "write")]

use std::time::Duration;

use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::tail::TailOptions;
use isledb_core::write::{WriteBatch, WriterOptions};
use isledb_core::{Db, Result};

fn spawned<T: Send + 'static>(future: T) -> T {
    future
}

async fn write(db: Db) -> Result<()> {
    let writer = db.writer(WriterOptions::default()).await?;
    writer.put(b"k", b"v").await?;
    writer.put_with_ttl(b"k", b"v", Duration::from_secs(1)).await?;
    writer.delete(b"k").await?;
    let sequence = writer.write(WriteBatch::new()).await?;
    writer.wait_committed(sequence).await?;
    writer.flush().await?;
    writer.run().await?;
    writer.close().await
}

async fn read(db: Db) -> Result<()> {
    let reader = db.reader(ReaderOptions::default()).await?;
    reader.refresh().await?;
    reader.get(b"k").await?;
    reader.get_entry(b"k").await?;
    reader.wait_for(1).await?;
    let mut scan = reader.scan(ScanOptions::default()).await?;
    scan.next().await?;
    reader.scoped().view().get(b"k").await?;
    Ok(())
}

async fn tail(db: Db) -> Result<()> {
    let mut tailer = db.tailer(TailOptions::default()).await?;
    tailer.try_next().await?;
    tailer.next().await?;
    drop(spawned(tailer.into_stream()));
    Ok(())
}

/// Never called: that it compiles is the test.
#[test]
fn every_future_may_change_threads() {
    let _proof = |db: Db| {
        drop(spawned(write(db.clone())));
        drop(spawned(read(db.clone())));
        drop(spawned(tail(db)));
    };
}
