//! Waiting for changes: how soon they are seen, and what it costs, for one tailer and for many of one coordinator.

use super::timeline::Timeline;
use super::*;
use crate::error::Error;
use crate::read::{Coordinator, ReaderOptions};

const HOUR: Duration = Duration::from_secs(3_600);

/// What reads `bench` by the time of `timeline`.
fn source_on(bench: &Bench, timeline: &Timeline) -> ReadSource {
    let requests = Requests::new(bench.store.clone(), Arc::new(timeline.clone()));
    let manifest = Arc::new(ObjectManifest::new(requests.clone(), bench.layout.clone()));
    ReadSource { manifest, requests, ..bench.source() }
}

fn coordinator(bench: &Bench, timeline: &Timeline) -> Coordinator {
    block_on(Coordinator::open(source_on(bench, timeline), ReaderOptions::default())).unwrap()
}

fn tailers(coordinator: &Coordinator, n: usize) -> Vec<Tailer> {
    (0..n).map(|_| block_on(coordinator.tailer(TailOptions::default())).unwrap()).collect()
}

fn nexts(tailers: &mut [Tailer]) -> Vec<BoxFuture<'_, Result<Change>>> {
    tailers.iter_mut().map(|tailer| -> BoxFuture<'_, Result<Change>> { Box::pin(tailer.next()) }).collect()
}

#[test]
fn each_of_a_thousand_commits_is_seen_within_one_poll() {
    let mut bench = Bench::new();
    let timeline = Timeline::new();
    let options = TailOptions::default();
    let mut tailer = block_on(Tailer::open(source_on(&bench, &timeline), options.clone())).unwrap();
    for i in 0..1_000 {
        if i % 30 == 29 {
            bench.snapshot();
        }
        bench.flush(&[put("k", &i.to_string())]);
        let (span, began_ms) = (bench.meter.span(), timeline.now_ms());
        let seen = timeline.run(&mut nexts(std::slice::from_mut(&mut tailer)), HOUR);
        let (_, change) = seen.expect("it is seen");
        assert_eq!(writes(&[change.unwrap()]), written(&bench.history[i..=i]));
        let waited_ms = timeline.now_ms() - began_ms;
        assert!(waited_ms <= options.poll_ms + options.poll_ms / 4, "{waited_ms} ms, commit {i}");
        let cost = span.cost();
        assert_eq!((cost.get, cost.requests()), (2, 2), "one look, and the table: commit {i}");
    }
}

#[test]
fn an_idle_tailer_sends_one_conditional_get_a_poll_and_nothing_else() {
    let bench = Bench::new();
    let timeline = Timeline::new();
    let mut tailer = block_on(Tailer::open(source_on(&bench, &timeline), TailOptions::default())).unwrap();
    // Until it has slowed down.
    assert!(timeline.run(&mut nexts(std::slice::from_mut(&mut tailer)), Duration::from_secs(60)).is_none());
    let span = bench.meter.span();
    let mut looks = 0;
    for _ in 0..720 {
        let before = span.cost().get;
        assert!(
            timeline.run(&mut nexts(std::slice::from_mut(&mut tailer)), Duration::from_secs(5)).is_none()
        );
        // A wait is drawn once, so a call that is dropped and made again does not look more often.
        assert!(span.cost().get - before <= 2);
        looks = span.cost().get;
    }
    // An hour, at five seconds give or take a quarter.
    assert!((640..=800).contains(&looks), "{looks} looks");
    let cost = span.cost();
    assert_eq!((cost.get, cost.requests(), cost.bytes_read), (looks, looks, 0), "not modified, each time");
}

#[test]
fn idle_tailers_of_one_coordinator_cost_one_look_a_poll() {
    let mut looks = Vec::new();
    for n in [1, 20] {
        let bench = Bench::new();
        let timeline = Timeline::new();
        let coordinator = coordinator(&bench, &timeline);
        let mut tailers = tailers(&coordinator, n);
        assert!(timeline.run(&mut nexts(&mut tailers), Duration::from_secs(60)).is_none());
        let span = bench.meter.span();
        let mut waiting = nexts(&mut tailers);
        assert!(timeline.run(&mut waiting, HOUR).is_none());
        let cost = span.cost();
        assert_eq!((cost.get, cost.bytes_read), (cost.requests(), 0));
        looks.push(cost.get);
    }
    // Of twenty the one that drew the shortest wait looks for all: three quarters of the interval at least.
    assert!((640..=800).contains(&looks[0]), "{looks:?}");
    assert!((640..=960).contains(&looks[1]), "{looks:?}");
}

#[test]
fn what_one_of_them_finds_all_have_at_once() {
    let mut bench = Bench::new();
    let timeline = Timeline::new();
    let coordinator = coordinator(&bench, &timeline);
    let slow = TailOptions { poll_ms: 3_000_000, idle_poll_ms: 3_000_000, ..TailOptions::default() };
    let mut tailers = tailers(&coordinator, 1);
    tailers.extend((0..9).map(|_| block_on(coordinator.tailer(slow.clone())).unwrap()));
    assert!(timeline.run(&mut nexts(&mut tailers), Duration::from_secs(100)).is_none());
    for i in 0..3 {
        bench.flush(&[put("k", "v")]);
        let (span, began_ms) = (bench.meter.span(), timeline.now_ms());
        let mut waiting = nexts(&mut tailers);
        let mut found_ms = Vec::new();
        while !waiting.is_empty() {
            let (i, change) = timeline.run(&mut waiting, HOUR).expect("all see it");
            drop(waiting.remove(i));
            assert_eq!(writes(&[change.unwrap()]), written(&bench.history[bench.history.len() - 1..]));
            found_ms.push(timeline.now_ms() - began_ms);
        }
        // The one that looks often looked; the others went on at once. Each reads the table for itself.
        assert!(found_ms.iter().all(|ms| *ms == found_ms[0] && *ms <= 6_250), "commit {i}: {found_ms:?}");
        assert_eq!(span.cost().requests(), 1 + 10);
    }
}

