//! Key-ordered catch-up against the keys that are there.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod host;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::TableOptions;
use isledb_core::host::{MemoryStore, Meter, Metered};
use isledb_core::read::{
    CatchUpError, CatchUpOptions, CatchUpResult, Entry, ReadSource, Reader, ReaderOptions, TailingReader,
    TailingReaderOptions,
};
use isledb_core::{Error, Result};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use bucket::made::Made;
use bucket::{TestClock, source};
use host::TestHost;

struct Bench {
    made: Made,
    host: TestHost,
    meter: Meter,
    source: ReadSource,
    sequence: u64,
}

impl Bench {
    fn new() -> Bench {
        let mut made = Made::new(MemoryStore::new(TestClock::new()));
        made.publish();
        let store = Metered::new(Arc::new(made.store.clone()));
        let (meter, host) = (store.meter(), TestHost::new());
        let source = source(Arc::new(store), Arc::new(host.clone()), "db");
        Bench { made, host, meter, source, sequence: 0 }
    }

    /// One commit; `None` deletes.
    fn commit<'a>(&mut self, writes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>) {
        let mut entries = Vec::new();
        for (key, value) in writes {
            self.sequence += 1;
            entries.push((key, self.sequence, value));
        }
        entries.sort();
        let meta = self.made.table(TableOptions { block_size: 64, ..TableOptions::default() }, entries);
        self.made.add(&meta);
        self.made.publish();
    }

    fn puts(&mut self, keys: &[&str]) {
        self.commit(keys.iter().map(|key| (key.as_bytes(), Some(&b"v"[..]))));
    }

    fn reader(&self) -> Reader {
        block_on(Reader::open(self.source.clone(), ReaderOptions::default())).unwrap()
    }

    fn tailing(&self) -> TailingReader {
        block_on(TailingReader::open(self.source.clone(), TailingReaderOptions::default())).unwrap()
    }
}

fn after(key: &str) -> CatchUpOptions {
    CatchUpOptions {
        start_after_key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..CatchUpOptions::default()
    }
}

fn keys(entries: &RefCell<Vec<Entry>>) -> Vec<String> {
    let taken = entries.take();
    taken.iter().map(|entry| String::from_utf8(entry.key.to_vec()).unwrap()).collect()
}

fn result(last_key: &str, count: u64, truncated: bool) -> CatchUpResult {
    CatchUpResult { last_key: Some(Bytes::copy_from_slice(last_key.as_bytes())), count, truncated }
}

#[test]
fn it_refreshes_first_and_the_current_one_does_not() {
    let mut bench = Bench::new();
    bench.puts(&["a", "b"]);
    let (reader, tailing) = (bench.reader(), bench.tailing());
    bench.puts(&["c"]);
    let seen = RefCell::<Vec<Entry>>::default();
    let handle = async |entry: Entry| -> Result<()> {
        seen.borrow_mut().push(entry);
        Ok(())
    };
    block_on(async {
        let all = CatchUpOptions::default();
        let view = reader.view();
        assert_eq!(reader.catch_up_current(&all, handle).await.unwrap(), result("b", 2, false));
        assert_eq!(keys(&seen), ["a", "b"]);
        assert_eq!(reader.catch_up(&all, handle).await.unwrap(), result("c", 3, false));
        assert_eq!(keys(&seen), ["a", "b", "c"]);
        assert_eq!(view.catch_up(&all, handle).await.unwrap(), result("b", 2, false));
        assert_eq!(keys(&seen), ["a", "b"]);
        assert_eq!(reader.catch_up(&after("c"), handle).await.unwrap(), CatchUpResult::default());
        assert_eq!(keys(&seen), [""; 0]);
        // The same of a tailing reader.
        assert_eq!(tailing.catch_up_current(&all, handle).await.unwrap(), result("b", 2, false));
        bench.host.advance(Duration::from_secs(9));
        assert_eq!(tailing.catch_up(&after("b"), handle).await.unwrap(), result("c", 1, false));
        assert_eq!(keys(&seen), ["a", "b", "c"]);
        assert_eq!(tailing.last_refresh_unix_ms(), bench.host.now_ms());
        assert!(tailing.get(b"c").await.unwrap().is_some() && !tailing.refresh().await.unwrap());
    });
}

