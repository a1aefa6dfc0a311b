//! Following the log: everything once, in order, from anywhere.

use std::pin::pin;
use std::task::Context;

use futures::{FutureExt, StreamExt};

use super::*;

fn some_history() -> Bench {
    let mut bench = Bench::new();
    bench.flush(&[put("b", "1"), put("a", "2"), delete("b"), put("b", "3")]);
    bench.flush(&[put("c", "4")]);
    bench.snapshot();
    bench.reclaim();
    bench.flush(&[put("a", "5"), delete("c")]);
    bench.compact();
    bench.flush(&[put("d", "6")]);
    bench
}

#[test]
fn from_the_beginning_it_is_the_history_and_from_a_cursor_the_rest() {
    let bench = some_history();
    for max_buffer_bytes in [1, 250, 64 << 20] {
        let options = |start| TailOptions { start, max_buffer_bytes, ..TailOptions::default() };
        let changes = drain(&mut bench.open_with(options(TailStart::Begin)).unwrap());
        assert_eq!(writes(&changes), written(&bench.history));
        for (i, change) in changes.iter().enumerate() {
            let mut tailer = bench.open_with(options(TailStart::Cursor(kept(&change.cursor)))).unwrap();
            let rest = drain(&mut tailer);
            assert_eq!(writes(&rest), written(&bench.history[i + 1..]));
            assert_eq!(rest, changes[i + 1..], "cursors too");
        }
    }
}

#[test]
fn from_now_on_it_is_what_comes() {
    let mut bench = some_history();
    let mut tailer = bench.open(TailStart::Now).unwrap();
    assert_eq!(drain(&mut tailer), []);
    let before = bench.history.len();
    bench.flush(&[put("a", "7"), delete("a")]);
    bench.snapshot();
    bench.flush(&[put("a", "8")]);
    assert_eq!(writes(&drain(&mut tailer)), written(&bench.history[before..]));
}

#[test]
fn a_database_that_comes_later_is_followed_from_its_first_write() {
    let clock = VirtualClock::at_unix_ms(1);
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let layout = Layout::new("db").unwrap();
    let open = |start| {
        let options = TailOptions { start, ..TailOptions::default() };
        block_on(Tailer::open(source(&store, &clock, &layout), options)).unwrap()
    };
    let mut tailers = [TailStart::Begin, TailStart::Now, TailStart::Bootstrap].map(open);
    for tailer in &mut tailers {
        assert_eq!(drain(tailer), []);
        *tailer = open(TailStart::Cursor(kept(&tailer.cursor())));
    }
    let publisher = claim(&store, &clock, &layout, Role::Writer);
    let mut bench = Bench { clock, store, layout, publisher, ..Bench::new() };
    bench.flush(&[put("a", "1"), put("b", "2")]);
    for mut tailer in tailers {
        assert_eq!(writes(&drain(&mut tailer)), written(&bench.history));
    }
}

#[test]
fn times_of_expiry_come_along_and_expiry_itself_is_no_change() {
    let mut bench = Bench::new();
    let expiring = |at| ChangeOp::Put { value: Bytes::from_static(b"v"), expires_at_ms: Some(at) };
    bench.flush(&[
        (Bytes::from_static(b"gone"), expiring(1)),
        (Bytes::from_static(b"later"), expiring(u64::MAX >> 1)),
    ]);
    for start in [TailStart::Begin, TailStart::Bootstrap] {
        assert_eq!(writes(&drain(&mut bench.open(start).unwrap())), written(&bench.history));
    }
}

#[test]
fn blobs_are_fetched_and_verified() {
    let mut bench = Bench::new();
    bench.blob_threshold = 3;
    bench.flush(&[put("a", "a blob"), put("b", "in"), put("c", "another blob")]);
    for start in [TailStart::Begin, TailStart::Bootstrap] {
        assert_eq!(writes(&drain(&mut bench.open(start).unwrap())), written(&bench.history));
    }
    let blob = bench.layout.blob(&BlobId::of(b"another blob"));
    bench.put(&blob, Bytes::from_static(b"another blow"));
    for start in [TailStart::Begin, TailStart::Bootstrap] {
        let mut tailer = bench.open(start).unwrap();
        let read: Vec<_> = (0..3).map(|_| block_on(tailer.try_next())).collect();
        assert!(read[0].is_ok() && read[1].is_ok());
        assert_eq!(read[2].as_ref().unwrap_err().object(), Some(&blob[..]));
    }
}

