//! `docs/metrics.md` and the code know the same metrics, and a run of everything emits them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use isledb::host::{Event, Host, Metered, ObjectStore, Observer};
use isledb::maintain::MaintenanceOptions;
use isledb::read::{ReaderOptions, ScanOptions};
use isledb::signature::{Ed25519Signer, Ed25519Verifier, SignaturePolicy};
use isledb::tail::{TailOptions, TailStart};
use isledb::write::{WriteBatch, WriterOptions};
use isledb::{Db, DbOptions, Metrics, Observed, StoreOptions, TokioHost};
use metrics_util::debugging::DebuggingRecorder;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names that the page lists, in the first column of its tables.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(names.len(), set.len(), "a metric is listed twice");
    set
}

/// The names in quotes in the sources below `folder`.
fn in_sources(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            in_sources(&entry, names);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let quoted = text.split('"').filter(|piece| piece.starts_with("isledb_"));
            let plain = |piece: &&str| piece.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            names.extend(quoted.filter(plain).map(str::to_owned));
        }
    }
}

#[test]
fn the_page_lists_what_the_code_names_and_nothing_else() {
    let mut named = BTreeSet::new();
    in_sources(&root().join("hosts/native/src"), &mut named);
    named.retain(|name| !["isledb_core", "isledb_cli"].contains(&name.as_str()));
    assert_eq!(named, documented());
    assert!(named.len() > 50);
}

/// Everything that a database does, once.
async fn everything() -> isledb::Result<()> {
    let opened = isledb::open_store("memory:", &StoreOptions::default())?;
    let metered = Metered::new(Arc::new(Observed::new(opened.store)));
    let meter = metered.meter();
    let (store, host): (Arc<dyn ObjectStore>, Arc<dyn Host>) =
        (Arc::new(metered), Arc::new(TokioHost::new()));
    let observer: Option<Arc<dyn Observer>> = Some(Arc::new(Metrics));
    let db = Db::open(
        store.clone(),
        host.clone(),
        "db",
        DbOptions { observer: observer.clone(), ..DbOptions::default() },
    )?;
    let writer = db
        .writer(WriterOptions {
            memtable_size: 4096,
            max_pending_memtables: 1,
            blob_threshold: 2000,
            put_deadline: Duration::ZERO,
            ..WriterOptions::default()
        })
        .await?;
    writer.put(b"k", b"v").await?;
    writer.delete(b"gone").await?;
    writer.flush().await?;
    let mut batch = WriteBatch::new();
    batch.put(b"a", &[1; 1900]).put(b"b", &[2; 1900]).put(b"blob", &[3; 3000]);
    writer.write(batch.clone()).await?;
    writer.write(batch.clone()).await?;
    writer.write(batch).await.unwrap_err();
    writer.close().await?;

    let reader = db.reader(ReaderOptions::default()).await?;
    assert!(reader.get(b"k").await?.is_some() && reader.get(b"gone").await?.is_none());
    reader.get(b"").await.unwrap_err();
    assert!(reader.get(b"blob").await?.is_some());
    reader.refresh().await?;
    for options in [ScanOptions::default(), ScanOptions::default().limit(1)] {
        let mut scan = reader.scan(options).await?;
        while scan.next().await?.is_some() {}
    }
    let mut tailer = db.tailer(TailOptions { start: TailStart::Begin, ..TailOptions::default() }).await?;
    while tailer.try_next().await?.is_some() {}

    let mut maintenance = db.maintenance(MaintenanceOptions::default()).await?;
    maintenance.merge_everything().await?;
    maintenance.close().await?;

    let mut maintenance = db.maintenance(MaintenanceOptions::default()).await?;
    maintenance.run_once().await?;
    maintenance.close().await?;
    // Retention takes no table that is younger than a second.
    Metrics.observe(&Event::Retired { tables: 1, bytes: 1 });

    let verifier = Ed25519Verifier::new(&[Ed25519Signer::new(&[1; 32]).public_key()])?;
    let warned = DbOptions {
        observer,
        verifier: Some(Arc::new(verifier)),
        signatures: Some(SignaturePolicy::Warn),
        ..DbOptions::default()
    };
    let db = Db::open(store, host, "db", warned)?;
    assert!(db.reader(ReaderOptions::default()).await?.get(b"k").await?.is_some());
    Metrics::sample(&meter, db.cache());
    Ok(())
}

#[test]
fn a_run_of_everything_emits_what_the_page_lists() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(everything())).unwrap();
    let snapshot = snapshotter.snapshot().into_vec();
    let emitted: BTreeSet<String> =
        snapshot.into_iter().map(|(key, ..)| key.key().name().to_owned()).collect();
    // A memory store has no disk to cache on.
    let expected: BTreeSet<String> =
        documented().into_iter().filter(|name| !name.starts_with("isledb_disk_cache_")).collect();
    assert_eq!(emitted, expected);
}
