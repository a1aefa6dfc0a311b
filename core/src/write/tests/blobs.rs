//! Large values beside their table, and garbage collection at the same time.

use std::time::Duration;

use bytes::Bytes;

use super::faulty::Fault;
use super::{Bench, entries, inline, read_table};
use crate::error::Error;
use crate::format::blob::BlobId;
use crate::format::blob_list::{self, BLOBS_PROPERTY, BlobList};
use crate::format::gc::{DoomedBlob, DoomedBlobs};
use crate::format::sst::{BlockHandle, ChecksumKind, Table, TableOpen, read_stored_block};
use crate::format::time::Timestamp;
use crate::host::{ObjectStore, PutCondition};
use crate::write::{Writer, WriterOptions};

fn options() -> WriterOptions {
    WriterOptions { blob_threshold: 100, flush_deadline: Duration::from_secs(5), ..WriterOptions::default() }
}

fn doom(bench: &Bench, values: &[&[u8]]) {
    let named_at = Timestamp::from_unix_ms(bench.host.now_ms());
    let mut blobs: Vec<DoomedBlob> = values
        .iter()
        .map(|value| DoomedBlob { id: BlobId::of(value), named_at, condemned_at: None, size: None })
        .collect();
    blobs.sort_by_key(|blob| blob.id);
    let body = DoomedBlobs { blobs, ..DoomedBlobs::default() }.encode();
    bench.host.run(bench.store.inner.put(&bench.layout.gc_blobs(), body, PutCondition::None)).unwrap();
}

fn flush(bench: &Bench, writer: &Writer) {
    bench.host.run(writer.flush()).unwrap();
}

#[test]
fn large_values_lie_beside_the_table_which_lists_them() {
    let bench = Bench::new();
    let writer = bench.writer(options());
    bench.store.take_log();
    bench.host.run(async {
        writer.put(b"a", &[1; 100]).await.unwrap();
        writer.put(b"b", &[2; 99]).await.unwrap();
        writer.put_with_ttl(b"c", &[3; 5_000], Duration::from_secs(9)).await.unwrap();
        writer.put(b"d", &[1; 100]).await.unwrap();
        writer.flush().await.unwrap();
    });
    let log = bench.store.take_log();
    let at = |part: &str| log.iter().position(|request| request.contains(part)).unwrap();
    assert_eq!(
        log.iter().filter(|request| request.contains("/blobs/")).count(),
        2,
        "equal values once: {log:#?}"
    );
    let last_blob = log.iter().rposition(|request| request.contains("/blobs/")).unwrap();
    assert!(last_blob < at("gc/blobs.json") && at("gc/blobs.json") < at("put db/manifest/log/"), "{log:#?}");
    assert_eq!(log.len(), 6);
    let found = bench.entries();
    assert_eq!(found[&(b"a".to_vec(), 1)], inline(&[1; 100]));
    assert_eq!(found[&(b"b".to_vec(), 2)], inline(&[2; 99]));
    assert_eq!(found[&(b"d".to_vec(), 4)], inline(&[1; 100]));
    assert_eq!(found[&(b"c".to_vec(), 3)].expire_at_ms(), Some(bench.host.now_ms() + 9_000));

    let meta = &bench.tables()[0];
    let object = bench.object(&bench.layout.sst(&meta.id)).slice(..meta.size as usize);
    let name = meta.id.as_str().into();
    let TableOpen::Ready(table) = Table::open(&name, meta.size, 0, object.clone()).unwrap() else { panic!() };
    let property = table.properties().get(BLOBS_PROPERTY).unwrap();
    let list = BlobList::decode(&name, property, meta.size).unwrap();
    let handle = BlockHandle { offset: list.offset, length: list.length };
    let stored = object.slice(list.stored().start as usize..list.stored().end as usize);
    let body = read_stored_block(&name, handle, stored, ChecksumKind::Crc32c, 1 << 20).unwrap();
    let mut ids = vec![BlobId::of(&[1; 100]), BlobId::of(&[3; 5_000])];
    ids.sort();
    assert_eq!(blob_list::decode_ids(&name, &list, &body).unwrap(), ids);
}

#[test]
fn an_equal_blob_is_found_and_a_conflict_is_looked_into() {
    let bench = Bench::new();
    let writer = bench.writer(options());
    bench.host.run(writer.put(b"a", &[1; 100])).unwrap();
    flush(&bench, &writer);
    bench.host.run(writer.put(b"b", &[1; 100])).unwrap();
    bench.store.take_log();
    flush(&bench, &writer);
    let log = bench.store.take_log();
    let blob = bench.layout.blob(&BlobId::of(&[1; 100]));
    assert!(log.contains(&format!("head {blob}")), "{log:#?}");
    assert_eq!(bench.entries().len(), 2);
    assert_eq!(bench.names("db/blobs/"), [blob]);
}

