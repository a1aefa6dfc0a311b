//! Background tasks.

use std::time::Duration;

use isledb::read::ReaderOptions;
use isledb::write::WriterOptions;
use isledb::{BackgroundRefresh, BackgroundWriter};

#[tokio::test]
async fn writes_are_flushed_and_seen_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("db");
    let url = url.to_str().unwrap();
    let options = WriterOptions { flush_interval: Duration::from_millis(20), ..WriterOptions::default() };
    let mut writer = BackgroundWriter::spawn(isledb::open(url).unwrap().writer(options).await.unwrap());

    // A second handle, as in another process.
    let reader = isledb::open(url).unwrap().reader(ReaderOptions::default()).await.unwrap();
    let _refresh = BackgroundRefresh::spawn(reader.clone(), Duration::from_millis(10));
    writer.put(b"k", b"v").await.unwrap();
    let seen = async {
        while reader.get(b"k").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the write becomes visible by itself");

    let last = writer.put(b"k", b"at the end").await.unwrap();
    writer.shutdown().await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(writer.committed_sequence(), last);
    let reader = isledb::open(url).unwrap().reader(ReaderOptions::default()).await.unwrap();
    assert_eq!(reader.get(b"k").await.unwrap().unwrap(), "at the end");
}
