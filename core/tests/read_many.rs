//! What reading many keys at once costs, and what loading ahead of reads does. Where it says so, tables have their real size
//! of 64 MiB.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::Error;
use isledb_core::format::manifest::SstMeta;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::format::value;
use isledb_core::host::{Cost, MemoryStore, Meter, Metered, ObjectStore, PutCondition};
use isledb_core::read::{
    BlockCache, MAX_PIECE_BYTES, Prefetched, ReadSource, Reader, ReaderOptions, ScanOptions,
};

use bucket::made::Made;
use bucket::sparse::{FILLER, SparseStore};
use bucket::{TestClock, source};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const TABLES: u64 = 20;

/// Keys and values of the tables of a bucket.
#[derive(Clone, Copy)]
struct Shape {
    /// Rows of a table.
    rows: u64,
    /// Bytes of a value.
    value: usize,
}

/// 64 MiB a table; each value fills a block of its own.
const LARGE: Shape = Shape { rows: 4080, value: 16 * 1024 };

/// 8 MiB a table.
const SMALL: Shape = Shape { rows: 8000, value: 1000 };

fn key(i: u64) -> Bytes {
    format!("key{i:013}").into()
}

/// The value of row `i`: it says which one it is.
fn row(i: u64, shape: Shape) -> Bytes {
    let mut value = i.to_be_bytes().to_vec();
    value.resize(shape.value, FILLER);
    value.into()
}

/// A bucket of 20 tables, where row `n` of table `t` has the key `number(t, n)`.
fn bucket(shape: Shape, number: impl Fn(u64, u64) -> u64) -> (Made, Arc<SparseStore>) {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let mut store = SparseStore::new(made.store.clone());
    let options = TableOptions { compression: Compression::None, ..TableOptions::default() };
    let mut stored = Vec::new();
    value::encode_inline_into(&mut stored, &row(0, shape), None);
    for t in 0..TABLES {
        let meta: Arc<SstMeta> = store.build(&mut made, options.clone(), |add| {
            for n in 0..shape.rows {
                let i = number(t, n);
                stored[1..9].copy_from_slice(&i.to_be_bytes());
                add(&key(i), 1 + t * shape.rows + n, &stored);
            }
        });
        let data = shape.rows * shape.value as u64;
        assert!(meta.size > data && meta.size < data * 21 / 20, "{}", meta.size);
        made.add(&meta);
    }
    made.publish();
    (made, Arc::new(store))
}

fn metered(store: Arc<dyn ObjectStore>) -> (ReadSource, Meter) {
    let store = Metered::new(store);
    let meter = store.meter();
    let mut source = source(Arc::new(store), TestClock::new(), "db");
    source.cache = Arc::new(BlockCache::new(256 * MIB));
    (source, meter)
}

async fn open(source: &ReadSource) -> Reader {
    Reader::open(source.clone(), ReaderOptions::default()).await.unwrap()
}

#[track_caller]
fn within(what: &str, cost: Cost, round_trips: u64, requests: u64, bytes: u64) {
    println!("{what}: {} rounds, {} requests, {} bytes", cost.round_trips, cost.get, cost.bytes_read);
    assert_eq!((cost.round_trips, cost.get), (round_trips, requests), "{what}: rounds and requests");
    assert!(cost.bytes_read <= bytes, "{what}: {} bytes are more than {bytes}", cost.bytes_read);
    assert_eq!((cost.head, cost.list, cost.put, cost.delete), (0, 0, 0, 0), "{what}: a reader only gets");
}

/// 64 of all rows, in no order.
fn some_rows(shape: Shape) -> Vec<u64> {
    let rows: Vec<u64> =
        (1..=64u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (TABLES * shape.rows)).collect();
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), 64);
    rows
}

