//! The disk cache against the store itself: the same reads, the same answers, never more requests.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

mod cached;

use std::ops::Range;

use cached::{Cached, get, table};
use proptest::prelude::*;

/// Sizes around the borders of chunks of 4 KiB.
const SIZES: [u64; 8] = [1, 4_095, 4_096, 4_097, 12_288, 50_000, 131_073, 400_000];

#[derive(Debug, Clone)]
enum Step {
    /// Several reads of one table at once.
    Read { number: usize, ranges: Vec<Range<u64>>, whole: bool },
    /// Another process.
    Restart,
    /// A byte of the file is flipped, at this part of a million of its length.
    Flip(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let range = (0..410_000_u64, prop_oneof![1..100_u64, 1..10_000_u64, 1..300_000_u64])
        .prop_map(|(start, length)| start..start + length);
    prop_oneof![
        12 => (0..SIZES.len(), prop::collection::vec(range, 1..5), any::<bool>())
            .prop_map(|(number, ranges, whole)| Step::Read { number, ranges, whole }),
        1 => Just(Step::Restart),
        3 => (0..1_000_000_u64).prop_map(Step::Flip),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn reads_are_those_of_the_store(steps in prop::collection::vec(step(), 1..30), settles: bool) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(steps, settles));
    }
}

async fn run(steps: Vec<Step>, settles: bool) {
    let folder = tempfile::tempdir().unwrap();
    let mut at = Cached::over_new_store(folder.path(), 4_096).await;
    let mut bodies = Vec::new();
    for (number, size) in (0..).zip(SIZES) {
        bodies.push(at.put_table(number, size).await);
    }
    for step in steps {
        match step {
            Step::Restart => {
                at.cache.settled().await;
                at = at.reopened(folder.path(), 4_096);
            }
            Step::Flip(part) => {
                let Ok(mut bytes) = std::fs::read(cached::file(folder.path())) else { continue };
                if bytes.is_empty() {
                    continue;
                }
                let flipped = bytes.len() * part as usize / 1_000_000;
                bytes[flipped] ^= 0x40;
                std::fs::write(cached::file(folder.path()), bytes).unwrap();
            }
            Step::Read { number, ranges, whole } => {
                let (name, body, before) = (table(number as u64), &bodies[number], at.meter.cost());
                let mut asked: Vec<Option<Range<u64>>> = ranges.into_iter().map(Some).collect();
                asked.extend(whole.then_some(None));
                let reads = asked.iter().map(|range| get(&at.store, &name, range.clone()));
                let answers = futures::future::join_all(reads).await;
                let mut beyond = 0;
                for (range, answer) in asked.iter().zip(answers) {
                    let range = range.clone().unwrap_or(0..body.len() as u64);
                    match answer {
                        Ok(bytes) => assert_eq!(bytes, body[range.start as usize..range.end as usize]),
                        Err(error) => {
                            assert!(range.end > body.len() as u64, "{range:?}: {error}");
                            beyond += 1;
                        }
                    }
                }
                // A read behind the end is asked for again as it is, so that the error is the store's own; whoever waited for it
                // asks for himself.
                let (gets, _) = at.since(&before);
                let most = if beyond > 0 { 2 * asked.len() as u64 } else { asked.len() as u64 };
                assert!(gets <= most, "{gets} requests for {asked:?}");
            }
        }
        if settles {
            at.cache.settled().await;
        }
        assert!(cached::bytes_in(folder.path()) <= at.max_bytes);
    }
}
