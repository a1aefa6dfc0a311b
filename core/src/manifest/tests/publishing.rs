use super::*;
use crate::error::Error;
use faulty::Fault::{AnswerLost, Denied, Fine, NotApplied};

#[test]
fn a_flush_is_two_requests_in_series() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    bench.storage.take_requests();
    let published = committed(block_on(writer.publish(bench.flush(1, 3))));
    assert_eq!(published.slot, 2);
    let requests = bench.storage.take_requests();
    assert_eq!(requests.into_iter().collect::<Vec<_>>(), [("put current", 1), ("put log", 1)]);
    assert_eq!(bench.ids(), ["1-1-3-1.sst"]);
    assert_eq!(bench.view().next_sequence(), 4);
}

#[test]
fn a_lost_answer_never_commits_twice() {
    for (log, current) in [
        (AnswerLost, Fine),
        (NotApplied, Fine),
        (Fine, AnswerLost),
        (Fine, NotApplied),
        (AnswerLost, AnswerLost),
        (NotApplied, NotApplied),
    ] {
        let bench = Bench::new();
        let mut writer = bench.claim("w");
        bench.storage.next_log_puts(&[log]);
        bench.storage.next_current_puts(&[current]);
        committed(block_on(writer.publish(bench.flush(1, 1))));
        committed(block_on(writer.publish(bench.flush(2, 2))));
        assert_eq!(bench.ids(), ["1-2-2-1.sst", "1-1-1-1.sst"], "{log:?} {current:?}");
        assert_eq!(bench.view().current.next_seq, 4, "no slot is wasted");
    }
}

#[test]
fn an_unreachable_store_leaves_the_outcome_open_and_the_next_call_settles_it() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    bench.storage.next_log_puts(&[AnswerLost]);
    bench.storage.reads_fail(true);
    let error = block_on(writer.publish(bench.flush(1, 5))).unwrap_err();
    let Error::OutcomeUnknown { first_sequence: 1, last_sequence: 5, retry: true, .. } = error else {
        panic!("{error}");
    };
    assert!(writer.is_pending());
    bench.storage.reads_fail(false);
    assert!(bench.ids().is_empty(), "CURRENT does not cover it yet");
    let settled = block_on(writer.resume()).transpose().unwrap();
    assert_eq!(committed(settled).slot, 2);
    assert_eq!(bench.ids(), ["1-1-5-1.sst"]);
    assert!(block_on(writer.resume()).unwrap().is_none());
}

#[test]
fn a_refusal_that_no_repetition_cures_is_told_and_loses_nothing() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    bench.storage.next_log_puts(&[Denied]);
    let error = block_on(writer.publish(bench.flush(1, 1))).unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    let settled = block_on(writer.resume()).transpose().unwrap();
    committed(settled);
    assert_eq!(bench.ids(), ["1-1-1-1.sst"]);
}

#[test]
fn a_decided_slot_is_covered_for_its_author() {
    let bench = Bench::new();
    let mut dying = bench.claim("dying");
    // The slot is decided, and its author dies before CURRENT covers it.
    bench.storage.next_current_puts(&[NotApplied]);
    bench.storage.reads_fail(true);
    assert!(block_on(dying.publish(bench.flush(1, 2))).unwrap_err().leaves_outcome_open());
    bench.storage.reads_fail(false);
    drop(dying);
    assert!(bench.ids().is_empty());
    let mut next = bench.claim("next");
    assert_eq!(bench.ids(), ["1-1-2-1.sst"], "the claim had to help it first");
    assert_eq!(next.next_sequence(), 3, "and its sequence numbers are taken");
    committed(block_on(next.publish(bench.flush(3, 3))));
    assert_eq!(bench.ids(), ["1-3-3-1.sst", "1-1-2-1.sst"]);
}

#[test]
fn a_claim_that_cannot_cover_what_is_decided_times_out() {
    let bench = Bench::new();
    let mut dying = bench.claim("dying");
    bench.storage.next_current_puts(&[NotApplied]);
    bench.storage.reads_fail(true);
    block_on(dying.publish(bench.flush(1, 2))).unwrap_err();
    bench.storage.reads_fail(false);
    bench.storage.next_current_puts(&[NotApplied; 1000]);
    let Err(error) = bench.try_claim("next", ClaimOptions::default()) else { panic!("it covered the slot") };
    assert!(matches!(error, Error::Timeout { limit_ms: 5_000, .. }), "{error}");
    bench.storage.no_more_faults();
    bench.claim("next");
    assert_eq!(bench.ids(), ["1-1-2-1.sst"]);
}

#[test]
fn a_fenced_writer_commits_nothing() {
    let bench = Bench::new();
    let mut old = bench.claim("old");
    committed(block_on(old.publish(bench.flush(1, 1))));
    let mut new = bench.claim("new");
    assert!(new.previous().unwrap().owner.starts_with("old~"));
    let error = block_on(old.publish(bench.flush(2, 2))).unwrap_err();
    let Error::Fenced { role: "writer", holder, epoch: 2 } = &error else { panic!("{error}") };
    assert!(holder.starts_with("new~"));
    committed(block_on(new.publish(bench.flush(2, 2))));
    assert_eq!(bench.ids(), ["1-2-2-1.sst", "1-1-1-1.sst"]);
}

#[test]
fn two_roles_commit_side_by_side() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    let storage: Arc<dyn ManifestStorage> = bench.storage.clone();
    let options = ClaimOptions::default();
    let claim = Publisher::claim(storage, bench.host(), Role::Maintenance, &options, bench.view());
    let mut owner = block_on(claim).unwrap();
    for i in 1..=5 {
        committed(block_on(writer.publish(bench.flush(i, i))));
        let removed = Draft::removal(vec![format!("1-{i}-{i}-1.sst")]);
        if i % 2 == 0 {
            block_on(owner.refresh()).unwrap();
            committed(block_on(owner.publish(removed)));
        }
    }
    let view = bench.view();
    let ids: Vec<&str> = view.state().l0.iter().map(|table| table.id.as_str()).collect();
    assert_eq!(ids, ["1-5-5-1.sst", "1-3-3-1.sst", "1-1-1-1.sst"]);
    assert_eq!(view.next_sequence(), 6);
}

#[test]
fn an_old_upload_is_made_again_before_the_slot_is_put() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    let draft = bench.flush(1, 1);
    bench.clock.advance_ms(13 * 3_600_000);
    let attempt = block_on(writer.publish(draft)).unwrap();
    assert!(matches!(attempt, Attempt::Stale));
    let mut again = table(1, 1);
    again.id = "1-1-1-2.sst".to_owned();
    writer.renew(Draft::flush(Arc::new(again), Moment::now(&bench.clock)));
    committed(block_on(writer.resume()).transpose().unwrap());
    assert_eq!(bench.ids(), ["1-1-1-2.sst"]);
}

#[test]
fn an_old_base_is_read_again() {
    let bench = Bench::new();
    let mut writer = bench.claim("w");
    bench.clock.advance_ms(31 * 60_000);
    bench.storage.take_requests();
    committed(block_on(writer.publish(bench.flush(1, 1))));
    assert_eq!(bench.storage.take_requests().get("get current"), Some(&1));
}