async fn get_all(reader: &Reader, shape: Shape, rows: &[u64]) {
    let keys: Vec<Bytes> = rows.iter().map(|i| key(*i)).collect();
    let got = reader.get_many(&keys).await.unwrap();
    let wanted: Vec<_> = rows.iter().map(|i| Some(row(*i, shape))).collect();
    assert!(got == wanted);
}

/// The least that opening and one get of some of `rows` cost, nothing cached. A filter that errs costs a round more.
fn one_cold_get(store: &Arc<SparseStore>, rows: &[u64]) -> Cost {
    let costs = rows[..4].iter().map(|i| {
        let (source, meter) = metered(store.clone());
        block_on(async { assert!(open(&source).await.get(&key(*i)).await.unwrap().is_some()) });
        meter.cost()
    });
    costs.min_by_key(|cost| cost.round_trips).unwrap()
}

#[test]
fn many_keys_of_twenty_overlapping_tables_take_the_rounds_of_one() {
    // Every table reaches over all keys: each key has 20 candidates.
    let (_made, store) = bucket(LARGE, |t, n| n * TABLES + t);
    let rows = some_rows(LARGE);
    let single = one_cold_get(&store, &rows);
    within("open + get, 20 overlapping tables", single, 4, 42, 256 * KIB);

    let (source, meter) = metered(store.clone());
    block_on(async {
        let reader = open(&source).await;
        get_all(&reader, LARGE, &rows).await;
        let cold = meter.cost();
        within("open + get of 64 keys, 20 overlapping tables", cold, single.round_trips, 149, 8 * MIB);

        let span = meter.span();
        get_all(&reader, LARGE, &rows).await;
        within("the same again", span.cost(), 0, 0, 0);
    });

    let (source, meter) = metered(store);
    block_on(async {
        let reader = open(&source).await;
        let span = meter.span();
        let warmed = reader.warm(&ScanOptions::default()).await.unwrap();
        assert_eq!(warmed.tables, TABLES);
        within("warm of 20 tables", span.cost(), 2, 2 * TABLES, warmed.bytes);
        let span = meter.span();
        assert_eq!(reader.warm(&ScanOptions::default()).await.unwrap(), warmed);
        within("warm again", span.cost(), 0, 0, 0);

        // Each key lies in a block of its own.
        let span = meter.span();
        get_all(&reader, LARGE, &rows).await;
        within("get of 64 keys, indexes cached", span.cost(), 1, 108, 4 * MIB);

        // 64 neighbours: some three in each table, side by side.
        let neighbours: Vec<u64> = (0..64).map(|i| 40_000 + i).collect();
        let span = meter.span();
        get_all(&reader, LARGE, &neighbours).await;
        within("get of 64 neighbours, indexes cached", span.cost(), 1, TABLES, 2 * MIB);
    });
}

