//! Tables that a merge wrote: of flushes with overwrites, deletes, expiries and blobs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::host::{Host, MemoryStore};
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};
use isledb_core::maybe::BoxFuture;
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions};

use crate::pebble;

struct Clock(AtomicU64);

impl Host for Clock {
    fn now_unix_ns(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::Relaxed)
    }
    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }
    fn fill_random(&self, buf: &mut [u8]) {
        let n = self.now_unix_ns().to_le_bytes();
        buf.iter_mut().zip(n.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration < Duration::from_secs(1) {
            return Box::pin(futures::future::ready(()));
        }
        Box::pin(futures::future::pending())
    }
}

/// The bytes of every table that merges of a small history leave: some with deletes that still hide something.
fn tables() -> Vec<Bytes> {
    let host: Arc<dyn Host> = Arc::new(Clock(AtomicU64::new(1_800_000_000_000_000_000)));
    let store = Arc::new(MemoryStore::new(host.clone()));
    let db = Db::open(store, host, "db", DbOptions::default()).unwrap();
    block_on(async {
        let writer =
            db.writer(WriterOptions { blob_threshold: 500, ..WriterOptions::default() }).await.unwrap();
        let policy = MergePolicy { l0_tables: 2, table_size: 32 << 10, ..MergePolicy::default() };
        let merge = Some(MergeOptions { policy, ..MergeOptions::default() });
        let options = MaintenanceOptions { merge, ..MaintenanceOptions::default() };
        let mut owner = db.maintenance(options).await.unwrap();
        for round in 0..4_u32 {
            for n in 0..4_000_u32 {
                let key = format!("key{:06}", n * 7 % 4_000);
                match (n + round) % 9 {
                    0 => writer.delete(key.as_bytes()).await.unwrap(),
                    1 if n % 50 == 0 => writer.put(key.as_bytes(), &[round as u8; 600]).await.unwrap(),
                    2 => {
                        let year = Duration::from_secs(365 * 86_400);
                        writer.put_with_ttl(key.as_bytes(), b"for a year", year).await.unwrap()
                    }
                    _ => {
                        writer.put(key.as_bytes(), format!("value {n} of {round}").as_bytes()).await.unwrap()
                    }
                };
            }
            writer.flush().await.unwrap();
            owner.run_once().await.unwrap();
        }
        let view = db.load_view().await.unwrap();
        let ssts: Vec<_> = view.state().runs.iter().flat_map(|run| run.ssts.clone()).collect();
        assert!(
            ssts.iter().any(|sst| sst.has_blob_refs) && ssts.iter().any(|sst| sst.delete_count > Some(0))
        );
        let mut tables = Vec::new();
        for sst in ssts {
            let object = db.requests().get(&db.layout().sst(&sst.id)).await.unwrap().body;
            tables.push(object.slice(..sst.size as usize));
        }
        tables
    })
}

pub(crate) fn pebble_lists_them(program: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables();
    assert!(tables.len() > 2, "{} tables", tables.len());
    for (i, table) in tables.into_iter().enumerate() {
        let file = folder.path().join(format!("{i}.sst"));
        std::fs::write(&file, &table).unwrap();
        pebble::lists_as_we_do(program, &file);
    }
}
