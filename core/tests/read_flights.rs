//! Single flight: readers of one scope wait for each other's loads, those of another scope do not.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::sync::Arc;
use std::task::{Context, Waker};

use futures::executor::block_on;
use futures::future::join_all;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{MemoryStore, Meter, Metered};
use isledb_core::read::{Reader, ReaderOptions};

use bucket::made::Made;
use bucket::{TestClock, source};

fn key(i: u32) -> Vec<u8> {
    format!("key{i:06}").into_bytes()
}

/// One table of two index levels.
fn database() -> (Reader, Meter) {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let meta = made.build(TableOptions::default(), |add| {
        for i in 0..20_000u32 {
            add(
                &key(i),
                u64::from(i) + 1,
                Some(format!("value of {}", i.wrapping_mul(0x9e37_79b9)).as_bytes()),
            );
        }
    });
    made.add(&meta);
    made.publish();
    let store = Metered::new(Arc::new(made.store.clone()));
    let meter = store.meter();
    let source = source(Arc::new(store), TestClock::new(), "db");
    (block_on(Reader::open(source, ReaderOptions::default())).unwrap(), meter)
}

#[test]
fn a_hundred_gets_of_one_key_are_three_requests() {
    let (reader, meter) = database();
    let span = meter.span();
    let wanted = key(12_345);
    let got = block_on(join_all((0..100).map(|_| reader.get(&wanted))));
    assert!(got.into_iter().all(|value| value.unwrap().is_some()));
    assert_eq!((span.cost().get, span.cost().round_trips), (3, 3));
}

#[test]
fn a_waiter_goes_on_when_the_one_that_began_is_dropped() {
    let (reader, meter) = database();
    let span = meter.span();
    let wanted = key(77);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(reader.get(&wanted));
    assert!(first.as_mut().poll(&mut context).is_pending());
    let mut second = Box::pin(reader.get(&wanted));
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(first);
    assert!(block_on(second).unwrap().is_some());
    assert_eq!(span.cost().get, 3);
}

#[test]
fn a_waiter_does_not_need_the_others_to_be_polled() {
    let (reader, _) = database();
    let wanted = key(77);
    let mut context = Context::from_waker(Waker::noop());
    let mut idle = Box::pin(reader.get(&wanted));
    assert!(idle.as_mut().poll(&mut context).is_pending());
    assert!(block_on(reader.get(&wanted)).unwrap().is_some());
    assert!(block_on(idle).unwrap().is_some());
}

#[test]
fn scopes_share_what_is_finished_and_nothing_else() {
    let (reader, meter) = database();
    let other = reader.scoped();
    let wanted = key(4_321);
    let span = meter.span();
    let (one, two) = block_on(futures::future::join(reader.get(&wanted), other.get(&wanted)));
    assert!(one.unwrap().is_some() && two.unwrap().is_some());
    assert_eq!(span.cost().get, 6);
    let span = meter.span();
    assert!(block_on(reader.scoped().get(&wanted)).unwrap().is_some());
    assert_eq!(span.cost().get, 0);
}

#[cfg(not(target_family = "wasm"))]
#[test]
fn reads_may_run_on_any_thread() {
    fn sendable<T: Send>(_: &T) {}
    let (reader, _) = database();
    sendable(&reader);
    sendable(&reader.get(b"k"));
    sendable(&reader.refresh());
    sendable(&reader.wait_for(1));
    let mut scan = block_on(reader.scan(isledb_core::read::ScanOptions::default())).unwrap();
    sendable(&scan);
    sendable(&scan.next());
}