#[test]
fn many_keys_of_twenty_tables_that_follow_each_other_take_the_rounds_of_one() {
    let rows_each = SMALL.rows;
    let (_made, store) = bucket(SMALL, |t, n| t * rows_each + n);
    let rows = some_rows(SMALL);
    let single = one_cold_get(&store, &rows);
    within("open + get, 20 disjoint tables", single, 4, 4, MIB);

    let (source, meter) = metered(store.clone());
    block_on(async {
        let reader = open(&source).await;
        get_all(&reader, SMALL, &rows).await;
    });
    within("open + get of 64 keys, 20 disjoint tables", meter.cost(), single.round_trips, 93, 2 * MIB);

    let (source, meter) = metered(store.clone());
    block_on(async {
        let reader = open(&source).await;
        reader.warm(&ScanOptions::range(key(0), key(2 * rows_each))).await.unwrap();
        let span = meter.span();
        let neighbours: Vec<u64> = (rows_each - 32..rows_each + 32).collect();
        get_all(&reader, SMALL, &neighbours).await;
        within("get of 64 neighbours in two tables, indexes cached", span.cost(), 1, 2, 2 * MIB);
        // The same block is asked for once, however often a key comes.
        let span = meter.span();
        get_all(&reader, SMALL, &[7; 100]).await;
        within("get of one key a hundred times", span.cost(), 1, 1, 32 * KIB);
    });

    let (source, meter) = metered(store);
    block_on(async {
        let reader = open(&source).await;
        let range = ScanOptions::range(key(3 * rows_each + 100), key(3 * rows_each + 200));
        let done = reader.prefetch(&range, 64 * MIB).await.unwrap();
        assert!(done.complete && (100 / 4..=100 / 3 + 2).contains(&done.blocks), "{done:?}");
        assert!(done.bytes >= 100_000, "{done:?}");
        let span = meter.span();
        let mut scan = reader.scan(range.clone()).await.unwrap();
        let mut shown = 0;
        while scan.next().await.unwrap().is_some() {
            shown += 1;
        }
        assert_eq!(shown, 100);
        within("scan of what was prefetched", span.cost(), 0, 0, 0);
        assert_eq!(reader.prefetch(&range, 64 * MIB).await.unwrap(), done);
        within("prefetch again", span.cost(), 0, 0, 0);

        // A budget cuts it, at the end where the range begins.
        for (range, first, last) in [
            (ScanOptions::range(key(5 * rows_each), key(6 * rows_each)), 5 * rows_each, 6 * rows_each - 1),
            (
                ScanOptions::range(key(7 * rows_each), key(8 * rows_each)).reversed(),
                8 * rows_each - 1,
                7 * rows_each,
            ),
        ] {
            let part = reader.prefetch(&range, MIB).await.unwrap();
            let bytes = part.bytes;
            assert!(!part.complete && bytes > 15 * MIB / 16 && bytes <= MIB + 8 * KIB, "{part:?}");
            let span = meter.span();
            get_all(&reader, SMALL, &[first]).await;
            within("get within what was prefetched", span.cost(), 0, 0, 0);
            get_all(&reader, SMALL, &[last]).await;
            assert!(span.cost().get > 0);
        }
        let nothing = reader.prefetch(&ScanOptions::range("a", "b"), MIB).await.unwrap();
        assert_eq!(nothing, Prefetched { blocks: 0, bytes: 0, complete: true });
    });
}

/// A database of blobs: key `i` has one of `sizes[i]` bytes.
fn blobs(sizes: &[usize]) -> (Made, Vec<Vec<u8>>) {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    let contents: Vec<Vec<u8>> = sizes
        .iter()
        .enumerate()
        .map(|(i, size)| (0..*size).map(|n| (n * 7 + n / 251 + i) as u8).collect())
        .collect();
    let ids: Vec<_> = contents.iter().map(|content| made.blob(content)).collect();
    let meta = made.build_stored(TableOptions::default(), |add| {
        for (i, id) in ids.iter().enumerate() {
            let mut stored = Vec::new();
            value::encode_blob_into(&mut stored, id, None);
            add(&key(i as u64), 1 + i as u64, &stored);
        }
    });
    made.add(&meta);
    made.publish();
    (made, contents)
}

#[test]
fn blobs_are_fetched_together() {
    let sizes = [100; 30];
    let (made, contents) = blobs(&sizes);
    let keys: Vec<Bytes> = (0..30).map(key).collect();
    let (source, meter) = metered(Arc::new(made.store.clone()));
    block_on(async {
        let reader = open(&source).await;
        let got = reader.get_many(&keys).await.unwrap();
        assert!(got.iter().zip(&contents).all(|(got, wanted)| got.as_ref().unwrap() == wanted));
        within("open + get of 30 blobs", meter.cost(), 3, 32, 16 * KIB);

        for reverse in [false, true] {
            let span = meter.span();
            let options = ScanOptions { reverse, ..ScanOptions::default() };
            let shown = bucket::collect(reader.scan(options).await.unwrap()).await.unwrap();
            assert_eq!(shown.len(), 30);
            for (key, value) in shown {
                let i = keys.iter().position(|k| *k == key).unwrap();
                assert!(value == contents[i]);
            }
            within("scan of 30 blobs, index cached", span.cost(), 9, 30, 4 * KIB);
        }
        // A limit asks for no blob beyond it.
        let span = meter.span();
        bucket::collect(reader.scan(ScanOptions::default().limit(4)).await.unwrap()).await.unwrap();
        within("scan of 4 blobs", span.cost(), 1, 4, KIB);
    });
}

