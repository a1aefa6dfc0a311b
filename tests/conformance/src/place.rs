//! Where a case runs.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::host::{GetOptions, GetResult, Host, ObjectMeta, ObjectStore, PutCondition, Version};
use isledb_core::maybe::{BoxFuture, MaybeSend, MaybeSync};

/// One case: its name, and what it does at a place of its own.
#[derive(Clone, Copy)]
pub struct Case {
    /// The name of its function.
    pub name: &'static str,
    /// What the store must be able to do beyond gets and puts.
    pub needs: &'static [Need],
    /// Panics where the place does not do what it must.
    pub run: fn(Place) -> BoxFuture<'static, ()>,
}

/// What not every store does: one that is reached by presigned URLs, for instance, has gets and puts of named objects only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Lists what is there.
    List,
    /// Deletes objects.
    Delete,
    /// Takes an object in parts.
    Multipart,
}

/// Runs a future beside its caller where the host can, so that races are races; the answer resolves when it is done.
pub type Spawn = Arc<dyn SpawnFn>;

/// The function behind [`Spawn`].
pub trait SpawnFn: Fn(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + MaybeSend + MaybeSync {}
impl<F: Fn(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + MaybeSend + MaybeSync> SpawnFn for F {}

/// A store, and in it a prefix that nobody else uses.
#[derive(Clone)]
pub struct Place {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The prefix, without a slash at its end. Nothing is there yet.
    pub prefix: String,
    /// The host's clock and randomness.
    pub host: Arc<dyn Host>,
    /// How the host runs futures beside one another.
    pub spawn: Spawn,
}

impl Place {
    /// The full key of a name under the prefix.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Runs them beside one another and returns when all are done.
    pub async fn together(&self, futures: impl IntoIterator<Item = BoxFuture<'static, ()>>) {
        futures::future::join_all(futures.into_iter().map(|future| (self.spawn)(future))).await;
    }

    pub(crate) async fn put_if(
        &self,
        key: &str,
        body: impl Into<Bytes>,
        condition: PutCondition,
    ) -> Result<Version> {
        self.store.put(key, body.into(), condition).await
    }

    /// An unconditional put that must succeed.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Bytes>) -> Version {
        let put = self.put_if(key, body, PutCondition::None).await;
        put.unwrap_or_else(|error| panic!("put {key}: {error}"))
    }

    pub(crate) async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<GetResult> {
        self.store.get(key, GetOptions { range, if_none_match: None }).await
    }

    pub(crate) async fn get_unless(&self, key: &str, known: &Version) -> Result<GetResult> {
        self.store.get(key, GetOptions { range: None, if_none_match: Some(known.clone()) }).await
    }

    /// The whole body and its version, which must be there.
    pub(crate) async fn read(&self, key: &str) -> (Bytes, Version) {
        let got = self.get(key, None).await.unwrap_or_else(|error| panic!("get {key}: {error}"));
        let version = got.meta.version.clone().unwrap_or_else(|| panic!("get {key}: no version"));
        (body_of(key, got).await, version)
    }

    /// Every object under a prefix, page by page, with the number of pages.
    pub(crate) async fn list_all(&self, prefix: &str, start_after: Option<&str>) -> (Vec<ObjectMeta>, usize) {
        let (mut all, mut pages, mut after) = (Vec::<ObjectMeta>::new(), 0, start_after.map(str::to_owned));
        loop {
            let page = self.store.list(prefix, after.as_deref()).await;
            let page = page.unwrap_or_else(|error| panic!("list {prefix} after {after:?}: {error}"));
            assert!(page.objects.len() <= 1000, "list {prefix}: a page of {} objects", page.objects.len());
            pages += 1;
            assert!(pages < 10_000, "list {prefix}: pages without end");
            let last = page.objects.last().map(|object| object.key.clone());
            all.extend(page.objects);
            if !page.more {
                return (all, pages);
            }
            assert!(
                last.is_some(),
                "list {prefix} after {after:?}: more may follow, but nothing to go on from"
            );
            after = last;
        }
    }

    pub(crate) async fn keys(&self, prefix: &str, start_after: Option<&str>) -> Vec<String> {
        self.list_all(prefix, start_after).await.0.into_iter().map(|object| object.key).collect()
    }
}

/// The body of an answer, as long as the answer says.
pub(crate) async fn body_of(key: &str, got: GetResult) -> Bytes {
    let expected = got.range.end - got.range.start;
    got.body.collect(key, expected).await.unwrap_or_else(|error| panic!("body of {key}: {error}"))
}
