//! Tables that nobody trusted has signed are not read, at whatever moment they were replaced.
//!
//! The attacker here may write anything into the bucket, and knows the format: a replaced table has right checksums in
//! every block.

#![cfg(all(feature = "write", feature = "ed25519"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod bucket;
mod host;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::format::sst::{Compression, TableOptions};
use isledb_core::host::{Event, MemoryStore, Metered, ObjectStore, Observer, PutCondition, Requests};
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::signature::{Ed25519Signer, Ed25519Verifier, SignaturePolicy, TableSigner, TableVerifier};
use isledb_core::tail::{TailOptions, TailStart};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error, ErrorKind, Result};

use host::TestHost;

const OURS: [u8; 32] = [1; 32];
const THEIRS: [u8; 32] = [2; 32];

fn trusting(seed: &[u8; 32]) -> DbOptions {
    let verifier = Ed25519Verifier::new(&[Ed25519Signer::new(seed).public_key()]).unwrap();
    let verifier: Option<Arc<dyn TableVerifier>> = Some(Arc::new(verifier));
    DbOptions { probe: false, verifier, ..DbOptions::default() }
}

fn open(store: &Arc<dyn ObjectStore>, prefix: &str, options: DbOptions) -> Db {
    Db::open(store.clone(), Arc::new(TestHost::new()), prefix, options).unwrap()
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(MemoryStore::new(Arc::new(TestHost::new())))
}

fn key(i: u32) -> Vec<u8> {
    format!("key{i:05}").into_bytes()
}

/// One table of `rows` rows of 100 bytes, not compressed: the same rows with other values lie at the same places.
fn write(store: &Arc<dyn ObjectStore>, prefix: &str, signer: Option<&[u8; 32]>, letter: u8, rows: u32) {
    let signer = signer.map(|seed| Arc::new(Ed25519Signer::new(seed)) as Arc<dyn TableSigner>);
    let table = TableOptions { compression: Compression::None, ..TableOptions::default() };
    let options = WriterOptions { signer, table, bloom_container: false, ..WriterOptions::default() };
    let db = open(store, prefix, DbOptions { probe: false, ..DbOptions::default() });
    block_on(async {
        let writer = db.writer(options).await.unwrap();
        for i in 0..rows {
            writer.put(&key(i), &[letter; 100]).await.unwrap();
        }
        writer.close().await.unwrap();
    });
}

fn the_table(store: &Arc<dyn ObjectStore>, prefix: &str) -> String {
    let page = block_on(store.list(&format!("{prefix}/sstable/"), None)).unwrap();
    assert_eq!(page.objects.len(), 1);
    page.objects[0].key.clone()
}

fn bytes(store: &Arc<dyn ObjectStore>, key: &str) -> Bytes {
    block_on(Requests::new(store.clone(), Arc::new(TestHost::new())).get(key)).unwrap().body
}

fn replace(store: &Arc<dyn ObjectStore>, key: &str, body: Bytes) {
    block_on(store.put(key, body, PutCondition::None)).unwrap();
}

fn get(db: &Db, row: u32) -> Result<Option<Bytes>> {
    block_on(async { db.reader(ReaderOptions::default()).await?.get(&key(row)).await })
}

#[track_caller]
fn is_untrusted(result: Result<Option<Bytes>>, table: &str, why: &str) {
    match result {
        Err(error @ Error::Untrusted { .. }) => {
            assert_eq!((error.object(), error.kind()), (Some(table), ErrorKind::Untrusted));
            assert!(error.to_string().contains(why), "{error}");
        }
        other => panic!("expected an untrusted table, found {other:?}"),
    }
}

#[track_caller]
fn is_corrupt(result: Result<Option<Bytes>>, table: &str) {
    match result {
        Err(error @ Error::Corrupt { .. }) => assert_eq!(error.object(), Some(table)),
        other => panic!("expected a corrupt table, found {other:?}"),
    }
}