#[test]
fn a_limit_that_is_reached_truncates_also_at_the_last_entry() {
    let mut bench = Bench::new();
    bench.puts(&["a", "b"]);
    let view = bench.reader().view();
    for (limit, expected) in
        [(1, result("a", 1, true)), (2, result("b", 2, true)), (3, result("b", 2, false))]
    {
        let options = CatchUpOptions { limit: Some(limit), ..CatchUpOptions::default() };
        assert_eq!(block_on(view.catch_up(&options, async |_| Ok::<_, Error>(()))).unwrap(), expected);
    }
    let error = block_on(
        view.catch_up(&CatchUpOptions { limit: Some(0), ..CatchUpOptions::default() }, async |_| {
            Ok::<_, Error>(())
        }),
    );
    assert!(matches!(error.unwrap_err().cause, Error::InvalidArgument { .. }));
}

#[derive(Debug, PartialEq)]
enum Mine {
    Full,
    Db(Error),
}

impl std::fmt::Display for Mine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<Error> for Mine {
    fn from(error: Error) -> Mine {
        Mine::Db(error)
    }
}

#[test]
fn what_the_handler_fails_with_comes_back_with_the_progress() {
    let mut bench = Bench::new();
    bench.puts(&["a", "b", "c"]);
    let view = bench.reader().view();
    let handle = async |entry: Entry| if entry.key == "c" { Err(Mine::Full) } else { Ok(()) };
    let stopped = block_on(view.catch_up(&CatchUpOptions::default(), handle)).unwrap_err();
    assert_eq!(stopped, CatchUpError { progress: result("b", 2, false), cause: Mine::Full });
    // An expired view is one of the errors of reading, and `?` makes it one of the engine.
    bench.host.advance(Duration::from_secs(3_601));
    let stopped = block_on(view.catch_up(&after("b"), handle)).unwrap_err();
    assert!(matches!(stopped.cause, Mine::Db(Error::ViewExpired { .. })) && stopped.progress.count == 0);
    assert!(stopped.to_string().starts_with("stopped behind 0 entries: "), "{stopped}");
}

#[test]
fn a_catch_up_that_outlives_its_view_goes_on_in_a_newer_one() {
    let mut bench = Bench::new();
    let many: Vec<String> = (0..40).map(|i| format!("k{i:02}")).collect();
    for key in &many {
        // So that much is still to be loaded when the view expires.
        bench.puts(&[key]);
    }
    let reader = bench.reader();
    let host = bench.host.clone();
    let seen = RefCell::<Vec<Entry>>::default();
    let handle = async |entry: Entry| -> Result<()> {
        if seen.borrow().len() % 7 == 3 {
            host.advance(Duration::from_secs(3_601));
        }
        seen.borrow_mut().push(entry);
        Ok(())
    };
    assert_eq!(
        block_on(reader.catch_up(&CatchUpOptions::default(), handle)).unwrap(),
        result("k39", 40, false)
    );
    assert_eq!(keys(&seen), many);
}

#[test]
fn tail_shows_what_comes_behind_the_last_key_and_nothing_below_it() {
    let bench = RefCell::new(Bench::new());
    bench.borrow_mut().puts(&["b", "d"]);
    let (tailing, meter, host) = {
        let bench = bench.borrow();
        (bench.tailing(), bench.meter.clone(), bench.host.clone())
    };
    let seen = RefCell::<Vec<Entry>>::default();
    let handle = async |entry: Entry| -> Result<()> {
        let next: &[&str] = match &entry.key[..] {
            // The first pass is over then: what is in front of "d" comes too late.
            b"d" => &["a", "c", "d\0", "e"],
            b"e" => &["f"],
            _ => &[],
        };
        if !next.is_empty() {
            bench.borrow_mut().puts(next);
        }
        seen.borrow_mut().push(entry);
        Ok(())
    };
    let options = CatchUpOptions { limit: Some(5), ..CatchUpOptions::default() };
    let began_ms = host.now_ms();
    assert_eq!(block_on(tailing.tail(&options, handle)).unwrap(), result("f", 5, true));
    assert_eq!(keys(&seen), ["b", "d", "d\0", "e", "f"]);
    assert_eq!(host.now_ms() - began_ms, 2 * 1_000, "two intervals");
    // Two refreshes beside the one that opened it, and three tables of which one is behind the keys wanted later.
    assert_eq!(meter.cost().requests(), 1 + 2 + 3);
    let error = block_on(tailing.tail(&options, async |_| Err::<(), _>(Mine::Full))).unwrap_err();
    assert_eq!((error.cause, error.progress.count), (Mine::Full, 0));
}