#[test]
fn the_blobs_of_64_keys_take_one_round() {
    for (count, rounds) in [(64, 3), (65, 4)] {
        let (made, contents) = blobs(&vec![100; count]);
        let keys: Vec<Bytes> = (0..count as u64).map(key).collect();
        let (source, meter) = metered(Arc::new(made.store.clone()));
        block_on(async {
            let got = open(&source).await.get_many(&keys).await.unwrap();
            assert!(got.iter().zip(&contents).all(|(got, wanted)| got.as_ref().unwrap() == wanted));
            let requests = 2 + count as u64;
            within(&format!("open + get of {count} blobs"), meter.cost(), rounds, requests, 32 * KIB);
        });
    }
}

#[test]
fn large_blobs_are_not_read_before_there_is_room() {
    // The three behind the first pass 16 MiB together.
    let (made, contents) = blobs(&[10, 7 << 20, 7 << 20, 7 << 20]);
    let (source, meter) = metered(Arc::new(made.store.clone()));
    block_on(async {
        let mut scan = open(&source).await.scan(ScanOptions::default()).await.unwrap();
        let first = scan.next().await.unwrap().unwrap();
        assert!(first.value == contents[0]);
        // All were asked for, and two of them were read.
        let cost = meter.cost();
        assert_eq!(cost.get, 2 + 4);
        assert!(cost.bytes_read < 15 * MIB, "{}", cost.bytes_read);
        for wanted in &contents[1..] {
            assert!(scan.next().await.unwrap().unwrap().value == *wanted);
        }
        assert!(scan.next().await.unwrap().is_none());
        assert_eq!(meter.cost().get, 2 + 4, "none was asked for twice");
    });
}

#[test]
fn a_value_is_streamed_in_pieces() {
    let (mut made, contents) = blobs(&[3 << 20, 1, 0]);
    let meta = made.table(
        TableOptions::default(),
        [(&b"small"[..], 99, Some(&b"value"[..])), (b"void", 100, Some(b""))],
    );
    made.add(&meta);
    made.publish();
    let (source, meter) = metered(Arc::new(made.store.clone()));
    block_on(async {
        let reader = open(&source).await;
        for (i, wanted) in contents.iter().enumerate() {
            let mut stream = reader.get_stream(&key(i as u64)).await.unwrap().unwrap();
            assert_eq!((stream.len(), stream.is_empty()), (wanted.len() as u64, wanted.is_empty()));
            assert_eq!((stream.sequence(), stream.expires_at_ms()), (1 + i as u64, None));
            let mut got = Vec::new();
            while let Some(piece) = stream.next().await.unwrap() {
                assert!((1..=MAX_PIECE_BYTES).contains(&piece.len()));
                got.extend_from_slice(&piece);
            }
            assert!(got == *wanted);
            assert_eq!(stream.next().await.unwrap(), None);
        }
        let mut small = reader.get_stream(b"small").await.unwrap().unwrap();
        assert_eq!((small.len(), small.next().await.unwrap()), (5, Some(Bytes::from_static(b"value"))));
        assert_eq!(small.next().await.unwrap(), None);
        assert_eq!(reader.view().get_stream(b"void").await.unwrap().unwrap().next().await.unwrap(), None);
        assert!(reader.get_stream(b"absent").await.unwrap().is_none());
        let span = meter.span();
        let mut stream = reader.get_stream(&key(0)).await.unwrap().unwrap();
        while stream.next().await.unwrap().is_some() {}
        within("stream of 3 MiB, table cached", span.cost(), 1, 1, 3 * MIB);
    });
}

