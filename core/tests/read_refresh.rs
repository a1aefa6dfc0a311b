//! Refreshes that are shared, and views that are renewed: what they cost, and what they show.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::join_all;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MemoryStore, Meter, Metered, MultipartUpload, ObjectMeta, ObjectStore,
    PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::{Coordinator, ReaderOptions, ScanOptions, View};
use isledb_core::{Error, Result};

use bucket::made::Made;
use bucket::{TestClock, source};

const MAX_VIEW_AGE_MS: u64 = 3_600_000;

/// Answers are made at once, and held back while the gate is shut.
#[derive(Clone)]
struct Gate {
    inner: MemoryStore,
    shut: Arc<Mutex<Option<Vec<oneshot::Sender<()>>>>>,
}

impl Gate {
    fn shut(&self) {
        *self.shut.lock().unwrap() = Some(Vec::new());
    }

    fn open(&self) {
        for held in self.shut.lock().unwrap().take().unwrap() {
            held.send(()).ok();
        }
    }
}

impl ObjectStore for Gate {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let answer = self.inner.get(key, options).await;
            let held = self.shut.lock().unwrap().as_mut().map(|held| {
                let (sender, receiver) = oneshot::channel();
                held.push(sender);
                receiver
            });
            if let Some(held) = held {
                held.await.ok();
            }
            answer
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.inner.head(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.inner.put(key, body, condition)
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}

struct Bench {
    made: Made,
    clock: Arc<TestClock>,
    gate: Gate,
    meter: Meter,
    coordinator: Coordinator,
    committed: u64,
}

impl Bench {
    fn new() -> Bench {
        let mut made = Made::new(MemoryStore::new(TestClock::new()));
        made.publish();
        let clock = TestClock::new();
        let gate = Gate { inner: made.store.clone(), shut: Arc::default() };
        let store = Metered::new(Arc::new(gate.clone()));
        let meter = store.meter();
        let source = source(Arc::new(store), clock.clone(), "db");
        let coordinator = block_on(Coordinator::open(source, ReaderOptions::default())).unwrap();
        Bench { made, clock, gate, meter, coordinator, committed: 0 }
    }

    /// Commits one key more.
    fn commit(&mut self) {
        self.committed += 1;
        let (key, value) = (format!("k{}", self.committed), &b"v"[..]);
        let entries = [(key.as_bytes(), self.committed, Some(value))];
        let meta = self.made.table(TableOptions::default(), entries);
        self.made.add(&meta);
        self.made.publish();
    }

    /// Requests since the last time.
    fn requests(&self, since: &mut u64) -> u64 {
        let now = self.meter.cost().requests();
        now - std::mem::replace(since, now)
    }
}

/// How many keys it has.
fn shown(view: &View) -> u64 {
    view.manifest().next_sequence() - 1
}

fn poll<T>(future: &mut BoxFuture<'_, T>) -> Option<T> {
    // A turn to begin, one to send.
    for _ in 0..3 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(done);
        }
    }
    None
}

#[test]
fn those_who_refresh_at_the_same_time_send_one_request() {
    let mut bench = Bench::new();
    bench.commit();
    let mut requests = bench.meter.cost().requests();
    let refreshed = block_on(join_all((0..50).map(|_| bench.coordinator.refresh())));
    assert_eq!(bench.requests(&mut requests), 1);
    for refreshed in refreshed {
        let (view, changed) = refreshed.unwrap();
        assert_eq!((shown(&view), changed), (1, true));
    }
    let again = block_on(join_all((0..50).map(|_| bench.coordinator.refresh())));
    assert_eq!(bench.requests(&mut requests), 1);
    assert!(again.into_iter().all(|refreshed| !refreshed.unwrap().1));
}

