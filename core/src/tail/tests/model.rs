//! Random histories, tailed while they are written.

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
        2 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_change_comes_once_and_in_order(
        before in vec(step(), 0..6),
        steps in vec(step(), 1..24),
        max_buffer_bytes in prop_oneof![Just(1_u64), Just(400), Just(1 << 20)],
    ) {
        let mut bench = Bench::new();
        let mut tailers: Vec<(Tailer, Vec<Change>)> = Vec::new();
        let options = |start| TailOptions { start, max_buffer_bytes, ..TailOptions::default() };
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
        prop_assert_eq!(writes(&begin.1), written(&bench.history));
        prop_assert_eq!(writes(&now.1), written(&bench.history[committed_before..]));
        check(&bootstrap.1, &bench.history);
    }
}
