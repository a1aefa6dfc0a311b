//! A store that takes its time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb::maybe::BoxFuture;

/// Takes its time with each get, and counts those that wait.
pub(crate) struct Slow {
    inner: Arc<dyn ObjectStore>,
    each_get: Duration,
    pub(crate) gets: AtomicU64,
    waiting: AtomicU64,
    pub(crate) most: AtomicU64,
}

impl Slow {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, each_get: Duration) -> Arc<Slow> {
        Arc::new(Slow { inner, each_get, gets: 0.into(), waiting: 0.into(), most: 0.into() })
    }

    async fn wait(&self) {
        self.gets.fetch_add(1, Ordering::SeqCst);
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(waiting, Ordering::SeqCst);
        tokio::time::sleep(self.each_get).await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ObjectStore for Slow {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, isledb::Result<GetResult>> {
        Box::pin(async move {
            self.wait().await;
            self.inner.get(key, options).await
        })
    }

    fn get_ranges<'a>(
        &'a self,
        key: &'a str,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, isledb::Result<Vec<Bytes>>> {
        self.inner.get_ranges(key, ranges)
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, isledb::Result<ObjectMeta>> {
        self.inner.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, isledb::Result<Version>> {
        self.inner.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, isledb::Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        start_after: Option<&'a str>,
    ) -> BoxFuture<'a, isledb::Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, isledb::Result<Vec<isledb::Result<()>>>> {
        self.inner.delete(keys)
    }
}
