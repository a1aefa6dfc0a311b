//! A bucket in memory, which a test damages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_conformance::InstantHost;
use isledb_core::host::{GetOptions, MemoryStore, ObjectStore, PutCondition};
use isledb_core::read::{ReaderOptions, ScanOptions};
use isledb_core::{Db, DbOptions, Error, Result};

/// Now, for all of these tests: behind every expiry of the fixtures that is meant to have passed.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// All objects of a bucket.
pub(crate) type Objects = BTreeMap<String, Bytes>;

/// A store that holds them.
pub(crate) fn store_of(objects: &Objects) -> Arc<dyn ObjectStore> {
    let store = MemoryStore::new(Arc::new(InstantHost::new(NOW_MS, 0)));
    block_on(async {
        for (key, body) in objects {
            store.put(key, body.clone(), PutCondition::None).await.unwrap();
        }
    });
    Arc::new(store)
}

/// The objects of a store.
pub(crate) fn objects_of(store: &dyn ObjectStore) -> Objects {
    block_on(async {
        let mut objects = Objects::new();
        loop {
            let after = objects.last_key_value().map(|(key, _)| key.clone());
            let page = store.list("", after.as_deref()).await.unwrap();
            for object in page.objects {
                let got = store.get(&object.key, GetOptions::default()).await.unwrap();
                objects.insert(object.key.clone(), got.body.collect(&object.key, object.size).await.unwrap());
            }
            if !page.more {
                return objects;
            }
        }
    })
}

/// The objects of a folder, without the sidecars of the original's file store.
pub(crate) fn objects_in(folder: &Path) -> Objects {
    let (mut objects, mut folders) = (Objects::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "attrs") {
                let name: Vec<_> =
                    path.strip_prefix(folder).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
                objects.insert(name.join("/"), Bytes::from(std::fs::read(&path).unwrap()));
            }
        }
    }
    objects
}

/// A handle as another process has it. `number` tells processes apart.
pub(crate) fn open(store: Arc<dyn ObjectStore>, prefix: &str, number: u64) -> Result<Db> {
    Db::open(store, Arc::new(InstantHost::new(NOW_MS, number)), prefix, DbOptions::default())
}

/// What a bucket says to one who reads all of it: every entry by scan, and the same keys by get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) scanned: Result<BTreeMap<Bytes, Bytes>>,
    pub(crate) got: Vec<Result<Option<Bytes>>>,
}

/// Reads everything; `keys` are those to get.
pub(crate) fn read_all(store: Arc<dyn ObjectStore>, prefix: &str, keys: &[Bytes]) -> Result<Answer> {
    block_on(async {
        let reader = open(store, prefix, 1)?.reader(ReaderOptions::default()).await?;
        if !reader.exists() {
            return Err(Error::NoDatabase { prefix: prefix.to_owned() });
        }
        let scanned = async {
            let (mut scan, mut found) = (reader.scan(ScanOptions::default()).await?, BTreeMap::new());
            while let Some(entry) = scan.next().await? {
                found.insert(entry.key, entry.value);
            }
            Ok(found)
        };
        let scanned = scanned.await;
        let mut got = Vec::new();
        for key in keys {
            got.push(reader.get(key).await);
        }
        Ok(Answer { scanned, got })
    })
}
