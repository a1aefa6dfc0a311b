//! Many changes at once, and what is in memory meanwhile.

use std::pin::pin;
use std::task::Context;

use futures::FutureExt;

use super::*;
use crate::error::{Error, ErrorKind};

fn history(flushes: usize, writes: usize) -> Bench {
    let mut bench = Bench::new();
    for flush in 0..flushes {
        let many: Vec<_> = (0..writes).map(|i| put(&format!("{flush:02}/{i:02}"), "0123456789")).collect();
        bench.flush(&many);
    }
    bench
}

#[test]
fn a_batch_has_what_is_committed_up_to_its_limits() {
    let bench = history(5, 7);
    // Fifteen bytes each.
    for (max_entries, max_bytes, expected) in [
        (35, 1 << 20, vec![35]),
        (1_000, 1 << 20, vec![35]),
        (10, 1 << 20, vec![10, 10, 10, 5]),
        (1_000, 15 * 16, vec![16, 16, 3]),
        (1_000, 15 * 16 + 1, vec![17, 17, 1]),
        (20, 15 * 30, vec![20, 15]),
        (1_000, 1, vec![1; 35]),
    ] {
        let mut tailer = bench.open(TailStart::Begin).unwrap();
        let mut changes = Vec::new();
        for n in expected {
            let batch = block_on(tailer.next_batch(max_entries, max_bytes)).unwrap();
            assert_eq!(batch.len(), n, "{max_entries} entries, {max_bytes} bytes");
            assert_eq!(tailer.cursor(), batch[n - 1].cursor);
            changes.extend(batch);
        }
        assert_eq!(writes(&changes), written(&bench.history));
        assert_eq!(drain(&mut tailer), []);
    }
}

#[test]
fn a_bootstrap_comes_in_batches_too() {
    let mut bench = history(3, 7);
    let mut tailer = bench.open(TailStart::Bootstrap).unwrap();
    let first = block_on(tailer.next_batch(20, 1 << 20)).unwrap();
    assert_eq!((first.len(), tailer.cursor().is_bootstrapping()), (20, true));
    bench.flush(&[put("a", "1")]);
    let second = block_on(tailer.next_batch(20, 1 << 20)).unwrap();
    assert_eq!(second.len(), 1, "what it knew to be committed");
    let third = block_on(tailer.next_batch(20, 1 << 20)).unwrap();
    assert_eq!(writes(&third), written(&bench.history[21..]));
}

#[test]
fn a_batch_waits_for_its_first_change_and_for_no_other() {
    let mut bench = history(1, 1);
    let mut tailer = bench.open(TailStart::Now).unwrap();
    {
        let mut batch = pin!(tailer.next_batch(10, 1_000));
        let mut context = Context::from_waker(futures::task::noop_waker_ref());
        for _ in 0..1_000 {
            assert!(batch.as_mut().poll(&mut context).is_pending());
        }
    }
    bench.flush(&[put("a", "1"), put("b", "1")]);
    let span = bench.meter.span();
    assert_eq!(block_on(tailer.next_batch(10, 1_000)).unwrap().len(), 2);
    assert_eq!(span.cost().requests(), 2, "a look and the table");
}

#[test]
fn a_slow_consumer_holds_the_tailer_up() {
    let bench = history(50, 20);
    let mut tailer = bench.open(TailStart::Begin).unwrap();
    let span = bench.meter.span();
    block_on(tailer.next_batch(5, 1_000)).unwrap();
    let cost = span.cost();
    // Of the eight slots that it looks ahead one is the writer's claim; the others each have a small table.
    assert_eq!(cost.requests(), 7);
    for _ in 0..3 {
        bench.clock.advance_ms(1_000);
        block_on(tailer.next_batch(5, 1_000)).unwrap();
    }
    assert_eq!(span.cost(), cost, "nothing is asked for that is not needed yet");
}

#[test]
fn a_batch_that_is_dropped_anywhere_loses_and_repeats_nothing() {
    let bench = history(6, 9);
    let mut context = Context::from_waker(futures::task::noop_waker_ref());
    for start in [TailStart::Begin, TailStart::Bootstrap] {
        bench.slow.store(false, Ordering::Relaxed);
        let expected = drain(&mut bench.open(start.clone()).unwrap());
        let mut tailer = bench.open(start).unwrap();
        bench.slow.store(true, Ordering::Relaxed);
        let (mut found, mut polls) = (Vec::new(), 0);
        while found.len() < expected.len() {
            polls += 1;
            assert!(polls < 10_000, "it goes on: {} of {}", found.len(), expected.len());
            {
                let mut batch = pin!(tailer.next_batch(13, 1 << 20));
                for _ in 0..(1 + polls % 7) {
                    if let Poll::Ready(batch) = batch.poll_unpin(&mut context) {
                        found.extend(batch.unwrap());
                        break;
                    }
                }
            }
            // What a dropped batch has gathered is still to come: the cursor stands in front of it.
            if polls % 3 == 0 {
                let again = bench.open(TailStart::Cursor(kept(&tailer.cursor()))).unwrap();
                let rest = block_on(at_full_speed(&bench, again));
                assert_eq!(rest, expected[found.len()..]);
            }
            // One change at a time serves as well.
            if polls % 5 == 0
                && let Poll::Ready(change) = pin!(tailer.next()).poll_unpin(&mut context)
            {
                found.push(change.unwrap());
            }
        }
        assert_eq!(found, expected);
    }
}

/// Everything that another tailer still has, at full speed.
async fn at_full_speed(bench: &Bench, mut tailer: Tailer) -> Vec<Change> {
    bench.slow.store(false, Ordering::Relaxed);
    let mut changes = Vec::new();
    while let Some(change) = tailer.try_next().await.unwrap() {
        changes.push(change);
    }
    bench.slow.store(true, Ordering::Relaxed);
    changes
}

#[test]
fn an_error_ends_the_batch_in_front_of_it_and_comes_up_again() {
    let bench = history(3, 2);
    bench.remove(bench.layout.sst(&bench.tables()[1].1.id));
    let mut tailer = bench.open(TailStart::Begin).unwrap();
    let batch = block_on(tailer.next_batch(10, 1_000)).unwrap();
    assert_eq!(writes(&batch), written(&bench.history[..2]));
    for _ in 0..2 {
        let error = block_on(tailer.next_batch(10, 1_000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    assert_eq!(tailer.cursor(), batch[1].cursor);
}

#[test]
fn limits_of_a_batch_have_bounds() {
    let mut tailer = history(1, 1).open(TailStart::Begin).unwrap();
    for (name, max_entries, max_bytes) in [
        ("max_entries", 0, 1),
        ("max_entries", (1 << 20) + 1, 1),
        ("max_bytes", 1, 0),
        ("max_bytes", 1, (1 << 30) + 1),
    ] {
        let error = block_on(tailer.next_batch(max_entries, max_bytes)).unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument { what } if what.contains(name)), "{error}");
    }
    assert_eq!(block_on(tailer.next_batch(1 << 20, 1 << 30)).unwrap().len(), 1);
}
