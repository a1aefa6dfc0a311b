//! Seeds from the golden files, and from small tables and buckets that our own writer makes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_conformance::InstantHost;
use isledb_core::format::blob::BlobId;
use isledb_core::format::gc::{DoomedBlob, DoomedBlobs};
use isledb_core::format::sst::{
    BlockHandle, ChecksumKind, Compression, FullFilter, Kind, TableBuilder, TableFlavour, TableLayout,
    TableOptions, read_stored_block,
};
use isledb_core::format::time::Timestamp;
use isledb_core::host::{GetOptions, MemoryStore, ObjectStore};
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maintain::{MaintenanceOptions, MergeOptions};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions};

use crate::archive::{NOW_MS, Objects, PREFIX, store_of};
use crate::reseal;
use crate::stored::Stored;

/// Most seeds of one kind of document.
const MAX_DOCUMENTS: usize = 24;
const MAX_DOCUMENT_BYTES: usize = 4 << 10;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures"))
}

/// A table of the golden files.
pub(crate) fn golden(name: &str) -> Stored {
    Stored::whole(std::fs::read(folder().join("sst").join(name)).unwrap().into()).unwrap()
}

/// Small tables of every kind: golden ones, and ours.
pub(crate) fn tables() -> Vec<Stored> {
    let golden_tables = ["example_pebble1.sst", "example_rocksdb2.sst", "f02_snappy_single.sst"];
    golden_tables.into_iter().map(golden).chain(made()).collect()
}

fn made() -> impl Iterator<Item = Stored> {
    let options = TableOptions { block_size: 200, restart_interval: 4, ..TableOptions::default() };
    let snappy = Compression::Snappy;
    let xxhash = ChecksumKind::XxHash64;
    [
        TableOptions { compression: Compression::None, ..options.clone() },
        TableOptions { layout: TableLayout::Original, compression: Compression::None, ..options.clone() },
        TableOptions { compression: snappy.clone(), checksum: xxhash, ..options.clone() },
        TableOptions { flavour: TableFlavour::RocksDb, compression: snappy, ..options.clone() },
        TableOptions { filter_bits_per_key: 0, block_size: 4096, compression: Compression::None, ..options },
    ]
    .into_iter()
    .zip([120, 40, 60, 20, 12])
    .map(|(options, keys)| Stored::whole(build(options, keys)).unwrap())
}

fn build(options: TableOptions, keys: u64) -> Bytes {
    let (mut builder, mut out) = (TableBuilder::new(options), Vec::new());
    for i in 0..keys {
        let key = format!("user{:06}", i * 79);
        for sequence in [i + 2000, i + 1].into_iter().skip(usize::from(i % 5 != 0)) {
            let (kind, value) = match i % 7 {
                3 => (Kind::Delete, vec![2]),
                _ => (Kind::Set, format!("\0value-{i}-{sequence}").into_bytes()),
            };
            builder.add(key.as_bytes(), sequence, kind, &value).unwrap();
        }
    }
    builder.finish().unwrap();
    out.extend_from_slice(&builder.take_output());
    out.into()
}

/// The bodies of the first data blocks.
pub(crate) fn data_blocks(table: &Stored, count: usize) -> Vec<Vec<u8>> {
    data_handles(table, count).into_iter().map(|handle| body(table, handle)).collect()
}

/// The stored bodies of the first data blocks that are compressed so.
pub(crate) fn compressed_blocks(table: &Stored, block_type: u8, count: usize) -> Vec<Vec<u8>> {
    let stored = data_handles(table, count).into_iter().map(|handle| table.stored(handle));
    let compressed = stored.filter_map(|stored| {
        let (rest, _) = stored.split_last_chunk::<4>()?;
        let (found, body) = rest.split_last()?;
        (*found == block_type).then(|| body.to_vec())
    });
    compressed.collect()
}

fn data_handles(table: &Stored, count: usize) -> Vec<BlockHandle> {
    let partition = table.partition(0).unwrap();
    (0..partition.len().min(count)).map(|i| partition.handle(i)).collect()
}

fn body(table: &Stored, handle: BlockHandle) -> Vec<u8> {
    let stored = table.stored(handle);
    read_stored_block("seed", handle, stored, table.table.checksum(), 1 << 30).unwrap().to_vec()
}

/// The bodies of the index, and of its first partition where it has two levels.
pub(crate) fn index_blocks(table: &Stored) -> (Vec<u8>, Vec<u8>) {
    let top = body(table, table.table.footer().index);
    let mut places = reseal::rows(&top).into_iter().filter(|_| table.table.is_two_level());
    let first = places.next().and_then(|(_, place)| reseal::exact_handle(&place));
    (top, first.map(|handle| body(table, handle)).unwrap_or_default())
}

/// A key and the body of a full filter that has it.
pub(crate) fn filter_body(table: &Stored) -> Option<(Vec<u8>, Vec<u8>)> {
    let FullFilter::Resident(_) = table.table.full_filter()? else { return None };
    let mut block = table.block(data_handles(table, 1)[0]).unwrap().iter();
    block.seek_to_first().unwrap();
    let metaindex = body(table, table.table.footer().metaindex);
    let place = reseal::rows(&metaindex).into_iter().find(|(name, _)| name.starts_with(b"fullfilter."))?;
    Some((block.user_key().to_vec(), body(table, reseal::exact_handle(&place.1)?)))
}

