//! What is flushed is there, once, in order, and at the price that is promised.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};

use super::{Bench, DELETED, Entries, entries, inline, small};
use crate::error::Error;
use crate::format::sst::{Compression, TableOptions};
use crate::format::value::Value;
use crate::host::{Host, Metered};
use crate::write::{WriteBatch, WriterOptions};

#[test]
fn what_was_written_is_there_once_with_every_version() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    bench.host.run(async {
        assert_eq!(writer.last_sequence(), 0);
        assert_eq!(writer.put(b"b", b"1").await.unwrap(), 1);
        assert_eq!(writer.put(b"a", b"").await.unwrap(), 2);
        assert_eq!(writer.delete(b"b").await.unwrap(), 3);
        assert_eq!(writer.put_with_ttl(b"c", b"3", Duration::from_micros(1_500)).await.unwrap(), 4);
        let mut batch = WriteBatch::new();
        batch.put(b"d", b"4").delete(b"d");
        assert_eq!(writer.write(batch).await.unwrap(), 6);
        assert_eq!(writer.write(WriteBatch::new()).await.unwrap(), 6, "an empty one takes no number");
        assert_eq!(writer.committed_sequence(), 0);
        assert_eq!(writer.flush().await.unwrap(), 6);
        assert_eq!(writer.committed_sequence(), 6);
    });
    let expire_at_ms = Some(1_790_000_000_002);
    let mut expected = entries([
        (b"a", 2, inline(b"")),
        (b"b", 1, inline(b"1")),
        (b"b", 3, DELETED),
        (b"d", 5, inline(b"4")),
        (b"d", 6, DELETED),
    ]);
    expected.insert((b"c".to_vec(), 4), Value::Inline { value: "3".into(), expire_at_ms });
    assert_eq!(bench.entries(), expected);
    let [table] = &bench.tables()[..] else { panic!("one table") };
    assert_eq!((table.seq_lo, table.seq_hi, table.delete_count), (1, 6, Some(2)));
    assert_eq!((table.min_expire_at, table.max_expire_at), (expire_at_ms, None));
    assert_eq!(table.max_data_time, Some(bench.host.now_ms()));
    assert!(table.id.contains("-1-6-1790000000") && table.id.ends_with(".sst"), "{}", table.id);
    assert_eq!(table.bloom.offset, table.size);
    let object = bench.object(&bench.layout.sst(&table.id));
    assert_eq!(object.len() as u64, table.size + table.bloom.length + 16, "the container follows the table");
}

#[test]
fn a_flush_is_three_requests_in_three_rounds_and_an_empty_one_none() {
    let bench = Bench::new();
    let metered = Metered::new(Arc::new(bench.store.clone()));
    let meter = metered.meter();
    let writer = bench.open(Arc::new(metered), WriterOptions::default()).unwrap();
    for i in 0..3u8 {
        bench.host.run(writer.put(&[b'k', i], b"v")).unwrap();
        let span = meter.span();
        bench.host.run(writer.flush()).unwrap();
        let cost = span.cost();
        assert_eq!((cost.put, cost.requests(), cost.round_trips), (3, 3, 3), "{cost:?}");
        let span = meter.span();
        bench.host.run(writer.flush()).unwrap();
        assert_eq!(span.cost().requests(), 0, "nothing to flush");
    }
}

#[test]
fn a_batch_lies_in_one_table_however_small_the_memtable() {
    let bench = Bench::new();
    let writer = bench.writer(small());
    let mut batch = WriteBatch::new();
    for i in 0..200u32 {
        batch.put(&i.to_be_bytes(), &[7; 100]);
    }
    bench.host.run(async {
        writer.put(b"before", b"").await.unwrap();
        assert_eq!(writer.write(batch).await.unwrap(), 201);
        writer.put(b"after", b"").await.unwrap();
        writer.flush().await.unwrap();
    });
    let bounds: Vec<_> = bench.tables().iter().map(|table| (table.seq_lo, table.seq_hi)).collect();
    assert_eq!(bounds, [(202, 202), (1, 201)]);
}

#[test]
fn uploads_overlap_and_commits_stay_in_order() {
    let bench = Bench::new();
    let options = WriterOptions { max_pending_memtables: 4, ..small() };
    let writer = bench.writer(options);
    let mut expected = Entries::new();
    bench.store.take_log();
    bench.host.run(async {
        for i in 0..16u64 {
            let key = [b'k', i as u8];
            expected.insert(
                (key.to_vec(), writer.put(&key, &[i as u8; 1_100]).await.unwrap()),
                inline(&[i as u8; 1_100]),
            );
        }
        assert!(bench.store.take_log().is_empty(), "nothing runs by itself");
        writer.flush().await.unwrap();
    });
    let log = bench.store.take_log();
    let current = log.iter().position(|request| request == "put db/manifest/CURRENT").unwrap();
    let uploads = log[..current].iter().filter(|request| request.starts_with("put db/sstable/")).count();
    assert!(uploads >= 4, "all went up before the first commit: {log:#?}");
    assert_eq!(bench.entries(), expected);
    let mut lows: Vec<u64> = bench.tables().iter().map(|table| table.seq_lo).collect();
    assert!(lows.len() >= 4);
    lows.reverse();
    assert!(lows.is_sorted(), "{lows:?}");
}

