use super::*;
use crate::error::Error;
use crate::format::ksuid::Ksuid;
use crate::format::manifest::{Effects, FenceToken, LogEntry, Op};
use crate::format::time::Timestamp;
use faulty::Fault::{AnswerLost, NotApplied};

#[test]
fn a_first_claim_makes_the_database() {
    let bench = Bench::new();
    assert!(!bench.view().exists());
    let writer = bench.claim("w");
    let current = block_on(bench.storage.current());
    assert_eq!((current.log_seq_start, current.next_seq, current.next_epoch), (1, 2, 1));
    assert_eq!(current.feed_floor_seq, Some(1));
    assert_eq!(current.max_view_age_ms, Some(3_600_000));
    assert_eq!(current.next_sequence, Some(1));
    let fence = current.writer_fence.unwrap();
    assert_eq!((fence.epoch, fence.owner.as_str()), (1, writer.owner()));
    assert!(writer.previous().is_none());
}

#[test]
fn a_claim_on_a_live_database_is_two_requests() {
    let bench = Bench::new();
    drop(bench.claim("a"));
    bench.storage.take_requests();
    drop(bench.claim("b"));
    let requests = bench.storage.take_requests();
    assert_eq!(
        requests.into_iter().collect::<Vec<_>>(),
        [("get current", 1), ("put current", 1), ("put log", 1)]
    );
}

#[test]
fn a_first_claim_that_died_half_way_is_helped() {
    let bench = Bench::new();
    bench.storage.next_current_puts(&[NotApplied; 64]);
    let dead = bench.try_claim("dead", ClaimOptions::default());
    assert!(dead.is_err());
    bench.storage.no_more_faults();
    let alive = bench.claim("alive");
    let current = block_on(bench.storage.current());
    assert_eq!(current.next_seq, 3, "slot 1 is the dead claim, slot 2 ours");
    assert_eq!((alive.epoch(), current.writer_fence.unwrap().epoch), (2, 2));
}

#[test]
fn a_log_that_lost_its_current_is_refused() {
    let bench = Bench::new();
    block_on(async {
        for slot in 1..=3 {
            bench.storage.inner.write_log(slot, Bytes::from_static(b"{}")).await.unwrap();
        }
    });
    let error = bench.try_claim("w", ClaimOptions::default()).err().unwrap();
    let Error::Corrupt { object, expected, .. } = &error else { panic!("{error}") };
    assert_eq!(object, "db/manifest/CURRENT");
    assert!(expected.contains("slot 3"), "{expected}");
}

#[test]
fn without_lists_a_new_database_is_made_and_a_log_without_current_is_refused() {
    let bench = Bench::new();
    bench.storage.cannot_list();
    bench.storage.next_current_puts(&[NotApplied; 64]);
    assert!(bench.try_claim("dead", ClaimOptions::default()).is_err());
    bench.storage.no_more_faults();
    assert_eq!(bench.claim("alive").epoch(), 2, "the claim that died half way is helped");

    let bench = Bench::new();
    bench.storage.cannot_list();
    block_on(async {
        for slot in 1..=2 {
            bench.storage.inner.write_log(slot, Bytes::from_static(b"{}")).await.unwrap();
        }
    });
    let error = bench.try_claim("w", ClaimOptions::default()).err().unwrap();
    assert!(matches!(&error, Error::Corrupt { expected, .. } if expected.contains("slot 2")), "{error}");
}

#[test]
fn lost_answers_of_a_claim_are_settled() {
    for log in [AnswerLost, NotApplied] {
        for current in [AnswerLost, NotApplied] {
            let bench = Bench::new();
            bench.storage.next_log_puts(&[log]);
            bench.storage.next_current_puts(&[current]);
            let mut writer = bench.claim("w");
            assert_eq!(writer.epoch(), 1, "{log:?} {current:?}");
            committed(block_on(writer.publish(bench.flush(1, 1))));
            assert_eq!(bench.ids(), ["1-1-1-1.sst"]);
        }
    }
}

#[test]
fn without_takeover_a_held_role_is_left_alone() {
    let bench = Bench::new();
    drop(bench.claim("holder"));
    let options = ClaimOptions { takeover: false, ..ClaimOptions::default() };
    let error = bench.try_claim("other", options).err().unwrap();
    assert!(matches!(error, Error::Fenced { epoch: 1, .. }), "{error}");
    assert_eq!(block_on(bench.storage.current()).next_seq, 2);
}