#[test]
fn the_buckets_that_the_original_signed_are_read_and_only_with_the_right_key() {
    let seed: [u8; 32] = std::array::from_fn(|i| i as u8);
    let clock = bucket::TestClock::new();
    let store: Arc<dyn ObjectStore> =
        Arc::new(bucket::load(&bucket::fixtures().join("signed/bucket"), clock.clone()));
    block_on(async {
        let db = Db::open(store.clone(), clock.clone(), "db", trusting(&seed)).unwrap();
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        let entries = bucket::collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap();
        assert_eq!(entries.len(), 401);
        assert_eq!(reader.get(&entries[7].0).await.unwrap(), Some(entries[7].1.clone()));
        let db = Db::open(store, clock, "db", trusting(&THEIRS)).unwrap();
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        let error = reader.get(&entries[7].0).await.unwrap_err();
        assert!(matches!(&error, Error::Untrusted { reason, .. } if reason.contains("test-1")), "{error}");
    });
}

#[test]
fn what_our_key_signed_is_read_and_nothing_else() {
    let store = memory();
    write(&store, "ours", Some(&OURS), b'o', 10);
    write(&store, "theirs", Some(&THEIRS), b't', 10);
    write(&store, "nobodys", None, b'n', 10);
    assert_eq!(get(&open(&store, "ours", trusting(&OURS)), 3).unwrap().unwrap()[0], b'o');
    let theirs = get(&open(&store, "theirs", trusting(&OURS)), 3);
    is_untrusted(theirs, &the_table(&store, "theirs"), "no trusted key");
    let nobodys = get(&open(&store, "nobodys", trusting(&OURS)), 3);
    is_untrusted(nobodys, &the_table(&store, "nobodys"), "not signed");
    let plain = DbOptions { probe: false, ..DbOptions::default() };
    assert!(
        get(&open(&store, "theirs", plain), 3).unwrap().is_some(),
        "without a verifier nothing is checked"
    );
}

#[test]
fn a_table_that_was_swapped_for_another_signed_one_is_corrupt() {
    let store = memory();
    write(&store, "ours", Some(&OURS), b'o', 2000);
    write(&store, "other", Some(&OURS), b'x', 2000);
    let (table, other) = (the_table(&store, "ours"), the_table(&store, "other"));
    assert_eq!(bytes(&store, &table).len(), bytes(&store, &other).len());
    replace(&store, &table, bytes(&store, &other));
    is_corrupt(get(&open(&store, "ours", trusting(&OURS)), 3), &table);
}

#[test]
fn a_table_that_is_replaced_after_it_was_opened_is_found_at_the_next_block() {
    for (options, safe) in
        [(trusting(&OURS), true), (DbOptions { probe: false, ..DbOptions::default() }, false)]
    {
        let store = memory();
        write(&store, "ours", Some(&OURS), b'o', 5000);
        write(&store, "other", None, b'x', 5000);
        let (table, other) = (the_table(&store, "ours"), the_table(&store, "other"));
        let reader = block_on(open(&store, "ours", options).reader(ReaderOptions::default())).unwrap();
        assert_eq!(block_on(reader.get(&key(0))).unwrap().unwrap()[0], b'o');
        replace(&store, &table, bytes(&store, &other));
        let later = block_on(reader.get(&key(4000)));
        if !safe {
            assert_eq!(later.unwrap().unwrap()[0], b'x', "the replacement is a perfect one");
            continue;
        }
        is_corrupt(later, &table);
        let mut scan = block_on(reader.scan(ScanOptions::default())).unwrap();
        let error = loop {
            match block_on(scan.next()) {
                Ok(Some(entry)) => assert_eq!(entry.value[0], b'o'),
                Ok(None) => panic!("the scan came to its end"),
                Err(error) => break error,
            }
        };
        is_corrupt(Err(error), &table);
    }
}