#[test]
fn an_idle_tail_costs_one_conditional_get_an_interval() {
    let mut bench = Bench::new();
    bench.puts(&["a"]);
    let tailing = bench.tailing();
    let all = CatchUpOptions::default();
    let mut tail = Box::pin(tailing.tail(&all, async |_| Ok::<_, Error>(())));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let (mut looks, began_ms, before) = (0, bench.host.now_ms(), bench.meter.cost());
    while looks < 100 {
        assert!(tail.as_mut().poll(&mut context).is_pending());
        looks = bench.meter.cost().requests() - before.requests();
    }
    let seconds = (bench.host.now_ms() - began_ms) / 1_000;
    // One of them read the table.
    assert!((98..=101).contains(&seconds), "{looks} requests in {seconds} s");
}

#[test]
fn options_have_bounds() {
    let defaults = TailingReaderOptions::default();
    assert_eq!((defaults.refresh_interval_ms, defaults.reader), (1_000, ReaderOptions::default()));
    let bench = Bench::new();
    for (refresh_interval_ms, good) in [(0, false), (1, true), (3_600_000, true), (3_600_001, false)] {
        let options = TailingReaderOptions { refresh_interval_ms, ..defaults };
        match block_on(TailingReader::open(bench.source.clone(), options)) {
            Ok(_) => assert!(good),
            Err(error) => assert!(!good && error.to_string().contains("refresh_interval_ms"), "{error}"),
        }
    }
}

/// Keys at the edges, where counting a key up would skip some: `ff` and `ff 00`, `61` and `61 00`.
fn edgy_key() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(0xff), Just(b'a')], 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_add_up_to_the_live_keys_within_the_bounds(
        commits in vec(btree_map(edgy_key(), any::<bool>(), 1..8), 1..5),
        min in proptest::option::of(edgy_key()),
        max in proptest::option::of(edgy_key()),
        first in proptest::option::of(edgy_key()),
        limit in 1..4_u64,
    ) {
        let mut bench = Bench::new();
        let mut live: BTreeMap<&[u8], bool> = BTreeMap::new();
        for commit in &commits {
            bench.commit(commit.iter().map(|(key, put)| (&key[..], put.then_some(&b"v"[..]))));
            live.extend(commit.iter().map(|(key, put)| (&key[..], *put)));
        }
        let expected: Vec<&[u8]> = live
            .into_iter()
            .filter_map(|(key, put)| put.then_some(key))
            .filter(|key| min.as_ref().is_none_or(|min| *key >= &min[..]))
            .filter(|key| max.as_ref().is_none_or(|max| *key <= &max[..]))
            .filter(|key| first.as_ref().is_none_or(|first| *key > &first[..]))
            .collect();
        let view = bench.reader().view();
        let seen = RefCell::new(Vec::new());
        let mut options = CatchUpOptions {
            min_key: min.map(Bytes::from),
            max_key: max.map(Bytes::from),
            start_after_key: first.map(Bytes::from),
            limit: Some(limit),
        };
        loop {
            let handle = async |entry: Entry| {
                seen.borrow_mut().push(entry.key);
                Ok::<_, Error>(())
            };
            let piece = block_on(view.catch_up(&options, handle)).unwrap();
            prop_assert_eq!(piece.last_key.is_some(), piece.count > 0);
            prop_assert_eq!(piece.truncated, piece.count == limit);
            if !piece.truncated {
                break;
            }
            options.start_after_key = piece.last_key;
        }
        prop_assert_eq!(seen.into_inner(), expected);
    }
}
