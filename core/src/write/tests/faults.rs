//! A store that loses answers and refuses requests: what was acknowledged is there exactly once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faulty::Fault;
use super::{Bench, DELETED, Entries, entries, inline, small};
use crate::error::Error;
use crate::host::Host;
use crate::write::{WriteBatch, WriterOptions};

#[test]
fn each_lost_answer_of_a_flush_leads_to_one_commit() {
    for part in ["sstable/", "manifest/log/", "manifest/CURRENT"] {
        for faults in [
            &[Fault::AnswerLost][..],
            &[Fault::Refused],
            &[Fault::Refused, Fault::AnswerLost],
            &[Fault::AnswerLost; 3],
        ] {
            let bench = Bench::new();
            let writer = bench.writer(WriterOptions::default());
            bench.host.run(async {
                writer.put(b"a", b"1").await.unwrap();
                bench.store.fail_next("put", part, faults);
                writer.flush().await.unwrap_or_else(|error| panic!("{part} {faults:?}: {error}"));
            });
            assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1"))]), "{part} {faults:?}");
            assert_eq!(bench.published().len(), 1);
        }
    }
}

#[test]
fn a_flush_of_unknown_outcome_keeps_its_identity_and_is_settled_by_the_next() {
    for (part, lost) in [
        ("manifest/log/", true),
        ("manifest/log/", false),
        ("manifest/CURRENT", true),
        ("manifest/CURRENT", false),
    ] {
        let bench = Bench::new();
        let writer = bench.writer(small());
        let fault = if lost { Fault::AnswerLost } else { Fault::Refused };
        bench.host.run(async {
            writer.put(b"a", b"1").await.unwrap();
            // From that put on the store is silent.
            let mut silent = false;
            bench.store.fail(move |kind, key| {
                if silent {
                    return Fault::Refused;
                }
                silent = kind == "put" && key.contains(part);
                if silent { fault } else { Fault::None }
            });
            let error = writer.flush().await.unwrap_err();
            let Error::OutcomeUnknown { first_sequence, last_sequence, retry, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((first_sequence, last_sequence, retry), (1, 1, true));
            writer.put(b"b", b"2").await.unwrap();
            assert_eq!(writer.committed_sequence(), 0);
            bench.store.heal();
            bench.store.take_log();
            assert_eq!(writer.flush().await.unwrap(), 2);
            let uploads = bench.store.take_log().iter().filter(|r| r.starts_with("put db/sstable/")).count();
            assert_eq!(uploads, 1, "the first table was uploaded before");
        });
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1")), (b"b", 2, inline(b"2"))]));
        assert_eq!(bench.published().len(), 2);
    }
}

#[test]
fn an_uploaded_table_is_not_uploaded_again() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    bench.host.run(async {
        writer.put(b"a", b"1").await.unwrap();
        bench.store.fail(|_, key| if key.contains("manifest/") { Fault::Refused } else { Fault::None });
        writer.flush().await.unwrap_err();
        writer.flush().await.unwrap_err();
        bench.store.heal();
        writer.flush().await.unwrap();
    });
    assert_eq!(bench.names("db/sstable/").len(), 1);
    assert_eq!(bench.entries().len(), 1);
}

#[test]
fn an_upload_of_yesterday_is_made_again_under_a_new_name() {
    for unsettled in [false, true] {
        let bench = Bench::new();
        let writer = bench.writer(small());
        let part = if unsettled { "manifest/log/" } else { "sstable/" };
        bench.host.run(async {
            writer.put(b"a", b"1").await.unwrap();
            let mut silent = false;
            bench.store.fail(move |kind, key| {
                silent |= kind == "put" && key.contains(part);
                // The table arrives, its log entry does not.
                match silent {
                    true if key.contains("sstable/") => Fault::None,
                    true => Fault::Refused,
                    false => Fault::None,
                }
            });
            writer.flush().await.unwrap_err();
            bench.store.heal();
            bench.host.advance(Duration::from_secs(12 * 3600));
            writer.flush().await.unwrap();
        });
        assert_eq!(bench.names("db/sstable/").len(), 2, "the old one is an orphan");
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1"))]));
        assert_eq!(bench.published().len(), 1);
    }
}