#[test]
fn settings_ride_on_the_claim_that_gave_them() {
    let bench = Bench::new();
    let options = ClaimOptions {
        max_view_age_ms: Some(7_000_000),
        change_retention_ms: Some(5),
        ..ClaimOptions::default()
    };
    drop(bench.try_claim("a", options).unwrap());
    drop(bench.claim("b"));
    let current = block_on(bench.storage.current());
    assert_eq!((current.max_view_age_ms, current.change_retention_ms), (Some(7_000_000), Some(5)));
}

/// A writer of the original has claimed (epoch 1) and flushed one table.
fn made_by_the_original(bench: &Bench, with_claim_entry: bool) {
    let at = Timestamp::from_unix_ns(1_776_000_000_000_000_000);
    let id = |n: u8| Ksuid::new(1_776_000_000_000_000_000, [n; 16]);
    let entry = |seq, op| LogEntry {
        id: id(seq as u8),
        seq,
        role: Role::Writer,
        epoch: 1,
        ts: at,
        op,
        effects: None,
    };
    let claim = Op::FenceClaim { role: Role::Writer, epoch: 1, owner: "writer-1-1".into(), claimed_at: at };
    let mut ops = vec![Op::AddSstable(Arc::new(table(1, 9)))];
    if with_claim_entry {
        ops.insert(0, claim);
    }
    let next_seq = ops.len() as u64 + 1;
    block_on(async {
        for (seq, op) in (1..).zip(ops) {
            let raw = Bytes::from(entry(seq, op).encode_plain());
            bench.storage.inner.write_log(seq, raw).await.unwrap();
        }
        let fence = FenceToken { epoch: 1, owner: "writer-1-1".into(), claimed_at: at };
        let made = |current: &mut crate::format::manifest::Current| {
            (current.log_seq_start, current.next_seq, current.next_epoch) = (1, next_seq, 2);
            current.writer_fence = Some(fence);
        };
        bench.storage.replace_current(made, true).await;
    });
}

#[test]
fn a_role_is_taken_from_an_original_fence_first() {
    for with_claim_entry in [true, false] {
        let bench = Bench::new();
        made_by_the_original(&bench, with_claim_entry);
        let mut writer = bench.claim("ours");
        assert_eq!(writer.previous().unwrap().owner, "writer-1-1");
        assert_eq!(writer.epoch(), 2);
        assert_eq!(writer.next_sequence(), 10);
        committed(block_on(writer.publish(bench.flush(10, 11))));
        assert_eq!(bench.ids(), ["1-10-11-1.sst", "1-1-9-1.sst"], "claim entry {with_claim_entry}");
        let current = block_on(bench.storage.current());
        let claim = if with_claim_entry { 3 } else { 2 };
        assert_eq!(current.feed_floor_seq, Some(claim), "the first claim of ours sets the floor to its slot");
        assert_eq!(current.max_view_age_ms, None, "only databases that we make get it");
    }
}

#[test]
fn an_original_that_flushes_behind_the_fence_does_not_get_in() {
    let bench = Bench::new();
    made_by_the_original(&bench, true);
    let mut writer = bench.claim("ours");
    // The original, live and stale: its entry carries the old epoch.
    block_on(async {
        let slot = bench.storage.current().await.next_slot();
        let at = Timestamp::from_unix_ns(1_776_000_000_000_000_000);
        let op = Op::AddSstable(Arc::new(table(10, 12)));
        let id = Ksuid::new(1_776_000_000_000_000_000, [9; 16]);
        let stale = LogEntry { id, seq: slot, role: Role::Writer, epoch: 1, ts: at, op, effects: None };
        bench.storage.inner.write_log(slot, Bytes::from(stale.encode_plain())).await.unwrap();
    });
    committed(block_on(writer.publish(bench.flush(13, 13))));
    assert_eq!(bench.ids(), ["1-13-13-1.sst", "1-1-9-1.sst"]);
}

#[test]
fn beside_an_original_the_first_entry_after_a_snapshot_is_the_own_claim() {
    let bench = Bench::new();
    let options = ClaimOptions { beside_original: true, ..ClaimOptions::default() };
    let mut writer = bench.try_claim("ours", options).unwrap();
    committed(block_on(writer.publish(bench.flush(1, 1))));
    assert!(block_on(writer.write_snapshot()).unwrap());
    committed(block_on(writer.publish(bench.flush(2, 2))));
    let current = block_on(bench.storage.current());
    assert_eq!(current.window(), 3..5);
    let first = LogEntry::decode("entry", 3, current.inline(3).unwrap()).unwrap();
    let Op::FenceClaim { epoch: 1, owner, .. } = first.op else { panic!("{first:?}") };
    assert_eq!(owner, writer.owner());
    assert_eq!(first.effects, Some(Effects { next_sequence: Some(2), ..Effects::default() }));
    assert_eq!(bench.ids(), ["1-2-2-1.sst", "1-1-1-1.sst"]);
}
