//! Changes of some keys only: what is not wanted is not fetched.

use std::ops::Bound;

use super::*;

fn prefix(prefix: &'static str) -> TailOptions {
    TailOptions { prefix: Some(Bytes::from_static(prefix.as_bytes())), ..TailOptions::default() }
}

fn from_begin(options: TailOptions) -> TailOptions {
    TailOptions { start: TailStart::Begin, ..options }
}

#[test]
fn a_table_that_has_no_wanted_key_is_not_opened() {
    let mut bench = Bench::new();
    bench.flush(&[put("a/1", "1"), put("a/2", "1")]);
    bench.flush(&[put("b/1", "2"), put("c/1", "2")]);
    bench.flush(&[put("b/2", "3"), delete("b/1")]);
    bench.flush(&[put("d/1", "4")]);
    let mut tailer = bench.open_with(from_begin(prefix("b/"))).unwrap();
    let span = bench.meter.span();
    let changes = drain(&mut tailer);
    let wanted: Vec<Write> =
        bench.history.iter().filter(|write| write.key.starts_with(b"b/")).cloned().collect();
    assert_eq!(writes(&changes), written(&wanted));
    assert_eq!(span.cost().requests(), 2 + 1, "two tables of four, and one look");
    // It stands behind the slots that it left out too.
    assert_eq!(tailer.cursor().slot(), bench.current().next_seq);
    // Ahead of its place it opens no other tables either.
    let span = bench.meter.span();
    for i in 0..10 {
        bench.flush(&[put(if i == 5 { "b/3" } else { "x" }, "v")]);
    }
    let writing = span.cost().get;
    assert_eq!(drain(&mut tailer).len(), 1);
    assert_eq!(span.cost().get - writing, 1 + 1 + 1, "a look, a table, a look");
}

#[test]
fn of_a_large_table_only_the_blocks_that_may_have_a_wanted_key_are_fetched() {
    let mut bench = Bench::new();
    let many: Vec<_> = (0..20_000).map(|i| put(&format!("k{i:06}"), &format!("{i:0100}"))).collect();
    bench.flush(&many);
    let table = bench.tables()[0].1.clone();
    assert!(table.size > 1 << 19, "{} bytes", table.size);
    let options = from_begin(TailOptions {
        start_key: Bound::Excluded(Bytes::from_static(b"k010000")),
        end_key: Bound::Included(Bytes::from_static(b"k010010")),
        ..TailOptions::default()
    });
    let mut tailer = bench.open_with(options).unwrap();
    let span = bench.meter.span();
    let first = block_on(tailer.next()).unwrap();
    assert_eq!(&first.key[..], b"k010001");
    let cost = span.cost();
    let tail_bytes = table.size - table.meta_offset.unwrap();
    assert_eq!((cost.requests(), cost.round_trips), (3, 3), "tail, index partition, blocks");
    assert!(cost.bytes_read < tail_bytes + 16 * 1024, "{} bytes, a tail of {tail_bytes}", cost.bytes_read);
    let rest = drain(&mut tailer);
    assert_eq!(rest.iter().map(|change| &change.key[1..]).next_back(), Some(&b"010010"[..]));
    assert_eq!((rest.len(), span.cost().requests()), (9, 4), "and a look");
}

#[test]
fn a_bootstrap_of_some_keys_reads_those_and_then_their_changes() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "1"), put("c", "1"), put("d", "1")]);
    bench.flush(&[put("x", "1"), put("z", "1")]);
    let options = TailOptions {
        start: TailStart::Bootstrap,
        start_key: Bound::Included(Bytes::from_static(b"b")),
        end_key: Bound::Excluded(Bytes::from_static(b"d")),
        ..TailOptions::default()
    };
    let mut tailer = bench.open_with(options.clone()).unwrap();
    let span = bench.meter.span();
    let first = block_on(tailer.next()).unwrap();
    assert_eq!((&first.key[..], span.cost().requests()), (&b"b"[..], 1), "one table of two");
    bench.flush(&[put("a", "2"), put("b", "2"), put("c", "2"), put("d", "2")]);
    // It goes on in another process, in a newer view.
    let start = TailStart::Cursor(kept(&tailer.cursor()));
    let mut tailer = bench.open_with(TailOptions { start, ..options }).unwrap();
    let rest = drain(&mut tailer);
    let keys: Vec<_> = rest.iter().map(|change| (&change.key[..], change.sequence)).collect();
    assert_eq!(keys, [(&b"c"[..], 9), (b"b", 8)]);
}

#[test]
fn a_cursor_of_the_feed_goes_on_with_other_keys() {
    let mut bench = Bench::new();
    bench.flush(&[put("a", "1"), put("b", "1"), put("a", "2"), put("b", "2")]);
    bench.flush(&[put("a", "3"), put("b", "3")]);
    let mut tailer = bench.open_with(from_begin(prefix("a"))).unwrap();
    let cursor = block_on(tailer.next()).unwrap().cursor;
    let rest =
        drain(&mut bench.open_with(TailOptions { start: TailStart::Cursor(cursor), ..prefix("b") }).unwrap());
    assert_eq!(rest.iter().map(|change| change.sequence).collect::<Vec<_>>(), [2, 4, 6]);
}

#[test]
fn a_tailer_of_rare_keys_keeps_up_with_the_floor() {
    let mut bench = Bench::new();
    bench.flush(&[put("rare", "1")]);
    let mut tailer = bench.open_with(from_begin(prefix("rare"))).unwrap();
    assert_eq!(drain(&mut tailer).len(), 1);
    for i in 0..5 {
        bench.flush(&[put("x", &i.to_string())]);
        assert_eq!(drain(&mut tailer), []);
        let floor = bench.current().next_seq;
        bench.change_current(|current| current.feed_floor_seq = Some(floor));
        // What it left out may go: its place is behind it, here and in another process.
        bench
            .open_with(TailOptions { start: TailStart::Cursor(kept(&tailer.cursor())), ..prefix("rare") })
            .unwrap();
    }
    bench.flush(&[put("rare", "2")]);
    assert_eq!(writes(&drain(&mut tailer)), written(&bench.history[6..]));
}
