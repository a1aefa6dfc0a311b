//! Runs that are dropped at every await, and owners that contend.

use futures::executor::block_on;
use isledb_core::Error;

use crate::bench::{Bench, HOUR, MINUTE, Owner, polled};

/// A bucket in which a run has everything to do: tables, log, snapshots, blobs, an orphan.
fn busy() -> (Bench, Owner) {
    let bench = Bench::new();
    let writer = bench.writer();
    for round in 0..40u32 {
        block_on(async {
            writer.put(b"key", &round.to_be_bytes()).await.unwrap();
            writer.put(b"blob", &[round as u8; 80]).await.unwrap();
            writer.flush().await.unwrap();
        });
    }
    bench.put_object("db/sstable/9-9-9-9.sst", b"never published");
    let mut owner = bench.owner();
    let old: Vec<String> = owner.live().iter().skip(2).map(|table| table.id.clone()).collect();
    owner.remove(&old);
    bench.host.advance(25 * HOUR);
    owner.collect();
    bench.host.advance(2 * HOUR);
    owner.collect();
    bench.host.advance(2 * HOUR);
    (bench, owner)
}

#[test]
fn a_run_that_is_dropped_anywhere_is_made_up_for_by_the_next() {
    let mut polls = 1;
    loop {
        let (bench, mut owner) = busy();
        let before = bench.content();
        let done = polled(polls, owner.gc.run(&mut owner.publisher)).is_some();
        bench.check_live();
        // Another process goes on, after this one or instead of it.
        let mut owner = if polls % 2 == 0 { owner } else { bench.owner() };
        let _ = owner.collect();
        assert_eq!(bench.content(), before, "dropped after {polls} polls");
        if done || polls % 8 == 1 {
            owner.collect_for(&bench, 3);
            assert_eq!(bench.content(), before);
            bench.check_no_orphan();
        }
        if done {
            break;
        }
        polls += 1;
    }
    assert!(polls > 12, "{polls} polls are too few to be all of it");
}

#[test]
fn of_two_owners_one_is_fenced_and_nothing_wrong_is_deleted() {
    for polls in 0..18 {
        let (bench, mut first) = busy();
        let before = bench.content();
        // The first owner stops somewhere, the second takes over and runs, then the first goes on.
        let mut second = None;
        {
            let mut run = Box::pin(first.gc.run(&mut first.publisher));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let mut ended = None;
            for _ in 0..polls {
                if let std::task::Poll::Ready(result) = run.as_mut().poll(&mut context) {
                    ended = Some(result);
                    break;
                }
            }
            let owner = second.insert(bench.owner());
            owner.collect();
            bench.check_live();
            let ended = ended.unwrap_or_else(|| block_on(run));
            if let Err(error) = ended {
                let expected = matches!(error, Error::Fenced { .. } | Error::Precondition { .. });
                assert!(expected, "after {polls} polls: {error}");
            }
        }
        assert!(matches!(first.try_collect(), Err(Error::Fenced { .. })), "the first owner is finished");
        assert_eq!(bench.content(), before);
        bench.check_live();
        if polls % 9 == 0 {
            let mut second = second.unwrap();
            bench.host.advance(MINUTE);
            second.collect_for(&bench, 3);
            assert_eq!(bench.content(), before);
            bench.check_no_orphan();
        }
    }
}
