//! The simulated store: the contract on a healthy day, and each kind of fault.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it expects")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::Future;
use isledb_core::error::Error;
use isledb_core::host::{GetOptions, ObjectStore, PutCondition, Version};
use isledb_simulation::executor::{Executor, Handle, MINUTE, OUTSIDE, SECOND, Stop};
use isledb_simulation::store::{Bucket, FaultRates, Faults, Objects, SimStore, Watch};
use isledb_simulation::trace::Trace;

struct Nobody;

impl Watch for Nobody {
    fn written(&self, _: &Objects, _: &str) {}
    fn deleted(&self, _: &Objects, _: &str) {}
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Runs `test` against a bucket with these faults; the trace's hash.
fn run<F: Future<Output = ()> + Send + 'static>(
    seed: u64,
    faults: Faults,
    test: impl FnOnce(Handle, Arc<Bucket>, SimStore) -> F,
) -> u64 {
    let mut executor = Executor::new(seed, Arc::new(Trace::new(false)));
    let handle = executor.handle();
    let bucket = Bucket::new(&handle, seed, faults, None, Arc::new(Nobody));
    let store = bucket.client(OUTSIDE, "client");
    handle.spawn(OUTSIDE, "test", test(handle.clone(), bucket, store));
    assert_eq!(executor.run(60 * MINUTE, 100_000), Stop::Finished);
    handle.trace().hash()
}

fn only(rates: FaultRates) -> Faults {
    Faults { rates, until_ns: u64::MAX, latest_landing_ns: 15 * MINUTE, ..Faults::none() }
}

async fn whole(store: &SimStore, key: &str) -> Result<Bytes, Error> {
    let got = store.get(key, GetOptions::default()).await?;
    got.body.collect(key, got.meta.size).await
}

#[test]
fn a_healthy_store_keeps_the_contract() {
    run(1, Faults::none(), |_, _, store| async move {
        assert!(matches!(whole(&store, "a").await, Err(Error::NotFound { .. })));
        let first = store.put("a", bytes("one"), PutCondition::IfAbsent).await.unwrap();
        assert!(matches!(
            store.put("a", bytes("two"), PutCondition::IfAbsent).await,
            Err(Error::Precondition { .. })
        ));
        assert_eq!(whole(&store, "a").await.unwrap(), "one");
        let same = GetOptions { range: None, if_none_match: Some(first.clone()) };
        assert!(matches!(store.get("a", same).await, Err(Error::NotModified { .. })));
        let second = store.put("a", bytes("three"), PutCondition::IfMatch(first.clone())).await.unwrap();
        assert_ne!(first, second);
        assert!(store.put("a", bytes("four"), PutCondition::IfMatch(first)).await.is_err());
        assert_eq!(store.get_ranges("a", &[0..2, 3..5]).await.unwrap(), [bytes("th"), bytes("ee")]);
        let beyond = GetOptions { range: Some(2..6), if_none_match: None };
        assert!(matches!(store.get("a", beyond).await, Err(Error::Corrupt { .. })));
        let meta = store.head("a").await.unwrap();
        assert_eq!((meta.size, meta.version), (5, Some(second)));
        let mut upload = store.put_multipart("b").await.unwrap();
        let (one, two) = (upload.put_part(bytes("left ")), upload.put_part(bytes("right")));
        futures::future::try_join(two, one).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(whole(&store, "b").await.unwrap(), "left right", "parts are in the order of the calls");
        let mut keys = Vec::new();
        let mut after = None;
        loop {
            let page = store.list("", after.as_deref()).await.unwrap();
            keys.extend(page.objects.into_iter().map(|o| o.key));
            after = keys.last().cloned();
            if !page.more {
                break;
            }
        }
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(store.delete(&["a".to_owned(), "c".to_owned()]).await.unwrap(), [Ok(()), Ok(())]);
        assert!(store.head("a").await.is_err());
    });
}

#[test]
fn a_put_whose_answer_is_lost_is_there() {
    let faults = only(FaultRates { answer_lost: 1000, ..FaultRates::default() });
    run(1, faults, |_, _, store| async move {
        let put = store.put("a", bytes("one"), PutCondition::IfAbsent).await;
        assert!(put.unwrap_err().leaves_outcome_open());
        assert_eq!(whole(&store, "a").await.unwrap(), "one");
    });
}

#[test]
fn a_refusal_may_hide_ones_own_success() {
    let faults = only(FaultRates { refused_by_own_success: 1000, ..FaultRates::default() });
    run(1, faults, |_, _, store| async move {
        let put = store.put("a", bytes("one"), PutCondition::IfAbsent).await;
        assert!(matches!(put, Err(Error::Precondition { .. })));
        assert_eq!(whole(&store, "a").await.unwrap(), "one");
    });
}