#[test]
fn waiting_slows_down_while_nothing_comes_and_ends_with_a_change() {
    let mut bench = some_history();
    let mut tailer = bench.open(TailStart::Now).unwrap();
    let before = (bench.meter.cost(), bench.clock.now_unix_ns());
    {
        let mut next = pin!(tailer.next());
        let mut context = Context::from_waker(futures::task::noop_waker_ref());
        // A hundred turns each sleep: let it look for a while.
        for _ in 0..10_000 {
            assert!(next.as_mut().poll(&mut context).is_pending());
        }
    }
    let looked = bench.meter.cost().requests() - before.0.requests();
    let seconds = (bench.clock.now_unix_ns() - before.1) / 1_000_000_000;
    assert!((50..150).contains(&looked), "{looked}");
    assert!(seconds > looked * 4 && seconds < looked * 7, "{looked} looks in {seconds} s");
    bench.flush(&[put("z", "9")]);
    let change = block_on(tailer.next()).unwrap();
    assert_eq!(writes(&[change]), written(&bench.history[bench.history.len() - 1..]));
}

#[test]
fn an_idle_look_costs_one_request_and_a_small_flush_one_more() {
    let mut bench = some_history();
    let mut tailer = bench.open(TailStart::Now).unwrap();
    let cost = |bench: &Bench, tailer: &mut Tailer| {
        let before = bench.meter.cost().requests();
        drain(tailer);
        bench.meter.cost().requests() - before
    };
    assert_eq!(cost(&bench, &mut tailer), 1);
    bench.flush(&[put("z", "9"), put("y", "9")]);
    // One look that finds it, one GET of the table, one look that finds nothing more.
    assert_eq!(cost(&bench, &mut tailer), 3);
}

#[test]
fn a_call_that_is_dropped_anywhere_loses_and_repeats_nothing() {
    let mut bench = Bench::new();
    bench.blob_threshold = 6;
    for i in 0..4 {
        let many: Vec<_> =
            (0..40).map(|k| put(&format!("{}", (k * 7) % 40), &format!("{i}-{k:04}"))).collect();
        bench.flush(&many);
        if i == 1 {
            bench.snapshot();
        }
    }
    let mut context = Context::from_waker(futures::task::noop_waker_ref());
    for start in [TailStart::Begin, TailStart::Bootstrap] {
        bench.slow.store(false, Ordering::Relaxed);
        let expected = drain(&mut bench.open(start.clone()).unwrap());
        let options = TailOptions { start, max_buffer_bytes: 1_500, ..TailOptions::default() };
        let mut tailer = bench.open_with(options).unwrap();
        bench.slow.store(true, Ordering::Relaxed);
        let mut found = Vec::new();
        let mut polls = 0;
        while found.len() < expected.len() {
            polls += 1;
            assert!(polls < 10_000, "it goes on: {} of {}", found.len(), expected.len());
            // Calls are dropped after one poll, after two, and so on: a request needs two, four at once need five.
            let mut next = pin!(tailer.next());
            for _ in 0..(1 + polls % 7) {
                if let Poll::Ready(change) = next.poll_unpin(&mut context) {
                    found.push(change.unwrap());
                    break;
                }
            }
        }
        assert_eq!(found, expected);
    }
}

#[test]
fn a_stream_gives_the_same() {
    let bench = some_history();
    let stream = bench.open(TailStart::Begin).unwrap().into_stream();
    let changes: Vec<Change> =
        block_on(stream.take(bench.history.len()).map(|change| change.unwrap()).collect());
    assert_eq!(writes(&changes), written(&bench.history));
}

#[test]
fn options_that_cannot_be_followed_are_refused() {
    let bench = Bench::new();
    for (poll_ms, idle_poll_ms) in [(0, 5), (6, 5)] {
        assert!(bench.open_with(TailOptions { poll_ms, idle_poll_ms, ..TailOptions::default() }).is_err());
    }
}

#[test]
fn a_tailer_that_is_behind_reads_small_flushes_eight_at_a_time() {
    let mut bench = Bench::new();
    let mut tailer = bench.open(TailStart::Now).unwrap();
    let before = bench.history.len();
    for i in 0..16 {
        bench.flush(&[put("a", &i.to_string())]);
    }
    bench.slow.store(true, Ordering::Relaxed);
    let span = bench.meter.span();
    let changes = drain(&mut tailer);
    assert_eq!(writes(&changes), written(&bench.history[before..]));
    let cost = span.cost();
    // Two looks at CURRENT, which carries the entries, and each table once: in two rounds.
    assert_eq!((cost.requests(), cost.round_trips), (2 + 16, 2 + 2));
}
