//! The LSNs in CURRENT: what each entry does to them, whoever covers its slot, and that they bound what is visible at every
//! moment.

use proptest::prelude::*;

use super::faulty::Fault::{self, AnswerLost, Fine, NotApplied};
use super::*;
use crate::error::Error;
use crate::format::manifest::{Compaction, Current, LogEntry, Op, SortedRun};
use crate::manifest::{BigEndianLsn, LsnExtractor, Replay};

fn key(lsn: u64) -> Bytes {
    Bytes::copy_from_slice(&lsn.to_be_bytes())
}

fn options() -> ClaimOptions {
    ClaimOptions { lsn: Some(Arc::new(BigEndianLsn)), ..ClaimOptions::default() }
}

fn lsns_of(current: &Current) -> (Option<u64>, Option<u64>) {
    (current.low_watermark_lsn, current.max_committed_lsn)
}

fn of_lsns(id: &str, seq: u64, low: u64, high: u64) -> SstMeta {
    SstMeta { id: id.to_owned(), min_key: key(low), max_key: key(high), ..table(seq, seq) }
}

fn removal(ids: &[String]) -> Draft {
    Draft::removal(ids.to_vec())
}

impl Bench {
    fn flush_lsns(&self, id: &str, seq: u64, low: u64, high: u64) -> Draft {
        Draft::flush(Arc::new(of_lsns(id, seq, low, high)), Moment::now(&self.clock))
    }

    fn lsns(&self) -> (Option<u64>, Option<u64>) {
        lsns_of(&block_on(self.storage.current()))
    }
}

#[test]
fn keys_of_eight_bytes_are_numbers_and_others_are_none() {
    assert_eq!(BigEndianLsn.lsn(&[0, 0, 0, 0, 0, 0, 1, 2]), Ok(Some(258)));
    assert_eq!(BigEndianLsn.lsn(&[0xff; 8]), Ok(Some(u64::MAX)));
    assert_eq!(
        (BigEndianLsn.lsn(b""), BigEndianLsn.lsn(b"1234567"), BigEndianLsn.lsn(b"123456789")),
        (Ok(None), Ok(None), Ok(None))
    );
}

#[test]
fn a_flush_moves_both_in_the_write_that_makes_it_visible() {
    let bench = Bench::new();
    let mut writer = bench.try_claim("w", options()).unwrap();
    assert_eq!(bench.lsns(), (None, None));
    bench.storage.take_requests();
    committed(block_on(writer.publish(bench.flush_lsns("a.sst", 1, 10, 19))));
    assert_eq!(bench.storage.take_requests().get("put current"), Some(&1));
    assert_eq!(bench.lsns(), (Some(10), Some(19)));
    committed(block_on(writer.publish(bench.flush_lsns("b.sst", 2, 20, 29))));
    assert_eq!(bench.lsns(), (Some(10), Some(29)));
    committed(block_on(writer.publish(bench.flush_lsns("c.sst", 3, 5, 7))));
    assert_eq!(bench.lsns(), (Some(5), Some(29)), "what comes late lowers the one and not the other");
    committed(block_on(writer.publish(bench.flush(4, 4))));
    assert_eq!(bench.lsns(), (Some(5), Some(29)), "keys without an LSN leave both");
}

#[test]
fn a_removal_raises_low_and_keeps_max_and_the_last_one_removes_low() {
    let bench = Bench::new();
    let mut owner = bench.try_claim("w", options()).unwrap();
    for (i, id) in ["a.sst", "b.sst"].into_iter().enumerate() {
        let (seq, low) = (i as u64 + 1, i as u64 * 10);
        committed(block_on(owner.publish(bench.flush_lsns(id, seq, low, low + 9))));
    }
    committed(block_on(owner.publish(removal(&["a.sst".to_owned()]))));
    assert_eq!(bench.lsns(), (Some(10), Some(19)));
    committed(block_on(owner.publish(removal(&["b.sst".to_owned()]))));
    assert_eq!(bench.lsns(), (None, Some(19)));
    committed(block_on(owner.publish(bench.flush_lsns("c.sst", 3, 30, 31))));
    assert_eq!(bench.lsns(), (Some(30), Some(31)));
}

#[test]
fn owners_without_an_extractor_leave_both_and_a_claim_with_one_fills_in_what_is_missing() {
    let bench = Bench::new();
    let mut plain = bench.claim("plain");
    committed(block_on(plain.publish(bench.flush_lsns("a.sst", 1, 10, 19))));
    assert_eq!(bench.lsns(), (None, None));
    bench.try_claim("w", options()).unwrap();
    assert_eq!(bench.lsns(), (Some(10), Some(19)));
    let mut plain = bench.claim("plain");
    committed(block_on(plain.publish(bench.flush_lsns("b.sst", 2, 20, 29))));
    committed(block_on(plain.publish(removal(&["a.sst".to_owned()]))));
    assert_eq!(bench.lsns(), (Some(10), Some(19)));
}