#[test]
fn a_delayed_put_lands_later_and_only_if_its_condition_still_holds() {
    let landed = Arc::new(AtomicU64::new(0));
    for seed in 0..40 {
        let rates = FaultRates { delayed: 1000, ..FaultRates::default() };
        let faults = Faults { rates, until_ns: SECOND, latest_landing_ns: 15 * MINUTE, ..Faults::none() };
        let landed = landed.clone();
        run(seed, faults, move |handle, bucket, store| async move {
            let late = store.put("a", bytes("late"), PutCondition::IfAbsent).await;
            assert!(late.unwrap_err().leaves_outcome_open());
            handle.sleep(SECOND).await;
            let won = store.put("a", bytes("second"), PutCondition::IfAbsent).await.is_ok();
            handle.sleep(15 * MINUTE).await;
            let body = bucket.look(|objects| objects.get("a").map(|o| o.body.clone()));
            assert_eq!(body.unwrap(), if won { "second" } else { "late" });
            landed.fetch_add(u64::from(won), Ordering::Relaxed);
        });
    }
    let landed = landed.load(Ordering::Relaxed);
    assert!((1..40).contains(&landed), "{landed} of 40 later puts came first");
}

#[test]
fn a_body_that_ends_early_is_an_error() {
    let faults = only(FaultRates { body_cut: 1000, ..FaultRates::default() });
    run(1, faults, |_, _, store| async move {
        store.put("a", bytes("0123456789"), PutCondition::None).await.unwrap();
        assert!(matches!(whole(&store, "a").await, Err(Error::Unavailable { .. })));
    });
}

#[test]
fn a_body_may_come_with_one_bit_turned_over() {
    let faults = only(FaultRates { flipped: 1000, ..FaultRates::default() });
    run(1, faults, |_, _, store| async move {
        store.put("a", bytes("0123456789"), PutCondition::None).await.unwrap();
        let got = whole(&store, "a").await.unwrap();
        let bits: u32 = got.iter().zip(b"0123456789").map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(bits, 1);
    });
}

#[test]
fn a_request_may_arrive_once_more_and_asks_its_condition_again() {
    let faults = only(FaultRates { duplicated: 1000, ..FaultRates::default() });
    run(1, faults, |handle, bucket, store| async move {
        store.put("plain", bytes("one"), PutCondition::None).await.unwrap();
        store.put("plain", bytes("two"), PutCondition::None).await.unwrap();
        store.put("slot", bytes("one"), PutCondition::IfAbsent).await.unwrap();
        let before = bucket.look(|objects| objects.get("slot").unwrap().version.clone());
        handle.sleep(20 * MINUTE).await;
        let after = bucket.look(|objects| objects.get("slot").unwrap().version.clone());
        assert_eq!(before, after, "the second one found the slot taken");
        let writes = bucket.look(|objects| objects.previous("plain").is_some());
        assert!(writes);
    });
}

#[test]
fn a_client_that_dies_leaves_an_open_outcome() {
    let applied: Vec<bool> = (0..40)
        .map(|seed| {
            let seen = Arc::new(Mutex::new(false));
            let noted = seen.clone();
            run(seed, Faults::none(), move |handle, bucket, store| async move {
                let put = store.put("a", bytes("one"), PutCondition::None);
                let soon = handle.sleep(500_000);
                futures::future::select(put, soon).await;
                handle.sleep(MINUTE).await;
                *noted.lock().unwrap() = bucket.look(|objects| objects.get("a").is_some());
            });
            *seen.lock().unwrap()
        })
        .collect();
    assert!(applied.contains(&true) && applied.contains(&false));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let history = |seed| {
        let faults = Faults::draw(&mut isledb_simulation::rng::Rng::new(seed, "faults"));
        run(seed, faults, |handle, bucket, _| async move {
            for name in ["left", "right"] {
                let (handle, store) = (handle.clone(), bucket.client(OUTSIDE, name));
                handle.spawn(OUTSIDE, name, async move {
                    let mut version: Option<Version> = None;
                    for _ in 0..30 {
                        let condition = version.take().map_or(PutCondition::IfAbsent, PutCondition::IfMatch);
                        version = match store.put("a", bytes("x"), condition).await {
                            Ok(version) => Some(version),
                            Err(_) => store.head("a").await.ok().and_then(|meta| meta.version),
                        };
                    }
                });
            }
        })
    };
    for seed in 0..50 {
        assert_eq!(history(seed), history(seed), "seed {seed}");
    }
    assert_ne!(history(1), history(2));
}