/// The body of the properties block.
pub(crate) fn properties_body(table: &Stored) -> Vec<u8> {
    let metaindex = body(table, table.table.footer().metaindex);
    let mut rows = reseal::rows(&metaindex).into_iter();
    let (_, place) = rows.find(|(name, _)| name == b"rocksdb.properties").unwrap();
    body(table, reseal::exact_handle(&place).unwrap())
}

/// Every bucket: those of the original, and ours. Names are relative to the prefix.
pub(crate) fn buckets() -> &'static [Objects] {
    static BUCKETS: OnceLock<Vec<Objects>> = OnceLock::new();
    BUCKETS.get_or_init(|| {
        let mut folders: Vec<_> =
            folder().join("buckets").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let folders = folders.into_iter().filter(|folder| folder.is_dir());
        folders.map(|folder| original(&folder)).chain([ours(false), ours(true)]).collect()
    })
}

fn original(folder: &Path) -> Objects {
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let prefix = expected["prefix"].as_str().unwrap().trim_matches('/').to_owned();
    let root = folder.join("bucket").join(prefix);
    let (mut objects, mut folders) = (Objects::new(), vec![root.clone()]);
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "attrs") {
                let name: Vec<_> =
                    path.strip_prefix(&root).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
                objects.insert(name.join("/"), std::fs::read(&path).unwrap().into());
            }
        }
    }
    objects
}

/// A bucket that our writer made, with blobs, deletes and expiries; merged and swept by our maintenance, or not.
fn ours(merged: bool) -> Objects {
    let store = store_of(&Objects::new());
    block_on(async {
        let host = Arc::new(InstantHost::new(NOW_MS, 1));
        let db = Db::open(store.clone(), host, PREFIX, DbOptions::default()).unwrap();
        let table =
            TableOptions { block_size: 256, compression: Compression::None, ..TableOptions::default() };
        let options = WriterOptions {
            blob_threshold: 100,
            flush_interval: Duration::ZERO,
            table,
            ..WriterOptions::default()
        };
        let writer = db.writer(options).await.unwrap();
        for flush in 0..6u32 {
            for row in 0..8 {
                let key = format!("k{:02}", (flush * 5 + row * 3) % 20);
                writer.put(key.as_bytes(), format!("value {flush} {row}").as_bytes()).await.unwrap();
            }
            writer.put(b"blob", &[b'a' + flush as u8; 120]).await.unwrap();
            writer.put_with_ttl(b"ttl", b"soon", Duration::from_secs(3600)).await.unwrap();
            writer.delete(b"k03").await.unwrap();
            writer.flush().await.unwrap();
        }
        writer.close().await.unwrap();
        if merged {
            let policy =
                MergePolicy { l0_tables: 3, min_runs: 2, table_size: 4 << 10, ..MergePolicy::default() };
            let merge = Some(MergeOptions { policy, ..MergeOptions::default() });
            let options = MaintenanceOptions { merge, ..MaintenanceOptions::default() };
            let mut maintenance = db.maintenance(options).await.unwrap();
            maintenance.run_once().await.unwrap();
            maintenance.close().await.unwrap();
        }
    });
    objects_of(&store)
}

fn objects_of(store: &MemoryStore) -> Objects {
    block_on(async {
        let mut objects = Objects::new();
        for object in store.list("", None).await.unwrap().objects {
            let got = store.get(&object.key, GetOptions::default()).await.unwrap();
            let name = object.key.strip_prefix(PREFIX).unwrap().trim_start_matches('/').to_owned();
            objects.insert(name, got.body.collect(&object.key, object.size).await.unwrap());
        }
        objects
    })
}

/// Documents whose names contain `part`: some of each length.
pub(crate) fn documents(part: &str) -> Vec<Vec<u8>> {
    let all = buckets().iter().flatten().filter(|(name, _)| format!("/{name}").contains(part));
    let small: Vec<&Bytes> =
        all.map(|(_, body)| body).filter(|body| body.len() <= MAX_DOCUMENT_BYTES).collect();
    let mut seen = BTreeSet::new();
    let different = small.into_iter().filter(|body| seen.insert(body.len() / 16)).take(MAX_DOCUMENTS);
    let mut documents: Vec<Vec<u8>> = different.map(|body| body.to_vec()).collect();
    if part.ends_with("gc/blobs.json") {
        let mut ids = [BlobId::of(b"a"), BlobId::of(b"b"), BlobId::of(b"c")];
        ids.sort();
        let named_at = Timestamp::from_unix_ms(NOW_MS);
        let doomed = ids.map(|id| DoomedBlob { id, named_at, condemned_at: None, size: Some(9) });
        documents.push(DoomedBlobs { blobs: doomed.into(), ..DoomedBlobs::default() }.encode().to_vec());
    }
    documents
}
