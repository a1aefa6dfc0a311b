//! What was flushed, seen by a reader.

use std::time::Duration;

use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::write::WriterOptions;

use super::model::{Model, Numbers, scan};
use super::options;
use crate::Place;

pub(super) async fn prefix_without_a_database_opens_empty(at: Place) {
    let reader = at.db().reader(ReaderOptions::default()).await.unwrap();
    assert!(!reader.exists());
    assert_eq!(reader.get(b"k").await.unwrap(), None);
    assert!(scan(&reader, ScanOptions::default()).await.is_empty());
    assert!(at.keys(&at.prefix, None).await.is_empty(), "reading has written");
    // And it notices when there is one.
    at.db().writer(options()).await.unwrap().close().await.unwrap();
    assert!(reader.refresh().await.unwrap());
    assert!(reader.exists());
}

pub(super) async fn what_is_flushed_is_read(at: Place) {
    let (mut model, mut numbers) = (Model::default(), Numbers::new(1));
    let writer = at.db().writer(options()).await.unwrap();
    model.write(&writer, &mut numbers, 500).await;
    let last = writer.last_sequence();
    assert_eq!(writer.flush().await.unwrap(), last);
    assert_eq!(writer.committed_sequence(), last);
    model.must_be_in(&at.db()).await;
    writer.close().await.unwrap();
    model.must_be_in(&at.db()).await;
}

pub(super) async fn reader_sees_a_flush_after_refresh(at: Place) {
    let writer = at.db().writer(options()).await.unwrap();
    let reader = at.db().reader(ReaderOptions::default()).await.unwrap();
    for round in 0..10u8 {
        writer.put(b"k", &[round]).await.unwrap();
        let before = reader.get(b"k").await.unwrap();
        assert_eq!(
            before,
            round.checked_sub(1).map(|round| vec![round].into()),
            "what is not committed is not seen"
        );
        let sequence = writer.flush().await.unwrap();
        match round % 2 {
            0 => assert!(reader.refresh().await.unwrap(), "there is something new"),
            _ => reader.wait_for(sequence).await.unwrap(),
        }
        assert_eq!(reader.get(b"k").await.unwrap().as_deref(), Some(&[round][..]));
        assert!(!reader.refresh().await.unwrap(), "there is nothing new");
    }
}

pub(super) async fn scans_are_bounded_and_seek(at: Place) {
    let writer = at.db().writer(options()).await.unwrap();
    for round in 0..4 {
        for i in (round..400).step_by(4) {
            writer.put(format!("{:03}", i).as_bytes(), b"v").await.unwrap();
        }
        writer.flush().await.unwrap();
    }
    let reader = at.db().reader(ReaderOptions::default()).await.unwrap();
    let keys = async |options| -> Vec<String> {
        let found = scan(&reader, options).await;
        found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
    };
    let names = |range: std::ops::Range<u32>| range.map(|i| format!("{i:03}")).collect::<Vec<_>>();
    assert_eq!(keys(ScanOptions::default()).await, names(0..400));
    assert_eq!(keys(ScanOptions::range("100", "107")).await, names(100..107));
    assert_eq!(keys(ScanOptions::prefix("12")).await, names(120..130));
    assert_eq!(keys(ScanOptions::prefix("1").limit(3)).await, names(100..103));
    assert!(keys(ScanOptions::range("2", "2")).await.is_empty());
    assert!(keys(ScanOptions::default().limit(0)).await.is_empty());
    let mut scan = reader.scan(ScanOptions::range("050", "350")).await.unwrap();
    for (to, expected) in [("200", Some("200")), ("2005", Some("201")), ("349", Some("349")), ("350", None)] {
        scan.seek(to.as_bytes());
        let found = scan.next().await.unwrap().map(|entry| String::from_utf8(entry.key.to_vec()).unwrap());
        assert_eq!(found.as_deref(), expected, "seek {to}");
    }
}

pub(super) async fn expired_values_are_gone(at: Place) {
    let writer = at.db().writer(options()).await.unwrap();
    writer.put(b"kept", b"old").await.unwrap();
    writer.put(b"gone", b"old").await.unwrap();
    writer.flush().await.unwrap();
    writer.put_with_ttl(b"gone", b"new", Duration::from_millis(1_500)).await.unwrap();
    writer.put_with_ttl(b"kept", b"new", Duration::from_secs(86_400)).await.unwrap();
    writer.flush().await.unwrap();
    let reader = at.db().reader(ReaderOptions::default()).await.unwrap();
    let kept = reader.get_entry(b"kept").await.unwrap().unwrap();
    assert_eq!(&kept.value[..], b"new");
    assert!(kept.expires_at_ms.unwrap() > at.host.now_unix_ns() / 1_000_000 + 80_000_000);
    at.host.sleep(Duration::from_millis(1_600)).await;
    assert_eq!(reader.get(b"gone").await.unwrap(), None, "an expired value does not uncover an older one");
    assert_eq!(scan(&reader, ScanOptions::default()).await, [(b"kept".to_vec(), b"new".to_vec())]);
}

/// A blob of its own, a value within a table, and a table that goes up in parts.
pub(super) async fn large_values_and_large_tables(at: Place) {
    let mut numbers = Numbers::new(7);
    let mut noise = |bytes: u64| (0..bytes).map(|_| numbers.below(256) as u8).collect::<Vec<u8>>();
    let options =
        WriterOptions { memtable_size: 32 << 20, blob_threshold: 1 << 20, part_size: 5 << 20, ..options() };
    let mut model = Model::default();
    let writer = at.db().writer(options).await.unwrap();
    for i in 0..16 {
        // Twelve megabytes that no codec makes smaller: three parts.
        let (key, value) = (format!("in-table/{i}").into_bytes(), noise(800_000));
        writer.put(&key, &value).await.unwrap();
        model.0.insert(key, value);
    }
    let blob = noise(6 << 20);
    for key in [b"blob/1".to_vec(), b"blob/2".to_vec()] {
        writer.put(&key, &blob).await.unwrap();
        model.0.insert(key, blob.clone());
    }
    writer.close().await.unwrap();
    model.must_be_in(&at.db()).await;
    let blobs = at.keys(&at.key("blobs/"), None).await;
    assert_eq!(blobs.len(), 1, "equal values are one blob: {blobs:?}");
}