#[test]
fn who_asks_while_a_request_is_under_way_gets_what_was_committed_before_it_asked() {
    let mut bench = Bench::new();
    let mut requests = bench.meter.cost().requests();
    bench.gate.shut();
    let coordinator = bench.coordinator.clone();
    let mut first: BoxFuture<'_, _> = Box::pin(coordinator.refresh());
    assert!(poll(&mut first).is_none());
    // The store has answered the first one already.
    bench.commit();
    let mut later: Vec<BoxFuture<'_, _>> =
        (0..50).map(|_| -> BoxFuture<'_, _> { Box::pin(coordinator.refresh()) }).collect();
    assert!(later.iter_mut().all(|refresh| poll(refresh).is_none()));
    assert_eq!(bench.requests(&mut requests), 1);
    bench.gate.open();
    let (view, changed) = block_on(first).unwrap();
    assert_eq!((shown(&view), changed), (0, false));
    for refreshed in block_on(join_all(later)) {
        let (view, changed) = refreshed.unwrap();
        assert_eq!((shown(&view), changed), (1, true));
    }
    assert_eq!(bench.requests(&mut requests), 1, "one more for all of them");
}

#[test]
fn a_refresh_that_is_dropped_keeps_nobody_waiting() {
    let mut bench = Bench::new();
    bench.gate.shut();
    let coordinator = bench.coordinator.clone();
    let (mut first, mut second): (BoxFuture<'_, _>, BoxFuture<'_, _>) =
        (Box::pin(coordinator.refresh()), Box::pin(coordinator.refresh()));
    assert!(poll(&mut first).is_none());
    bench.commit();
    assert!(poll(&mut second).is_none());
    drop(first);
    bench.gate.open();
    assert_eq!(shown(&block_on(second).unwrap().0), 1);
}

#[test]
fn scopes_share_views_and_wait_for_no_request_of_each_other() {
    let mut bench = Bench::new();
    let mut requests = bench.meter.cost().requests();
    bench.commit();
    let (one, other) = (bench.coordinator.clone(), bench.coordinator.scoped());
    bench.gate.shut();
    let mut held: BoxFuture<'_, _> = Box::pin(one.refresh());
    assert!(poll(&mut held).is_none());
    bench.gate.open();
    // It would wait for ever if it waited for the other scope's, which nobody polls.
    assert_eq!(shown(&block_on(other.refresh()).unwrap().0), 1);
    assert_eq!(bench.requests(&mut requests), 2);
    assert_eq!(shown(&one.current().unwrap()), 1);
    drop(held);
}

#[test]
fn current_is_the_newest_that_anybody_knows_and_costs_nothing() {
    let mut bench = Bench::new();
    let before = bench.coordinator.current().unwrap();
    bench.commit();
    block_on(bench.coordinator.refresh()).unwrap();
    let mut requests = bench.meter.cost().requests();
    let after = bench.coordinator.current().unwrap();
    assert_eq!((shown(&before), shown(&after)), (0, 1));
    assert_eq!(bench.requests(&mut requests), 0);
}

#[test]
fn versions_are_equal_for_equal_states_whoever_read_them() {
    let mut bench = Bench::new();
    bench.commit();
    let (first, _) = block_on(bench.coordinator.refresh()).unwrap();
    bench.clock.advance_ms(5);
    let (again, changed) = block_on(bench.coordinator.refresh()).unwrap();
    assert!(!changed);
    let elsewhere = block_on(async {
        let source = source(Arc::new(bench.made.store.clone()), TestClock::new(), "db");
        Coordinator::open(source, ReaderOptions::default()).await.unwrap().current().unwrap()
    });
    assert_eq!(first.version(), again.version());
    assert_eq!(first.version(), elsewhere.version());
    bench.commit();
    let (other, _) = block_on(bench.coordinator.refresh()).unwrap();
    assert_ne!(first.version(), other.version());
    bench.made.snapshot();
    bench.made.publish();
    assert_ne!(block_on(bench.coordinator.refresh()).unwrap().0.version(), other.version());
}

#[test]
fn a_view_says_its_age_and_how_long_it_may_be_read() {
    let mut bench = Bench::new();
    bench.commit();
    let (view, _) = block_on(bench.coordinator.refresh()).unwrap();
    assert_eq!((view.age_ms(), view.expires_in_ms()), (0, MAX_VIEW_AGE_MS + 1));
    bench.clock.advance_ms(MAX_VIEW_AGE_MS);
    assert_eq!((view.age_ms(), view.expires_in_ms()), (MAX_VIEW_AGE_MS, 1));
    assert!(block_on(view.get(b"k1")).unwrap().is_some());
    bench.clock.advance_ms(1);
    assert_eq!(view.expires_in_ms(), 0);
    let expired = Error::ViewExpired { age_ms: MAX_VIEW_AGE_MS + 1, limit_ms: MAX_VIEW_AGE_MS };
    assert_eq!(block_on(view.get(b"k1")).unwrap_err(), expired);
    assert_eq!(block_on(view.get_entry(b"k1")).unwrap_err(), expired);
    assert_eq!(block_on(view.scan(&ScanOptions::default()).next()).unwrap_err(), expired);
}

#[test]
fn an_expired_view_is_renewed_by_one_request_for_all_who_hold_it() {
    let mut bench = Bench::new();
    bench.commit();
    let (view, _) = block_on(bench.coordinator.refresh()).unwrap();
    bench.commit();
    bench.clock.advance_ms(MAX_VIEW_AGE_MS + 1);
    let mut requests = bench.meter.cost().requests();
    let renewed = block_on(join_all((0..20).map(|_| view.renew())));
    assert_eq!(bench.requests(&mut requests), 1);
    for renewed in renewed {
        let renewed = renewed.unwrap();
        assert_eq!((shown(&renewed), renewed.expires_in_ms()), (2, MAX_VIEW_AGE_MS + 1));
    }
    assert_eq!((shown(&view), view.expires_in_ms()), (1, 0), "it stays what it was");
    // Somebody has just looked: nothing to ask.
    bench.clock.advance_ms(1_000);
    let renewed = block_on(view.renew()).unwrap();
    assert_eq!((renewed.age_ms(), bench.requests(&mut requests)), (1_000, 0));
    // Its own look is as old: it looks again.
    assert_eq!(block_on(renewed.renew()).unwrap().age_ms(), 0);
    assert_eq!(bench.requests(&mut requests), 1);
    bench.clock.advance_ms(1_001);
    assert_eq!(block_on(view.renew()).unwrap().age_ms(), 0);
    assert_eq!(bench.requests(&mut requests), 1);
}

#[test]
fn reader_options_have_bounds() {
    assert_eq!(ReaderOptions::default().refresh_after_ms, None);
    let bench = Bench::new();
    let open = |refresh_after_ms| {
        let source = source(Arc::new(bench.made.store.clone()), TestClock::new(), "db");
        block_on(Coordinator::open(
            source,
            ReaderOptions { refresh_after_ms: Some(refresh_after_ms), ..ReaderOptions::default() },
        ))
    };
    for good in [0, 7 * 86_400_000] {
        open(good).unwrap();
    }
    let error = open(7 * 86_400_000 + 1).unwrap_err();
    assert!(
        matches!(&error, Error::InvalidArgument { what } if what.contains("refresh_after_ms")),
        "{error}"
    );
}
