//! Many databases in one store: beside one another, inside one another, under names of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use isledb_core::Result;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::tail::TailStart;

use super::feed::{apply, drain, tail_options};
use super::model::{Model, Numbers};
use super::options;
use crate::Place;

/// A store in which one prefix is all that may be touched.
struct Within {
    inner: Arc<dyn ObjectStore>,
    /// With its slash.
    root: String,
}

impl Within {
    #[track_caller]
    fn check(&self, key: &str) {
        assert!(key.starts_with(&self.root), "{key} is touched by the database at {}", self.root);
    }
}

impl ObjectStore for Within {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        self.check(key);
        self.inner.get(key, options)
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.check(key);
        self.inner.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.check(key);
        self.inner.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.check(key);
        self.inner.put_multipart(key)
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.check(prefix);
        self.inner.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        keys.iter().for_each(|key| self.check(key));
        self.inner.delete(keys)
    }
}

/// Writes to all databases in turns, and finds in each what was written to it, by readers and by the feed.
async fn live_together(at: &Place, names: &[&str]) {
    let places: Vec<Place> = names
        .iter()
        .map(|name| {
            let prefix = at.key(name);
            let store = Arc::new(Within { inner: at.store.clone(), root: format!("{prefix}/") });
            Place { store, prefix, ..at.clone() }
        })
        .collect();
    let open = places.iter().map(|place| async { place.db().writer(options()).await.unwrap() });
    let writers = join_all(open).await;
    let mut models: Vec<Model> = names.iter().map(|_| Model::default()).collect();
    for round in 0..2 {
        for (i, (writer, model)) in writers.iter().zip(&mut models).enumerate() {
            // Other numbers for each, but some keys of all.
            model.write(writer, &mut Numbers::new(100 * i as u64 + round), 40).await;
            let value = format!("{} in round {round}", names[i]);
            writer.put(b"whose", value.as_bytes()).await.unwrap();
            model.0.insert(b"whose".to_vec(), value.into_bytes());
            let blob = format!("{} ", names[i]).repeat(500);
            writer.put(b"large", blob.as_bytes()).await.unwrap();
            model.0.insert(b"large".to_vec(), blob.into_bytes());
        }
        join_all(writers.iter().map(|writer| async { writer.flush().await.unwrap() })).await;
    }
    for (place, model) in places.iter().zip(&models) {
        model.must_be_in(&place.db()).await;
        let mut feed = place.db().tailer(tail_options(TailStart::Begin)).await.unwrap();
        let mut seen = BTreeMap::new();
        apply(&mut seen, &drain(&mut feed).await);
        assert!(seen == model.0, "{}: the feed is of another database", place.prefix);
    }
    join_all(writers.iter().map(|writer| async { writer.close().await.unwrap() })).await;
}

/// One's prefix is the beginning of another's name, or lies in a folder of its own: neither sees the other's objects.
pub(super) async fn databases_of_one_store_never_touch_each_other(at: Place) {
    live_together(&at, &["a", "a/b", "ab", "a/manifest", "a/sstable", "a/blobs", "A"]).await;
}

/// Signs of URLs, of encodings, of shells, of XML, and letters of any language.
pub(super) async fn prefixes_of_odd_letters_hold_databases(at: Place) {
    let odd =
        ["a b+c%41%2F&d=e;f,g@h", "i#j?k!l'm\"n(o)p$q:r", "ü漢字🏝e\u{301}/ ", "<s>|[t]{u}^`~*", "..x/.y/z."];
    live_together(&at, &odd).await;
}
