//! A whole bucket, taken over: a writer writes to it, and maintenance merges and deletes in it. Whatever they find there, they go on
//! or say why not.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use isledb_conformance::InstantHost;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};
use isledb_core::read::ReaderOptions;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Result};

use super::bucket;
use crate::archive::{NOW_MS, PREFIX, store_of, unpack};

pub(super) fn run(input: &[u8]) -> bool {
    let store = store_of(&unpack(input));
    let host = Arc::new(InstantHost::new(NOW_MS, 3));
    let db = Db::open(store, host, PREFIX, DbOptions { probe: false, ..DbOptions::default() }).unwrap();
    block_on(async {
        let wrote = write(&db).await;
        let merged = maintain(&db).await;
        wrote.is_ok() && merged.is_ok()
    })
}

async fn write(db: &Db) -> Result<()> {
    let options =
        WriterOptions { flush_interval: Duration::ZERO, blob_threshold: 64, ..WriterOptions::default() };
    let writer = db.writer(options).await?;
    writer.put(b"new", b"value").await?;
    writer.put(b"newer", &[7; 80]).await?;
    writer.close().await?;
    // What was acknowledged is there, whatever else is damaged; but a get may meet the damage.
    if let Ok(found) = db.reader(ReaderOptions::default()).await?.get(b"new").await {
        assert_eq!(found.as_deref(), Some(&b"value"[..]));
    }
    Ok(())
}

async fn maintain(db: &Db) -> Result<()> {
    let policy =
        MergePolicy { l0_tables: 2, min_runs: 2, max_runs: 3, table_size: 4 << 10, ..MergePolicy::default() };
    let merge = Some(MergeOptions { policy, read_ahead: 64 << 10, ..MergeOptions::default() });
    let options = MaintenanceOptions { merge, ..MaintenanceOptions::default() };
    let mut maintenance = db.maintenance(options).await?;
    for _ in 0..2 {
        maintenance.run_once().await?;
    }
    maintenance.close().await
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    bucket::seeds()
}