#[test]
fn the_last_piece_of_a_wrong_blob_is_never_handed_out() {
    let (made, contents) = blobs(&[3 << 20]);
    let id = made.blob(&contents[0]);
    let mut damaged = contents[0].clone();
    damaged[5] ^= 1;
    let name = made.layout.blob(&id);
    block_on(made.store.put(&name, damaged.into(), PutCondition::None)).unwrap();
    let (source, _) = metered(Arc::new(made.store.clone()));
    block_on(async {
        let reader = open(&source).await;
        let mut stream = reader.get_stream(&key(0)).await.unwrap().unwrap();
        let mut got = 0;
        let error = loop {
            match stream.next().await {
                Ok(piece) => got += piece.unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(got < contents[0].len(), "{got}");
        assert!(matches!(&error, Error::Corrupt { object, .. } if *object == name), "{error}");
        assert_eq!(stream.next().await.unwrap_err(), error, "it is the last word");
    });
}

#[test]
fn a_read_ahead_out_of_bounds_is_refused_by_name() {
    assert_eq!(ReaderOptions::default(), ReaderOptions { refresh_after_ms: None, read_ahead_bytes: 8 * MIB });
    let (made, _) = blobs(&[1]);
    let (source, _) = metered(Arc::new(made.store.clone()));
    for (read_ahead_bytes, good) in
        [(64 * KIB - 1, false), (64 * KIB, true), (1 << 30, true), ((1 << 30) + 1, false)]
    {
        let options = ReaderOptions { read_ahead_bytes, ..ReaderOptions::default() };
        match block_on(Reader::open(source.clone(), options)) {
            Ok(_) => assert!(good),
            Err(error) => {
                assert!(!good && error.to_string().contains("read_ahead_bytes"), "{error}");
                assert!(matches!(error, Error::InvalidArgument { .. }));
            }
        }
    }
}

#[test]
fn the_read_ahead_bounds_what_a_scan_takes_before_it_is_asked_for() {
    let mut made = Made::new(MemoryStore::new(TestClock::new()));
    for t in 0..4 {
        let options = TableOptions { compression: Compression::None, ..TableOptions::default() };
        let meta = made.build(options, |add| {
            for n in 0..2000u64 {
                add(&key(n * 4 + t), 1 + n * 4 + t, Some(&[b'v'; 1000]));
            }
        });
        made.add(&meta);
    }
    made.publish();
    let mut taken = Vec::new();
    for read_ahead_bytes in [64 * KIB, MIB] {
        for reverse in [false, true] {
            let (mut source, meter) = metered(Arc::new(made.store.clone()));
            source.cache = Arc::new(BlockCache::new(0));
            let options = ReaderOptions { read_ahead_bytes, ..ReaderOptions::default() };
            let (shown, most) = block_on(async {
                let reader = Reader::open(source, options).await.unwrap();
                let mut scan = reader.scan(ScanOptions { reverse, ..ScanOptions::default() }).await.unwrap();
                let (mut shown, mut most) = (0, 0);
                while let Some(entry) = scan.next().await.unwrap() {
                    shown += entry.value.len() as u64;
                    most = most.max(meter.cost().bytes_read.saturating_sub(shown));
                }
                (shown, most)
            });
            assert_eq!(shown, 8_000_000);
            // What is held ahead, as much under way, indexes and keys of all that was shown.
            assert!(most < 2 * read_ahead_bytes + 700 * KIB, "{most} with {read_ahead_bytes}");
            taken.push((meter.cost().get, most));
        }
    }
    assert!(taken[0].1 < taken[2].1 && taken[0].0 > 2 * taken[2].0, "{taken:?}");
    assert!(taken[1].0 <= taken[0].0 && taken[3].0 <= taken[2].0, "{taken:?}: in reverse no more");
}