#[test]
fn a_view_that_somebody_else_read_needs_no_look() {
    let mut bench = Bench::new();
    let timeline = Timeline::new();
    let coordinator = coordinator(&bench, &timeline);
    let mut tailers = tailers(&coordinator, 1);
    bench.flush(&[put("k", "1")]);
    let (view, changed) = block_on(coordinator.refresh()).unwrap();
    assert!(changed && view.exists());
    let span = bench.meter.span();
    let (_, change) = timeline.run(&mut nexts(&mut tailers), Duration::ZERO).expect("it is known");
    assert_eq!(writes(&[change.unwrap()]), written(&bench.history));
    assert_eq!(span.cost().requests(), 1, "the table");
    // `try_next` finds what is known, and looks for more once.
    assert_eq!(drain(&mut tailers[0]), []);
    assert_eq!(span.cost().requests(), 2);
}

#[test]
fn a_tailer_begins_behind_what_is_committed_not_behind_what_the_coordinator_knew() {
    let mut bench = Bench::new();
    let timeline = Timeline::new();
    let coordinator = coordinator(&bench, &timeline);
    bench.flush(&[put("k", "1")]);
    let ahead = drain(&mut bench.open(TailStart::Begin).unwrap()).remove(0).cursor;
    for start in [TailStart::Now, TailStart::Cursor(ahead)] {
        let span = bench.meter.span();
        let options = TailOptions { start, ..TailOptions::default() };
        let mut tailer = block_on(coordinator.tailer(options)).unwrap();
        assert_eq!(span.cost().requests(), 1);
        assert_eq!(drain(&mut tailer), []);
    }
}

#[test]
fn close_ends_those_who_wait_and_refuses_new_use_while_views_stay_readable() {
    let mut bench = Bench::new();
    bench.flush(&[put("k", "1")]);
    let timeline = Timeline::new();
    let coordinator = coordinator(&bench, &timeline);
    let view = coordinator.current().unwrap();
    let reader = coordinator.reader().unwrap();
    let mut tailers = tailers(&coordinator, 3);
    let mut waiting = nexts(&mut tailers);
    assert!(timeline.run(&mut waiting, Duration::from_secs(60)).is_none());
    coordinator.clone().close();
    let closed = Error::Closed { what: "coordinator" };
    let now_ms = timeline.now_ms();
    while !waiting.is_empty() {
        let (i, ended) = timeline.run(&mut waiting, HOUR).expect("all end");
        drop(waiting.remove(i));
        assert_eq!(ended.unwrap_err(), closed);
    }
    drop(waiting);
    assert_eq!(timeline.now_ms(), now_ms, "at once");
    block_on(async {
        assert_eq!(coordinator.current().unwrap_err(), closed);
        assert_eq!(coordinator.reader().unwrap_err(), closed);
        assert_eq!(coordinator.refresh().await.unwrap_err(), closed);
        assert_eq!(coordinator.tailer(TailOptions::default()).await.unwrap_err(), closed);
        assert_eq!(coordinator.scoped().refresh().await.unwrap_err(), closed);
        assert_eq!(tailers[0].try_next().await.unwrap_err(), closed);
        assert_eq!(view.renew().await.unwrap_err(), closed);
        assert_eq!(reader.refresh().await.unwrap_err(), closed);
        assert_eq!(view.get(b"k").await.unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(reader.get(b"k").await.unwrap().as_deref(), Some(&b"1"[..]));
    });
}

#[test]
fn a_floor_that_somebody_else_saw_rise_expires_a_cursor_below_it() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "2")]);
    bench.flush(&[put("c", "3")]);
    let timeline = Timeline::new();
    let coordinator = coordinator(&bench, &timeline);
    let options = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
    let (mut tailer, mut late) = (
        block_on(coordinator.tailer(options.clone())).unwrap(),
        block_on(coordinator.tailer(options)).unwrap(),
    );
    block_on(tailer.next()).unwrap();
    let tables = bench.tables();
    bench.change_current(|current| current.feed_floor_seq = Some(tables[1].0));
    bench.remove(bench.layout.sst(&tables[0].1.id));
    block_on(coordinator.refresh()).unwrap();
    // What it has read already it shows to the end.
    assert_eq!(writes(&drain(&mut tailer)), written(&bench.history[1..]));
    let error = block_on(late.try_next()).unwrap_err();
    let Error::CursorExpired { oldest, .. } = error else { panic!("{error}") };
    let start = TailStart::Cursor(oldest.parse().unwrap());
    let rest =
        drain(&mut block_on(coordinator.tailer(TailOptions { start, ..TailOptions::default() })).unwrap());
    assert_eq!(writes(&rest), written(&bench.history[2..]));
}
