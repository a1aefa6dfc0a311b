//! Futures dropped at every await point: nothing is lost, doubled or stuck.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures::{Future, FutureExt};

use super::{Bench, Entries, entries, inline, small};
use crate::write::{Writer, WriterOptions};

const ENOUGH: u64 = 60;

/// Drops what `begin` starts after each number of polls, then goes on.
fn at_every_poll(begin: impl AsyncFn(&Writer)) {
    let mut completed = false;
    for polls in 0..ENOUGH {
        let bench = Bench::new();
        let writer = bench.writer(WriterOptions::default());
        bench.host.run(async {
            writer.put(b"a", b"1").await.unwrap();
            writer.put(b"b", b"2").await.unwrap();
        });
        completed |= bench.host.run_for(begin(&writer), polls).is_some();
        bench.host.run(async {
            // Closing may have begun.
            let more = writer.put(b"c", b"3").await.is_ok();
            writer.close().await.unwrap();
            assert_eq!(writer.committed_sequence(), 2 + u64::from(more));
        });
        let mut expected = entries([(b"a", 1, inline(b"1")), (b"b", 2, inline(b"2"))]);
        expected
            .extend(entries([(b"c", 3, inline(b"3"))]).into_iter().filter(|_| writer.last_sequence() == 3));
        assert_eq!(bench.entries(), expected, "dropped after {polls} polls");
        assert!(bench.published().len() <= 2);
    }
    assert!(completed, "{ENOUGH} polls are all of them");
}

#[test]
fn flush_may_be_dropped() {
    at_every_poll(async |writer| assert_eq!(writer.flush().await.unwrap(), 2));
}

#[test]
fn wait_committed_may_be_dropped() {
    at_every_poll(async |writer| writer.wait_committed(2).await.unwrap());
}

#[test]
fn close_may_be_dropped() {
    at_every_poll(async |writer| writer.close().await.unwrap());
}

#[test]
fn run_may_be_dropped() {
    // It never ends by itself; that it was dropped late enough shows in the commit.
    for polls in 0..ENOUGH {
        let bench = Bench::new();
        let writer = bench.writer(WriterOptions::default());
        bench.host.run(writer.put(b"a", b"1")).unwrap();
        let ended = bench.host.run_for(
            async {
                let committed = writer.wait_committed(1);
                futures::future::select(pin!(writer.run()), pin!(committed)).await;
            },
            polls,
        );
        assert_eq!(ended.is_some(), writer.committed_sequence() == 1);
        bench.host.run(writer.close()).unwrap();
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1"))]));
    }
}

#[test]
fn a_put_at_the_bound_was_accepted_or_was_not() {
    let mut accepted = 0;
    for polls in 0..ENOUGH {
        let bench = Bench::new();
        let writer = bench.writer(small());
        let mut expected = Entries::new();
        let put = |i: u8| writer.put(&[i], &[7; 1_300]).now_or_never();
        let mut i = 0;
        while let Some(sequence) = put_without_waiting(&put, i) {
            expected.insert((vec![i], sequence), inline(&[7; 1_300]));
            i += 1;
        }
        let before = writer.last_sequence();
        let done = bench.host.run_for(writer.put(b"late", b"1"), polls);
        assert_eq!(writer.last_sequence() - before, u64::from(done.is_some()), "as a whole or not at all");
        if let Some(sequence) = done {
            accepted += 1;
            expected.insert((b"late".to_vec(), sequence.unwrap()), inline(b"1"));
        }
        bench.host.run(writer.close()).unwrap();
        assert_eq!(bench.entries(), expected, "dropped after {polls} polls");
    }
    assert!((1..ENOUGH).contains(&accepted), "both happened: {accepted}");
}

fn put_without_waiting(put: &dyn Fn(u8) -> Option<crate::Result<u64>>, i: u8) -> Option<u64> {
    put(i).map(Result::unwrap)
}

#[test]
fn a_dropped_waiter_does_not_stall_the_others() {
    for polls in 1..ENOUGH {
        let bench = Bench::new();
        let writer = bench.writer(WriterOptions::default());
        bench.host.run(writer.put(b"a", b"1")).unwrap();
        let mut first = Box::pin(writer.flush());
        let mut second = pin!(writer.flush());
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            // The first one does the work, the second one only waits for it.
            if let Poll::Ready(done) = first.as_mut().poll(&mut cx) {
                done.unwrap();
                break;
            }
            let _ = second.as_mut().poll(&mut cx).map(Result::unwrap);
            if writer.committed_sequence() == 1 {
                break;
            }
        }
        drop(first);
        bench.host.run(writer.flush()).unwrap();
        assert_eq!(bench.published().len(), 1);
    }
}

#[test]
fn who_waits_is_woken_when_the_one_that_worked_is_dropped() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    bench.host.run(async {
        writer.put(b"a", b"1").await.unwrap();
        let worker = async {
            let mut flush = Box::pin(writer.flush());
            for _ in 0..5 {
                futures::future::poll_fn(|cx| {
                    let _ = flush.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
            }
        };
        let (waited, ()) = futures::future::join(writer.flush(), worker).await;
        waited.unwrap();
    });
    assert_eq!(bench.entries().len(), 1);
}
