//! Random histories, tailed while they are written: all keys, or some.

use std::ops::Bound;
use std::pin::pin;
use std::task::Context;

use futures::FutureExt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::bootstrap::check;
use super::*;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Flush(Vec<(u8, Option<u8>)>),
    Snapshot,
    Reclaim,
    Compact,
    /// Views become too old.
    Age,
    /// Each tailer takes up to so many changes.
    Take(usize),
    /// The same, at once.
    Batch(usize),
    /// Each tailer is opened anew from its cursor.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec((0..20_u8, proptest::option::of(any::<u8>())), 1..8).prop_map(Step::Flush),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Reclaim),
        1 => Just(Step::Compact),
        2 => Just(Step::Age),
        5 => (1..7_usize).prop_map(Step::Take),
        2 => (1..7_usize).prop_map(Step::Batch),
        2 => Just(Step::Reopen),
    ]
}

/// The keys that are followed: all, or those of a prefix and between two bounds.
#[derive(Debug, Clone)]
struct Keys {
    prefix: Option<Bytes>,
    start: Bound<Bytes>,
    end: Bound<Bytes>,
}

impl Keys {
    fn of(&self, history: &[Write]) -> Vec<Write> {
        let wanted = |key: &Bytes| {
            let above = match &self.start {
                Bound::Included(start) => key >= start,
                Bound::Excluded(start) => key > start,
                Bound::Unbounded => true,
            };
            let below = match &self.end {
                Bound::Included(end) => key <= end,
                Bound::Excluded(end) => key < end,
                Bound::Unbounded => true,
            };
            above && below && self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix))
        };
        history.iter().filter(|write| wanted(&write.key)).cloned().collect()
    }
}

fn keys() -> impl Strategy<Value = Keys> {
    let key = |n: u8| Bytes::from(format!("k{n:02}"));
    let prefix =
        prop_oneof![2 => Just(None), 1 => Just(Some(Bytes::from("k"))), 1 => Just(Some(Bytes::from("k1")))];
    let start = prop_oneof![
        2 => Just(Bound::Unbounded),
        1 => (0..12_u8).prop_map(move |n| Bound::Included(key(n))),
        1 => (0..12_u8).prop_map(move |n| Bound::Excluded(key(n))),
    ];
    let end = prop_oneof![
        2 => Just(Bound::Unbounded),
        1 => (13..20_u8).prop_map(move |n| Bound::Included(key(n))),
        1 => (13..20_u8).prop_map(move |n| Bound::Excluded(key(n))),
    ];
    (prefix, start, end).prop_map(|(prefix, start, end)| Keys { prefix, start, end })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_change_comes_once_and_in_order(
        before in vec(step(), 0..6),
        steps in vec(step(), 1..24),
        max_buffer_bytes in prop_oneof![Just(1_u64), Just(400), Just(1 << 20)],
        keys in keys(),
    ) {
        let mut bench = Bench::new();
        let mut tailers: Vec<(Tailer, Vec<Change>)> = Vec::new();
        let options = |start| TailOptions {
            start,
            max_buffer_bytes,
            prefix: keys.prefix.clone(),
            start_key: keys.start.clone(),
            end_key: keys.end.clone(),
            ..TailOptions::default()
        };
        let mut committed_before = 0;
        // So many keys that a bootstrap is often under way.
        let all = Step::Flush((0..20).map(|key| (key, Some(0))).collect());
        let opening = before.len() + 1;
        for (i, step) in [all].into_iter().chain(before).chain(steps).enumerate() {
            if i == opening {
                committed_before = bench.history.len();
                for start in [TailStart::Begin, TailStart::Now, TailStart::Bootstrap] {
                    tailers.push((bench.open_with(options(start)).unwrap(), Vec::new()));
                }
            }
            match step {
                Step::Flush(writes) => {
                    let writes: Vec<_> = writes
                        .into_iter()
                        .map(|(key, value)| match value {
                            Some(value) => put(&format!("k{key:02}"), &value.to_string()),
                            None => delete(&format!("k{key:02}")),
                        })
                        .collect();
                    bench.flush(&writes);
                }
                Step::Snapshot => bench.snapshot(),
                Step::Reclaim => bench.reclaim(),
                Step::Compact => bench.compact(),
                Step::Age => bench.clock.advance_ms(3_700_000),
                Step::Take(n) => {
                    for (tailer, changes) in &mut tailers {
                        for _ in 0..n {
                            changes.extend(block_on(tailer.try_next()).unwrap());
                        }
                    }
                }
                Step::Batch(n) => {
                    let mut context = Context::from_waker(futures::task::noop_waker_ref());
                    for (tailer, changes) in &mut tailers {
                        // It waits where there is nothing, and is dropped then.
                        let mut batch = pin!(tailer.next_batch(n, 1 << 20));
                        for _ in 0..60 {
                            if let Poll::Ready(batch) = batch.poll_unpin(&mut context) {
                                changes.extend(batch.unwrap());
                                break;
                            }
                        }
                    }
                }
                Step::Reopen => {
                    for (tailer, _) in &mut tailers {
                        *tailer = bench.open_with(options(TailStart::Cursor(kept(&tailer.cursor())))).unwrap();
                    }
                }
            }
        }
        for (tailer, changes) in &mut tailers {
            changes.extend(drain(tailer));
        }
        let [begin, now, bootstrap] = tailers.try_into().unwrap();
        prop_assert_eq!(writes(&begin.1), written(&keys.of(&bench.history)));
        prop_assert_eq!(writes(&now.1), written(&keys.of(&bench.history[committed_before..])));
        check(&bootstrap.1, &keys.of(&bench.history));
    }
}
