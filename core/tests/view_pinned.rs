//! A pinned view never changes: whatever is written, flushed, merged and collected meanwhile, for as long as it may be read.

#![cfg(feature = "maintain")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod host;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_core::maintain::{Maintenance, MaintenanceOptions};
use isledb_core::read::{CatchUpOptions, Coordinator, ReaderOptions, ScanOptions, View};
use isledb_core::write::{Writer, WriterOptions};
use isledb_core::{Db, DbOptions, Error};
use proptest::collection::vec;
use proptest::prelude::*;

use host::TestHost;

const KEYS: u8 = 12;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Clone)]
enum Step {
    /// Writes, `None` deletes, and commits them.
    Flush(Vec<(u8, Option<u16>)>),
    /// Merges every table into one run.
    Merge,
    /// What maintenance finds due.
    Maintain,
    Pin,
    /// A view moves on.
    Renew(usize),
    Advance(u64),
    /// Reads all that is pinned.
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec((0..KEYS, proptest::option::weighted(0.8, any::<u16>())), 1..8).prop_map(Step::Flush),
        2 => Just(Step::Merge),
        1 => Just(Step::Maintain),
        3 => Just(Step::Pin),
        1 => (0..8_usize).prop_map(Step::Renew),
        2 => (1..1_500_u64).prop_map(Step::Advance),
        4 => Just(Step::Read),
    ]
}

fn key(n: u8) -> Vec<u8> {
    format!("{}/{n:02}", n % 3).into_bytes()
}

/// Every other value lies in an object of its own.
fn value(n: u16) -> Vec<u8> {
    n.to_le_bytes().repeat(if n.is_multiple_of(2) { 100 } else { 10 })
}

struct World {
    host: TestHost,
    writer: Writer,
    maintenance: Maintenance,
    coordinator: Coordinator,
    committed: State,
    pinned: Vec<(View, State)>,
}

impl World {
    async fn new() -> World {
        let host = TestHost::new();
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(host.clone())));
        // No cache to speak of: what a view needs must be there.
        let options = DbOptions { cache_bytes: 1, probe: false, ..DbOptions::default() };
        let db = Db::open(store, Arc::new(host.clone()), "db", options).unwrap();
        let table = TableOptions { block_size: 64, ..TableOptions::default() };
        let writer = db
            .writer(WriterOptions { blob_threshold: 150, table, ..WriterOptions::default() })
            .await
            .unwrap();
        let maintenance = db.maintenance(MaintenanceOptions::default()).await.unwrap();
        let coordinator = db.coordinator(ReaderOptions::default()).await.unwrap();
        World { host, writer, maintenance, coordinator, committed: State::new(), pinned: Vec::new() }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Flush(writes) => {
                for (n, written) in writes {
                    match written {
                        Some(written) => {
                            self.writer.put(&key(n), &value(written)).await.unwrap();
                            self.committed.insert(key(n), value(written));
                        }
                        None => {
                            self.writer.delete(&key(n)).await.unwrap();
                            self.committed.remove(&key(n));
                        }
                    }
                }
                self.writer.flush().await.unwrap();
            }
            Step::Merge => drop(self.maintenance.merge_everything().await.unwrap()),
            Step::Maintain => drop(self.maintenance.run_once().await.unwrap()),
            Step::Pin => {
                let (view, _) = self.coordinator.refresh().await.unwrap();
                self.pinned.push((view, self.committed.clone()));
            }
            Step::Renew(i) => {
                if let Some(i) = i.checked_rem(self.pinned.len()) {
                    self.host.advance(Duration::from_secs(2));
                    self.pinned[i] = (self.pinned[i].0.renew().await.unwrap(), self.committed.clone());
                }
            }
            Step::Advance(seconds) => self.host.advance(Duration::from_secs(seconds)),
            Step::Read => {
                for (view, state) in &self.pinned {
                    check(view, state).await;
                }
            }
        }
    }
}

async fn check(view: &View, state: &State) {
    if view.expires_in_ms() == 0 {
        let error = view.get(&key(0)).await.unwrap_err();
        assert!(matches!(error, Error::ViewExpired { .. }), "{error}");
        return;
    }
    for n in 0..KEYS {
        assert_eq!(view.get(&key(n)).await.unwrap().as_deref(), state.get(&key(n)).map(|value| &value[..]));
    }
    for prefix in ["", "0/", "2/"] {
        let mut scan = view.scan(&ScanOptions::prefix(prefix));
        let expected = state.iter().filter(|(key, _)| key.starts_with(prefix.as_bytes()));
        for (key, value) in expected {
            let entry = scan.next().await.unwrap().unwrap();
            assert_eq!((&entry.key[..], &entry.value[..]), (&key[..], &value[..]));
        }
        assert_eq!(scan.next().await.unwrap(), None);
    }
    let options = CatchUpOptions { start_after_key: Some(Bytes::from("1")), ..CatchUpOptions::default() };
    let caught_up = view.catch_up(&options, async |_| Ok::<_, Error>(())).await.unwrap();
    assert_eq!(caught_up.count as usize, state.keys().filter(|key| key[..] > b"1"[..]).count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_pinned_view_never_changes(steps in vec(step(), 1..40)) {
        block_on(async {
            let mut world = World::new().await;
            for step in steps.into_iter().chain([Step::Read]) {
                world.step(step).await;
            }
        });
    }
}