#[test]
fn a_blob_that_is_about_to_go_is_written_into_the_table() {
    let bench = Bench::new();
    let writer = bench.writer(options());
    doom(&bench, &[&[1; 100]]);
    bench.host.run(async {
        writer.put_with_ttl(b"a", &[1; 100], Duration::from_secs(1)).await.unwrap();
        writer.put(b"b", &[2; 100]).await.unwrap();
        writer.flush().await.unwrap();
    });
    let meta = &bench.tables()[0];
    assert!(meta.has_blob_refs);
    let found = read_table(meta, bench.object(&bench.layout.sst(&meta.id)));
    let blobs =
        found.iter().filter(|(_, _, value)| matches!(value, crate::format::value::Value::Blob { .. }));
    assert_eq!(blobs.count(), 1, "only the other one");
    let found = bench.entries();
    assert_eq!(found[&(b"a".to_vec(), 1)].expire_at_ms(), Some(bench.host.now_ms() + 1_000));
    assert_eq!(found[&(b"b".to_vec(), 2)], inline(&[2; 100]));
    assert_eq!(bench.published().len(), 1);
}

#[test]
fn a_large_one_waits_until_its_name_is_gone() {
    let bench = Bench::new();
    let writer = bench.writer(options());
    let large = vec![5; (1 << 20) + 1];
    doom(&bench, &[&large]);
    bench.host.run(async {
        writer.put(b"a", &large).await.unwrap();
        for _ in 0..2 {
            let error = writer.flush().await.unwrap_err();
            assert!(
                matches!(&error, Error::Unavailable { object, .. } if object.contains("/blobs/")),
                "{error}"
            );
        }
    });
    // Its DELETE lands, and later the name goes.
    let blob = bench.layout.blob(&BlobId::of(&large));
    bench.host.run(bench.store.inner.delete(&[blob])).unwrap();
    bench.host.advance(Duration::from_secs(2 * 3600));
    doom(&bench, &[]);
    flush(&bench, &writer);
    assert_eq!(bench.entries(), entries([(b"a", 1, inline(&large))]));
    assert_eq!(bench.published().len(), 1);
}

/// The flush is interrupted after its slot was asked for, for longer than its look at GC's list is good for. Meanwhile the
/// blob is deleted, by rules that do not know of the flush.
#[test]
fn an_old_look_at_the_list_is_taken_again_before_the_slot_is_put() {
    for doomed_again in [false, true] {
        let bench = Bench::new();
        let writer = bench.writer(options());
        bench.host.run(async {
            writer.put(b"a", &[1; 100]).await.unwrap();
            bench
                .store
                .fail(|_, key| if key.contains("manifest/log/") { Fault::Refused } else { Fault::None });
            let error = writer.flush().await.unwrap_err();
            assert!(matches!(error, Error::OutcomeUnknown { retry: true, .. }), "{error}");
        });
        bench.store.heal();
        bench.host.advance(Duration::from_secs(31 * 60));
        let blob = bench.layout.blob(&BlobId::of(&[1; 100]));
        bench.host.run(bench.store.inner.delete(&[blob])).unwrap();
        if doomed_again {
            doom(&bench, &[&[1; 100]]);
        }
        bench.store.take_log();
        flush(&bench, &writer);
        let log = bench.store.take_log();
        let at = |part: &str| log.iter().position(|request| request.contains(part)).unwrap();
        assert!(
            at("/blobs/") < at("gc/blobs.json") && at("gc/blobs.json") < at("put db/manifest/log/"),
            "{log:#?}"
        );
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(&[1; 100]))]), "{log:#?}");
        assert_eq!(bench.tables()[0].has_blob_refs, !doomed_again);
        assert_eq!(bench.published().len(), 1);
    }
}

#[test]
fn lost_answers_of_blob_puts_do_no_harm() {
    for faults in [[Fault::AnswerLost, Fault::None], [Fault::Refused, Fault::AnswerLost]] {
        let bench = Bench::new();
        let writer = bench.writer(options());
        bench.host.run(writer.put(b"a", &[1; 100])).unwrap();
        bench.store.fail_next("put", "/blobs/", &faults);
        flush(&bench, &writer);
        assert_eq!(bench.entries(), entries([(b"a", 1, inline(&[1; 100]))]));
    }
}

#[test]
fn a_damaged_list_stops_the_flush_by_name() {
    let bench = Bench::new();
    let writer = bench.writer(options());
    let object = bench.layout.gc_blobs();
    let body = Bytes::from_static(b"{\"version\":1,\"blobs\":[");
    bench.host.run(bench.store.inner.put(&object, body, PutCondition::None)).unwrap();
    bench.host.run(writer.put(b"a", &[1; 100])).unwrap();
    let error = bench.host.run(writer.flush()).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { object: named, .. } if *named == object), "{error}");
    doom(&bench, &[]);
    flush(&bench, &writer);
    assert_eq!(bench.entries().len(), 1);
}