#[test]
fn an_entry_of_the_original_is_covered_with_what_it_would_have_set() {
    let bench = Bench::new();
    let mut dying = bench.try_claim("dying", options()).unwrap();
    bench.storage.next_current_puts(&[NotApplied]);
    bench.storage.reads_fail(true);
    block_on(dying.publish(bench.flush_lsns("a.sst", 1, 10, 19))).unwrap_err();
    bench.storage.reads_fail(false);
    // The same slot as the original would have put it.
    let raw = block_on(bench.storage.inner.read_log(2)).unwrap();
    let mut entry = LogEntry::decode("log", 2, &raw).unwrap();
    assert!(entry.effects.take().is_some());
    let bare = Bench::new();
    drop(bare.try_claim("w", options()).unwrap());
    block_on(bare.storage.inner.write_log(2, entry.encode())).unwrap();
    for bench in [bench, bare] {
        bench.try_claim("next", options()).unwrap();
        assert_eq!(bench.lsns(), (Some(10), Some(19)));
    }
}

/// Fails while it is told to, and is [`BigEndianLsn`] else.
#[derive(Default)]
struct Sometimes {
    fails: std::sync::atomic::AtomicBool,
}

impl Sometimes {
    fn fail(&self, fails: bool) {
        self.fails.store(fails, std::sync::atomic::Ordering::Relaxed);
    }
}

impl LsnExtractor for Sometimes {
    fn lsn(&self, key: &[u8]) -> Result<Option<u64>> {
        if self.fails.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::invalid("trap"));
        }
        BigEndianLsn.lsn(key)
    }
}

