//! Every place that the manifest and the marks can have, against one list; and a database whose manifest lies in a SQLite file
//! while its tables lie in a folder.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use isledb::format::layout::Layout;
use isledb::host::{MemoryStore, ObjectStore, Requests};
use isledb::maintain::MaintenanceOptions;
use isledb::maintain::gc::{GcOptions, MarkStorage, MemoryMarks, ObjectMarks};
use isledb::manifest::{ManifestStorage, MemoryManifest, ObjectManifest};
use isledb::read::ReaderOptions;
use isledb::write::WriterOptions;
use isledb::{Db, DbOptions, Error, FileStore, SqliteFile, SqliteManifest, SqliteMarks, TokioHost};
use isledb_conformance::documents::{keeps_a_manifest, keeps_marks};

fn layout() -> Layout {
    Layout::new("some/db").unwrap()
}

fn requests(store: impl ObjectStore) -> Requests {
    Requests::new(Arc::new(store), Arc::new(TokioHost::new()))
}

fn stores(folder: &Path) -> Vec<Requests> {
    let memory = MemoryStore::new(Arc::new(TokioHost::new()));
    vec![requests(memory), requests(FileStore::new(folder.join("objects")))]
}

fn sqlite(folder: &Path) -> SqliteFile {
    SqliteFile::open(&folder.join("manifest.sqlite")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manifest_storage_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<Box<dyn ManifestStorage>> = vec![
        Box::new(MemoryManifest::new(layout())),
        Box::new(SqliteManifest::new(sqlite(folder.path()), layout())),
    ];
    for requests in stores(folder.path()) {
        all.push(Box::new(ObjectManifest::new(requests, layout())));
    }
    for storage in all {
        keeps_a_manifest(storage.as_ref(), || std::thread::sleep(Duration::from_millis(20))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mark_storage_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<Box<dyn MarkStorage>> = vec![
        Box::new(MemoryMarks::new(layout())),
        Box::new(SqliteMarks::new(sqlite(folder.path()), layout())),
    ];
    for requests in stores(folder.path()) {
        all.push(Box::new(ObjectMarks::new(requests, layout())));
    }
    for storage in all {
        keeps_marks(storage.as_ref()).await;
    }
}

/// A handle as each process has it: its own connection, its own store.
fn open(folder: &Path) -> Db {
    let file = sqlite(folder);
    let options = DbOptions {
        manifest: Some(Arc::new(SqliteManifest::new(file.clone(), layout()))),
        marks: Some(Arc::new(SqliteMarks::new(file, layout()))),
        ..DbOptions::default()
    };
    let store = Arc::new(FileStore::new(folder.join("tables")));
    Db::open(store, Arc::new(TokioHost::new()), "some/db", options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_lives_with_its_manifest_in_sqlite_and_its_tables_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let writer =
        db.writer(WriterOptions { owner: "first".into(), ..WriterOptions::default() }).await.unwrap();
    let reader = open(folder.path()).reader(ReaderOptions::default()).await.unwrap();
    for round in 0..40u32 {
        writer.put(b"key", &round.to_be_bytes()).await.unwrap();
        writer.flush().await.unwrap();
    }
    reader.refresh().await.unwrap();
    assert_eq!(reader.get(b"key").await.unwrap().unwrap(), &39u32.to_be_bytes()[..]);
    assert!(!reader.view().manifest().current.snapshot.is_empty(), "40 flushes have brought a snapshot");

    // A writer of another process takes over: the first one is fenced through the file alone.
    let second = open(folder.path()).writer(WriterOptions::default()).await.unwrap();
    writer.put(b"key", b"late").await.unwrap();
    assert!(matches!(writer.flush().await, Err(Error::Fenced { .. })));
    second.put(b"key", b"last").await.unwrap();
    second.flush().await.unwrap();

    let gc = GcOptions { interval: Duration::ZERO, ..GcOptions::default() };
    let options = MaintenanceOptions { merge: None, gc: Some(gc), ..MaintenanceOptions::default() };
    let mut owner = open(folder.path()).maintenance(options).await.unwrap();
    let first = owner.run_once().await.unwrap().gc.unwrap();
    assert_eq!((first.marked, first.objects()), (0, 0));
    owner.run_once().await.unwrap();
    reader.refresh().await.unwrap();
    assert_eq!(reader.get(b"key").await.unwrap().unwrap(), &b"last"[..]);
    let tables = folder.path().join("tables/some/db");
    assert!(tables.join("sstable").is_dir() && !tables.join("manifest/CURRENT").exists());
}

#[tokio::test]
async fn a_file_that_is_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.sqlite");
    std::fs::write(&path, [b'x'; 4096]).unwrap();
    let Err(error) = SqliteFile::open(&path) else { panic!("opened") };
    assert!(
        matches!(&error, Error::Corrupt { object, .. } if object.ends_with("manifest.sqlite")),
        "{error}"
    );
}
