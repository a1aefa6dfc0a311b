//! The commit protocol, step by step, over a manifest storage that fails as told.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod claiming;
mod faulty;
mod lsn;
mod publishing;
mod settling;
mod snapshots;

use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;

use self::faulty::Faulty;
use super::publish::Attempt;
use super::{ClaimOptions, Draft, ManifestStorage, ManifestView, Published, Publisher};
use crate::error::Result;
use crate::format::layout::Layout;
use crate::format::manifest::{Role, SstMeta};
use crate::host::testing::VirtualClock;
use crate::host::{Host, Moment};

/// One database in memory, and the clock of everybody who works on it.
struct Bench {
    clock: VirtualClock,
    storage: Arc<Faulty>,
}

impl Bench {
    fn new() -> Bench {
        let clock = VirtualClock::at_unix_ms(1_790_000_000_000);
        let layout = Layout::new("db").unwrap();
        Bench { clock: clock.clone(), storage: Arc::new(Faulty::new(layout)) }
    }

    fn host(&self) -> Arc<dyn Host> {
        Arc::new(self.clock.clone())
    }

    fn view(&self) -> ManifestView {
        block_on(ManifestView::load(self.storage.as_ref(), &self.clock)).unwrap()
    }

    fn try_claim(&self, owner: &str, options: ClaimOptions) -> Result<Publisher> {
        let options = ClaimOptions { owner: owner.to_owned(), deadline_ms: 5_000, ..options };
        let storage: Arc<dyn ManifestStorage> = self.storage.clone();
        block_on(async {
            let view = ManifestView::load(storage.as_ref(), &self.clock).await?;
            let view = Publisher::prepare_claim(storage.as_ref(), &self.clock, view).await?;
            Publisher::claim(storage, self.host(), Role::Writer, &options, view).await
        })
    }

    fn claim(&self, owner: &str) -> Publisher {
        self.try_claim(owner, ClaimOptions::default()).unwrap()
    }

    fn flush(&self, seq_lo: u64, seq_hi: u64) -> Draft {
        Draft::flush(Arc::new(table(seq_lo, seq_hi)), Moment::now(&self.clock))
    }

    fn ids(&self) -> Vec<String> {
        let view = self.view();
        let ids: Vec<String> = view.state().l0.iter().map(|table| table.id.clone()).collect();
        let replayed = block_on(self.storage.replay_as_the_original());
        assert_eq!(ids, replayed, "the original's replay rule gives the same tables");
        ids
    }
}

fn table(seq_lo: u64, seq_hi: u64) -> SstMeta {
    SstMeta {
        id: format!("1-{seq_lo}-{seq_hi}-1.sst"),
        epoch: 1,
        seq_lo,
        seq_hi,
        min_key: Bytes::from_static(b"a"),
        max_key: Bytes::from_static(b"z"),
        size: 1_000,
        checksum: format!("sha256:{}", "00".repeat(32)),
        ..SstMeta::default()
    }
}

fn committed(attempt: Result<Attempt>) -> Published {
    match attempt {
        Ok(Attempt::Committed(published)) => *published,
        other => panic!("not committed: {other:?}"),
    }
}
