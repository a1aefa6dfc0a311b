//! On targets with threads every future of the engine may be spawned on any executor: a proof by compiling.

#![cfg(feature = "write")]

use std::time::Duration;

use isledb_core::read::{CatchUpOptions, ReaderOptions, ScanOptions, TailingReaderOptions};
use isledb_core::tail::TailOptions;
use isledb_core::verify::VerifyOptions;
use isledb_core::write::{WriteBatch, WriterOptions};
use isledb_core::{Db, Error, Result};

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
    scan.prev().await?;
    reader.get_many(&[]).await?;
    reader.view().get_many_entries(&[]).await?;
    reader.warm(&ScanOptions::default()).await?;
    reader.view().prefetch(&ScanOptions::default(), 1).await?;
    if let Some(mut stream) = reader.get_stream(b"k").await? {
        stream.next().await?;
    }
    reader.scoped().view().get(b"k").await?;
    reader.view().why(b"k").await?;
    db.verification(VerifyOptions::default())?.run(drop).await?;
    Ok(())
}

async fn tail(db: Db) -> Result<()> {
    let mut tailer = db.tailer(TailOptions::default()).await?;
    tailer.try_next().await?;
    tailer.next().await?;
    tailer.next_batch(1, 1).await?;
    drop(spawned(tailer.into_stream()));
    Ok(())
}

async fn coordinate(db: Db) -> Result<()> {
    let coordinator = db.coordinator(ReaderOptions::default()).await?;
    let (view, _) = coordinator.refresh().await?;
    view.renew().await?;
    coordinator.tailer(TailOptions::default()).await?.next().await?;
    let options = CatchUpOptions::default();
    view.catch_up(&options, |_| async { Ok::<_, Error>(()) }).await.map_err(|stopped| stopped.cause)?;
    let tailing = db.tailing_reader(TailingReaderOptions::default()).await?;
    tailing.catch_up(&options, async |_| Ok::<_, Error>(())).await.map_err(|stopped| stopped.cause)?;
    tailing.tail(&options, async |_| Ok::<_, Error>(())).await.map_err(|stopped| stopped.cause)?;
    Ok(())
}

/// Never called: that it compiles is the test.
#[test]
fn every_future_may_change_threads() {
    let _proof = |db: Db| {
        drop(spawned(write(db.clone())));
        drop(spawned(read(db.clone())));
        drop(spawned(tail(db.clone())));
        drop(spawned(coordinate(db)));
    };
}
