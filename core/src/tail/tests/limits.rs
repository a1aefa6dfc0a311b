//! Where the feed ends: what is no longer kept, what is missing, and cursors of elsewhere.

use super::*;
use crate::error::{Error, ErrorKind};

fn three_flushes() -> (Bench, Vec<Change>) {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "2")]);
    bench.flush(&[put("c", "3")]);
    bench.flush(&[put("d", "4")]);
    let changes = drain(&mut bench.open(TailStart::Begin).unwrap());
    (bench, changes)
}

fn oldest(error: &Error) -> Cursor {
    match error {
        Error::CursorExpired { oldest, setting: "change_retention_ms", .. } => oldest.parse().unwrap(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_cursor_below_the_floor_is_expired_and_the_oldest_that_works_is_named() {
    let (mut bench, changes) = three_flushes();
    let tables = bench.tables();
    let floor = tables[1].0;
    // In the middle of the first table: the rest of it is gone.
    let error = {
        bench.change_current(|current| current.feed_floor_seq = Some(floor));
        bench.remove(bench.layout.sst(&tables[0].1.id));
        bench.open(TailStart::Cursor(changes[0].cursor.clone())).unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert_eq!(
        writes(&drain(&mut bench.open(TailStart::Cursor(oldest(&error))).unwrap())),
        writes(&changes[2..])
    );
    // At the end of that table nothing is missing.
    let rest = drain(&mut bench.open(TailStart::Cursor(changes[1].cursor.clone())).unwrap());
    assert_eq!(writes(&rest), writes(&changes[2..]));
    assert_eq!(writes(&drain(&mut bench.open(TailStart::Begin).unwrap())), writes(&changes[2..]));
}

#[test]
fn a_table_that_went_while_the_floor_rose_is_no_corruption() {
    let (mut bench, changes) = three_flushes();
    let tables = bench.tables();
    let mut tailer = bench.open(TailStart::Begin).unwrap();
    bench.change_current(|current| current.feed_floor_seq = Some(tables[2].0));
    bench.remove(bench.layout.sst(&tables[0].1.id));
    let error = block_on(tailer.try_next()).unwrap_err();
    assert_eq!(
        writes(&drain(&mut bench.open(TailStart::Cursor(oldest(&error))).unwrap())),
        writes(&changes[3..])
    );
}

#[test]
fn a_missing_table_or_entry_above_the_floor_is_corruption() {
    let (mut bench, changes) = three_flushes();
    bench.snapshot();
    let tables = bench.tables();
    for (n, object) in [(2, bench.layout.log(tables[1].0)), (0, bench.layout.sst(&tables[0].1.id))] {
        bench.remove(object.clone());
        let mut tailer = bench.open(TailStart::Begin).unwrap();
        for change in &changes[..n] {
            assert_eq!(&block_on(tailer.try_next()).unwrap().unwrap(), change);
        }
        let error = block_on(tailer.try_next()).unwrap_err();
        assert_eq!((error.kind(), error.object()), (ErrorKind::Corrupt, Some(&object[..])));
    }
}

#[test]
fn without_a_floor_the_window_is_tried() {
    let (mut bench, changes) = three_flushes();
    let tables = bench.tables();
    bench.compact();
    bench.change_current(|_| {});
    // As the original leaves it: no floor, and its compaction has swept tables.
    let mut current = bench.current();
    current.feed_floor_seq = None;
    bench.put(&bench.layout.current(), current.encode());
    assert_eq!(writes(&drain(&mut bench.open(TailStart::Begin).unwrap())), writes(&changes));
    bench.remove(bench.layout.sst(&tables[1].1.id));
    let mut tailer = bench.open(TailStart::Begin).unwrap();
    for change in &changes[..2] {
        assert_eq!(block_on(tailer.try_next()).unwrap().unwrap().sequence, change.sequence);
    }
    let error = block_on(tailer.try_next()).unwrap_err();
    assert_eq!(drain(&mut bench.open(TailStart::Cursor(oldest(&error))).unwrap()), []);
    // Below the window nothing counts.
    bench.reclaim();
    bench.snapshot();
    let mut current = bench.current();
    current.feed_floor_seq = None;
    assert_eq!(current.log_seq_start, current.next_seq);
    bench.put(&bench.layout.current(), current.encode());
    let error = bench.open(TailStart::Cursor(changes[1].cursor.clone())).unwrap_err();
    assert_eq!(oldest(&error).slot(), current.log_seq_start);
}

#[test]
fn a_view_is_not_used_beyond_its_age() {
    let (mut bench, changes) = three_flushes();
    let tables = bench.tables();
    let mut tailer = bench.open(TailStart::Begin).unwrap();
    assert_eq!(&block_on(tailer.try_next()).unwrap().unwrap(), &changes[0]);
    assert_eq!(&block_on(tailer.try_next()).unwrap().unwrap(), &changes[1]);
    // The second table is still there, but its view does not vouch for it any longer: CURRENT is asked first.
    bench.change_current(|current| current.feed_floor_seq = Some(tables[2].0));
    bench.clock.advance_ms(3_700_000);
    let error = block_on(tailer.try_next()).unwrap_err();
    assert_eq!(oldest(&error).slot(), tables[2].0);
}

#[test]
fn a_cursor_of_another_database_is_refused() {
    let (bench, changes) = three_flushes();
    let other = Bench::new();
    let error = other.open(TailStart::Cursor(changes[3].cursor.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    drop(bench);
}

#[test]
fn a_table_that_says_a_sequence_number_twice_is_refused() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1")]);
    let (slot, sequence) = (0, 9);
    let twin =
        |key: &'static [u8]| Write { slot, sequence, key: Bytes::from_static(key), op: ChangeOp::Delete };
    let table = bench.upload(&[twin(b"x"), twin(b"y")], 0);
    block_on(bench.publisher.publish(Draft::flush(table, Moment::now(&bench.clock)))).unwrap();
    for max_buffer_bytes in [1, 1 << 20] {
        let options = TailOptions { start: TailStart::Begin, max_buffer_bytes, ..TailOptions::default() };
        let mut tailer = bench.open_with(options).unwrap();
        block_on(tailer.try_next()).unwrap();
        assert_eq!(block_on(tailer.try_next()).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