#[test]
fn a_verified_table_is_read_whole_once_and_then_by_chunks() {
    let memory = memory();
    write(&memory, "ours", Some(&OURS), b'o', 45_000);
    let size = bytes(&memory, &the_table(&memory, "ours")).len() as u64;
    assert!(size > 4 << 20);
    let metered = Metered::new(memory);
    let meter = metered.meter();
    let store: Arc<dyn ObjectStore> = Arc::new(metered);
    block_on(async {
        let db = open(&store, "ours", trusting(&OURS));
        let reader = db.reader(ReaderOptions::default()).await.unwrap();
        let opening = meter.span();
        reader.get(&key(0)).await.unwrap().unwrap();
        let cost = opening.cost();
        // Two pieces of 4 MiB at once, the index partition, the block.
        assert_eq!((cost.get, cost.round_trips), (4, 3));
        assert!(cost.bytes_read < size + (160 << 10), "{cost:?} for {size}");
        let next = meter.span();
        reader.get(&key(50)).await.unwrap().unwrap();
        let cost = next.cost();
        assert_eq!((cost.get, cost.round_trips), (1, 1));
        assert!(cost.bytes_read <= 64 << 10, "{cost:?}");
    });
}

#[test]
fn a_tailer_reads_no_table_that_is_not_to_be_trusted() {
    let store = memory();
    write(&store, "ours", Some(&OURS), b'o', 10);
    write(&store, "theirs", Some(&THEIRS), b't', 10);
    let first = |prefix: &str| {
        let db = open(&store, prefix, trusting(&OURS));
        let options = TailOptions { start: TailStart::Begin, ..TailOptions::default() };
        block_on(async { db.tailer(options).await?.try_next().await })
    };
    assert!(first("ours").unwrap().is_some());
    assert!(matches!(first("theirs"), Err(Error::Untrusted { .. })));
}

#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Observer for Warnings {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Untrusted { error } = event {
            self.0.lock().unwrap().push(error.to_string());
        }
    }
}

#[test]
fn a_policy_that_warns_tells_and_reads_on() {
    let store = memory();
    write(&store, "theirs", Some(&THEIRS), b't', 5000);
    write(&store, "ours", Some(&OURS), b'o', 5000);
    let warnings = Warnings::default();
    let observer: Option<Arc<dyn Observer>> = Some(Arc::new(warnings.clone()));
    let warn = || DbOptions {
        signatures: Some(SignaturePolicy::Warn),
        observer: observer.clone(),
        ..trusting(&OURS)
    };
    assert_eq!(get(&open(&store, "theirs", warn()), 3).unwrap().unwrap()[0], b't');
    let told = std::mem::take(&mut *warnings.0.lock().unwrap());
    assert!(told.len() == 1 && told[0].contains(&the_table(&store, "theirs")), "{told:?}");
    let reader = block_on(open(&store, "ours", warn()).reader(ReaderOptions::default())).unwrap();
    block_on(reader.get(&key(0))).unwrap();
    assert!(warnings.0.lock().unwrap().is_empty());
    replace(&store, &the_table(&store, "ours"), bytes(&store, &the_table(&store, "theirs")));
    assert_eq!(block_on(reader.get(&key(4000))).unwrap().unwrap()[0], b't');
    assert!(warnings.0.lock().unwrap()[0].contains("replaced"));
}

#[test]
fn checksums_of_whole_tables_are_compared_where_that_is_asked_for() {
    let store = memory();
    write(&store, "ours", None, b'o', 2000);
    write(&store, "other", None, b'x', 2000);
    let checked = || DbOptions { probe: false, verify_checksums: true, ..DbOptions::default() };
    assert!(get(&open(&store, "ours", checked()), 3).unwrap().is_some());
    let table = the_table(&store, "ours");
    replace(&store, &table, bytes(&store, &the_table(&store, "other")));
    is_corrupt(get(&open(&store, "ours", checked()), 3), &table);
}

#[test]
fn a_policy_without_a_verifier_is_refused_at_open() {
    let options = DbOptions { signatures: Some(SignaturePolicy::Require), ..DbOptions::default() };
    let refused = Db::open(memory(), Arc::new(TestHost::new()), "db", options).err().unwrap();
    assert!(matches!(&refused, Error::InvalidArgument { what } if what.contains("signatures")), "{refused}");
}

#[test]
fn by_default_nothing_is_signed_checked_or_told() {
    let options = DbOptions::default();
    assert!(options.signer.is_none() && options.verifier.is_none() && options.signatures.is_none());
    assert!(!options.verify_checksums && options.observer.is_none() && options.lsn.is_none());
    assert!(WriterOptions::default().signer.is_none());
}