#[test]
fn a_failing_extractor_fails_the_commit_and_moves_nothing_and_the_next_call_commits() {
    let bench = Bench::new();
    let lsn = Arc::new(Sometimes::default());
    let options = || ClaimOptions { lsn: Some(lsn.clone()), ..ClaimOptions::default() };
    let mut writer = bench.try_claim("w", options()).unwrap();
    committed(block_on(writer.publish(bench.flush_lsns("0.sst", 1, 5, 9))));
    committed(block_on(writer.publish(bench.flush_lsns("a.sst", 2, 10, 19))));
    lsn.fail(true);
    bench.storage.take_requests();
    let error = block_on(writer.publish(bench.flush_lsns("b.sst", 3, 20, 29))).unwrap_err();
    let failed =
        |key| format!(r#"invalid argument: LSN extractor: key "\x00\x00\x00\x00\x00\x00\x00{key}": trap"#);
    assert_eq!(error.to_string(), failed(r"\x1d"));
    assert!(!error.leaves_outcome_open() && !writer.is_pending());
    assert!(bench.storage.take_requests().is_empty(), "not even a slot was asked for");
    assert_eq!(bench.lsns(), (Some(5), Some(19)));
    let error = block_on(writer.publish(removal(&["a.sst".to_owned()]))).unwrap_err();
    assert_eq!(error.to_string(), failed(r"\x05"), "a job fails as a commit does");
    lsn.fail(false);
    committed(block_on(writer.publish(bench.flush_lsns("b.sst", 3, 20, 29))));
    assert_eq!(bench.lsns(), (Some(5), Some(29)));
}

/// It cannot be covered without LSNs: they would be wrong for good.
#[test]
fn an_entry_of_the_original_is_not_covered_while_the_extractor_fails() {
    let bench = Bench::new();
    let lsn = Arc::new(Sometimes::default());
    let options = || ClaimOptions { lsn: Some(lsn.clone()), ..ClaimOptions::default() };
    let mut dying = bench.try_claim("dying", options()).unwrap();
    let other = Bench::new();
    let mut original = other.try_claim("w", options()).unwrap();
    committed(block_on(original.publish(bench.flush_lsns("a.sst", 1, 10, 19))));
    let raw = block_on(other.storage.inner.read_log(2)).unwrap();
    let mut entry = LogEntry::decode("log", 2, &raw).unwrap();
    assert!(entry.effects.take().is_some());
    block_on(bench.storage.inner.write_log(2, entry.encode())).unwrap();
    lsn.fail(true);
    let error = block_on(dying.publish(bench.flush_lsns("b.sst", 2, 20, 29))).unwrap_err();
    assert!(error.to_string().contains("LSN extractor: key "), "{error}");
    assert_eq!((bench.lsns(), dying.is_pending()), ((None, None), false));
    lsn.fail(false);
    committed(block_on(dying.publish(bench.flush_lsns("b.sst", 2, 20, 29))));
    assert_eq!(bench.lsns(), (Some(10), Some(29)));
}

/// What one turn of the script does, and what happens to its writes.
#[derive(Debug, Clone)]
struct Turn {
    act: Act,
    log: Fault,
    current: Fault,
    /// Reads fail too: the call ends with its slot open.
    silence: bool,
}

#[derive(Debug, Clone)]
enum Act {
    Flush(u64),
    /// Merge all tables into one run.
    Merge,
    /// Remove the oldest tables, all but so many.
    Keep(usize),
    /// The owner is gone, whatever it had open; another one claims.
    Crash,
    Snapshot,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let act = prop_oneof![
        4 => (1u64..5).prop_map(Act::Flush),
        1 => Just(Act::Merge),
        2 => (0usize..3).prop_map(Act::Keep),
        2 => Just(Act::Crash),
        1 => Just(Act::Snapshot),
    ];
    let fault = || prop_oneof![4 => Just(Fine), 1 => Just(AnswerLost), 1 => Just(NotApplied)];
    let turn = (act, fault(), fault(), prop::bool::weighted(0.2))
        .prop_map(|(act, log, current, silence)| Turn { act, log, current, silence });
    prop::collection::vec(turn, 1..24)
}

/// A writer and a maintenance owner are one owner here: the effects depend on the state and not on the role.
fn play(turns: &[Turn]) -> Bench {
    let bench = Bench::new();
    let mut owner = bench.try_claim("w", options()).unwrap();
    let (mut seq, mut lsn) = (1, 100);
    for (turn_number, turn) in turns.iter().enumerate() {
        if let Act::Crash = turn.act {
            owner = bench.try_claim("w", options()).unwrap();
            continue;
        }
        while owner.is_pending() {
            let _ = block_on(owner.resume());
        }
        if block_on(owner.refresh()).is_err() {
            continue;
        }
        let tables: Vec<SstMeta> = owner.view().state().tables().map(|table| (**table).clone()).collect();
        let runs = owner.view().state().runs.iter().map(|run| run.id).collect();
        let ids: Vec<String> = tables.iter().map(|table| table.id.clone()).collect();
        let id = format!("{turn_number}.sst");
        let draft = match turn.act {
            Act::Flush(count) => {
                let draft = bench.flush_lsns(&id, seq, lsn, lsn + count - 1);
                (seq, lsn) = (seq + 1, lsn + count);
                draft
            }
            Act::Merge => {
                let (Some(low), Some(high)) = (
                    tables.iter().map(|table| table.min_key.clone()).min(),
                    tables.iter().map(|table| table.max_key.clone()).max(),
                ) else {
                    continue;
                };
                let merged = SstMeta { id, min_key: low, max_key: high, level: 1, ..table(1, seq) };
                let run = SortedRun { id: turn_number as u32, ssts: vec![Arc::new(merged)] };
                let job = Compaction {
                    remove_sstable_ids: ids,
                    remove_sorted_run_ids: runs,
                    add_sorted_run: Some(run),
                    ..Compaction::default()
                };
                Draft { op: Op::Compaction(job), reliances: Vec::new(), moved: Vec::new() }
            }
            Act::Keep(count) => {
                let mut oldest = tables.clone();
                oldest.sort_by(|a, b| b.max_key.cmp(&a.max_key));
                let gone: Vec<String> = oldest.into_iter().skip(count).map(|table| table.id).collect();
                if gone.is_empty() {
                    continue;
                }
                removal(&gone)
            }
            Act::Snapshot => {
                let _ = block_on(owner.write_snapshot());
                continue;
            }
            Act::Crash => continue,
        };
        bench.storage.next_log_puts(&[turn.log]);
        bench.storage.next_current_puts(&[turn.current]);
        bench.storage.reads_fail(turn.silence);
        let _ = block_on(owner.publish(draft));
        bench.storage.reads_fail(false);
        bench.storage.no_more_faults();
    }
    bench
}

/// The tables that a reader of this CURRENT sees.
async fn visible(bench: &Bench, current: &Current) -> Vec<SstMeta> {
    let layout = bench.storage.layout();
    let snapshot = if current.snapshot.is_empty() {
        None
    } else {
        let id = layout.snapshot_id_of(&current.snapshot).unwrap();
        let bytes = bench.storage.inner.read_snapshot(&id).await.unwrap();
        Some(crate::format::manifest::Snapshot::decode("snapshot", &bytes).unwrap())
    };
    let mut entries = Vec::new();
    for slot in current.window() {
        let raw = bench.storage.inner.read_log(slot).await.unwrap();
        entries.push(LogEntry::decode("log", slot, &raw).unwrap());
    }
    let replay = Replay::full(current, snapshot, &entries).unwrap();
    replay.state.tables().map(|table| (**table).clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Append-only ascending keys, lost answers, crashes between slot and CURRENT, entries covered by others: in every
    /// CURRENT that was ever committed, low <= each visible LSN <= max, and max never fell.
    #[test]
    fn at_every_committed_current_both_bound_what_is_visible(turns in turns()) {
        let bench = play(&turns);
        let mut highest = None;
        for current in bench.storage.history() {
            let tables = block_on(visible(&bench, &current));
            let (low, max) = lsns_of(&current);
            prop_assert!(max >= highest, "{max:?} fell below {highest:?}");
            highest = max;
            prop_assert_eq!(low.is_none(), tables.is_empty(), "low is there while tables are");
            let first = tables.iter().map(|table| BigEndianLsn.lsn(&table.min_key).unwrap().unwrap()).min();
            let last = tables.iter().map(|table| BigEndianLsn.lsn(&table.max_key).unwrap().unwrap()).max();
            prop_assert_eq!(low, first, "low is exact");
            prop_assert!(last <= max, "{last:?} is visible, max is {max:?}");
        }
    }
}