#[test]
fn a_failed_upload_in_parts_is_begun_again_and_the_rest_taken_back() {
    for (kind, fault) in
        [("part", Fault::Refused), ("complete", Fault::AnswerLost), ("complete", Fault::Refused)]
    {
        let bench = Bench::new();
        let mut options =
            WriterOptions { part_size: 5 << 20, blob_threshold: 8 << 20, ..WriterOptions::default() };
        options.table.compression = crate::format::sst::Compression::None;
        let writer = bench.writer(options);
        bench.host.run(async {
            writer.put(b"a", &vec![7; 6 << 20]).await.unwrap();
            bench.store.fail_next(kind, "sstable/", &[fault]);
            bench.store.take_log();
            writer.flush().await.unwrap();
        });
        let log = bench.store.take_log();
        assert_eq!(log.iter().filter(|request| request.starts_with("begin ")).count(), 2);
        assert_eq!(log.iter().any(|request| request.starts_with("abort ")), kind == "part", "{kind}");
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(&vec![7; 6 << 20]))]));
    }
}

#[test]
fn close_can_be_tried_again() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    bench.host.run(async {
        writer.put(b"a", b"1").await.unwrap();
        bench.store.fail(|_, _| Fault::Refused);
        let error = writer.close().await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(!writer.is_finished());
        assert!(
            matches!(writer.put(b"b", b"").await.unwrap_err(), Error::Closed { .. }),
            "closing has begun"
        );
        bench.store.heal();
        writer.close().await.unwrap();
        bench.store.take_log();
        writer.close().await.unwrap();
        assert!(bench.store.take_log().is_empty());
        assert!(writer.is_finished());
        assert!(matches!(writer.flush().await.unwrap_err(), Error::Closed { .. }));
        writer.wait_committed(1).await.unwrap();
    });
    assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1"))]));
}

/// Histories of writes and flushes while one request in four fails, one way or the other.
#[test]
fn every_acknowledged_write_is_there_exactly_once() {
    for seed in 0..150 {
        let bench = Bench::seeded(seed);
        let options =
            WriterOptions { put_deadline: Duration::from_secs(100), blob_threshold: 300, ..small() };
        let writer = bench.writer(options);
        let dice = Arc::new(Mutex::new(super::host::TestHost::new(seed + 1_000)));
        let roll = move |sides: u8| {
            let mut byte = [0];
            dice.lock().unwrap().fill_random(&mut byte);
            byte[0] % sides
        };
        let choice = roll.clone();
        bench.store.fail(move |_, _| match choice(8) {
            0 => Fault::Refused,
            1 => Fault::AnswerLost,
            _ => Fault::None,
        });
        let mut expected = Entries::new();
        let mut acknowledged = 0;
        bench.host.run(async {
            for step in 0..60u32 {
                let key = vec![b'k', roll(8)];
                let value = vec![step as u8; 40 * roll(10) as usize];
                match roll(8) {
                    0 => match writer.flush().await {
                        Ok(sequence) => acknowledged = acknowledged.max(sequence),
                        Err(error) => {
                            assert!(super::super::state::is_transient(&error), "seed {seed}: {error}")
                        }
                    },
                    1 => {
                        let sequence = writer.delete(&key).await.unwrap();
                        expected.insert((key, sequence), DELETED);
                    }
                    2 => {
                        let mut batch = WriteBatch::new();
                        batch.put(&key, &value).delete(&key);
                        let last = writer.write(batch).await.unwrap();
                        expected.insert((key.clone(), last - 1), inline(&value));
                        expected.insert((key, last), DELETED);
                    }
                    _ => {
                        let sequence = writer.put(&key, &value).await.unwrap();
                        expected.insert((key, sequence), inline(&value));
                    }
                }
            }
        });
        let seen = bench.entries();
        for (entry, value) in expected.iter().filter(|((_, sequence), _)| *sequence <= acknowledged) {
            assert_eq!(seen.get(entry), Some(value), "seed {seed}: acknowledged, and not there");
        }
        bench.store.heal();
        bench.host.run(writer.close()).unwrap();
        assert_eq!(bench.entries(), expected, "seed {seed}");
        let mut published = bench.published();
        published.sort();
        published.dedup();
        assert_eq!(published.len(), bench.tables().len(), "seed {seed}: a table twice");
    }
}