#[test]
fn a_large_table_goes_up_in_parts() {
    let bench = Bench::new();
    let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
    let options =
        WriterOptions { part_size: 5 << 20, blob_threshold: 1 << 20, table, ..WriterOptions::default() };
    let writer = bench.writer(options);
    let mut expected = Entries::new();
    bench.store.take_log();
    bench.host.run(async {
        for i in 0..24u8 {
            let value = vec![i; 500_000];
            expected.insert((vec![i], writer.put(&[i], &value).await.unwrap()), inline(&value));
        }
        writer.flush().await.unwrap();
    });
    let log = bench.store.take_log();
    let count = |kind: &str| log.iter().filter(|request| request.starts_with(kind)).count();
    assert_eq!(
        (count("begin "), count("part "), count("complete "), count("put ")),
        (1, 3, 1, 2),
        "{log:#?}"
    );
    assert_eq!(bench.entries(), expected);
}

#[test]
fn run_flushes_by_time_and_idles_without_requests() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    let start = bench.host.now_ms();
    bench.store.take_log();
    let host = &bench.host;
    bench.host.run(async {
        let life = async {
            writer.put(b"a", b"1").await.unwrap();
            writer.put(b"b", b"1").await.unwrap();
            writer.wait_committed(2).await.unwrap();
            assert_eq!(host.now_ms(), start + 1_000);
            assert_eq!(bench.store.take_log().len(), 3, "one commit for both");
            host.sleep(Duration::from_secs(3_600)).await;
            assert!(bench.store.take_log().is_empty());
            let start = host.now_ms();
            writer.put(b"c", b"1").await.unwrap();
            writer.close().await.unwrap();
            assert_eq!(host.now_ms(), start, "close does not wait for the interval");
        };
        let (ran, ()) = join(writer.run(), life).await;
        ran.unwrap();
        writer.run().await.unwrap();
    });
    assert_eq!(bench.entries().len(), 3);
}

#[test]
fn run_flushes_full_memtables_at_once() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions { flush_interval: Duration::ZERO, ..small() });
    let start = bench.host.now_ms();
    bench.host.run(async {
        let life = async {
            for i in 0..50u8 {
                writer.put(&[i], &[i; 1_000]).await.unwrap();
            }
            while writer.committed_sequence() < 40 {
                let seen = writer.buffer().signal.seen();
                writer.buffer().signal.changed(seen).await;
            }
            writer.close().await.unwrap();
        };
        join(writer.run(), life).await.0.unwrap();
    });
    assert_eq!(bench.host.now_ms(), start);
    assert_eq!(bench.entries().len(), 50);
}

#[test]
fn waiters_share_one_commit() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    bench.store.take_log();
    bench.host.run(async {
        let waiters = (0..10u8).map(|i| {
            let writer = writer.clone();
            async move {
                let sequence = writer.put(&[i], b"v").await.unwrap();
                writer.wait_committed(sequence).await.unwrap();
            }
        });
        join_all(waiters).await;
        writer.wait_committed(3).await.unwrap();
        let error = writer.wait_committed(11).await.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    });
    assert_eq!(bench.store.take_log().len(), 3);
}

#[test]
fn the_next_writer_goes_on_and_fences_the_last_one() {
    let bench = Bench::new();
    let first = bench.writer(WriterOptions::default());
    bench.host.run(async {
        first.put(b"a", b"1").await.unwrap();
        first.flush().await.unwrap();
        first.put(b"lost", b"").await.unwrap();
    });
    let second = bench.writer(WriterOptions::default());
    assert!(second.previous_owner().unwrap().owner.starts_with("isledb~"));
    bench.host.run(async {
        assert_eq!(second.put(b"b", b"2").await.unwrap(), 2);
        second.flush().await.unwrap();
        let fenced = first.flush().await.unwrap_err();
        assert!(matches!(fenced, Error::Fenced { .. }), "{fenced}");
        assert_eq!(first.put(b"c", b"").await.unwrap_err(), fenced, "for good");
        assert_eq!(first.flush().await.unwrap_err(), fenced);
        assert_eq!(first.close().await.unwrap_err(), fenced);
        assert_eq!(first.run().await.unwrap_err(), fenced);
        assert_eq!(first.wait_committed(2).await.unwrap_err(), fenced);
        first.wait_committed(1).await.unwrap();
        assert!(first.is_finished() && !second.is_finished());
        second.flush().await.unwrap();
    });
    assert_eq!(bench.entries(), entries([(b"a", 1, inline(b"1")), (b"b", 2, inline(b"2"))]));
}

#[test]
fn a_writer_that_is_gone_leaves_nothing_behind() {
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    bench.host.run(writer.put(b"a", b"1")).unwrap();
    let weak = writer.downgrade();
    assert!(bench.host.run_for(writer.flush(), 3).is_none(), "a flush is under way");
    assert!(weak.is_open());
    let buffer = Arc::downgrade(writer.buffer());
    drop(writer);
    assert!(!weak.is_open() && buffer.upgrade().is_none(), "no cycle keeps it");
}

#[test]
fn what_a_writer_does_may_move_between_threads() {
    fn check(_: &(impl Send + Sync), _: impl Send) {}
    let bench = Bench::new();
    let writer = bench.writer(WriterOptions::default());
    check(&writer, writer.put(b"k", b"v"));
    check(&writer, writer.write(WriteBatch::new()));
    check(&writer, writer.flush());
    check(&writer, writer.wait_committed(1));
    check(&writer, writer.run());
    check(&writer, writer.close());
}
