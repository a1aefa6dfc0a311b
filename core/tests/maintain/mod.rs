//! What the tests of maintenance share: a store that lets others run at every request, and looks into a bucket.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

pub(crate) mod faults;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use isledb_core::Result;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Requests,
    Version,
};
use isledb_core::maintain::MergeOptions;
use isledb_core::maintain::plan::merge::MergePolicy;
use isledb_core::maybe::BoxFuture;

/// Answers no request at once: before and after each, others have a turn.
#[derive(Clone)]
pub(crate) struct Yielding(pub(crate) Arc<dyn ObjectStore>);

async fn turn() {
    let mut done = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl ObjectStore for Yielding {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            turn().await;
            let got = self.0.get(key, options).await;
            turn().await;
            got
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            turn().await;
            self.0.head(key).await
        })
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            turn().await;
            let put = self.0.put(key, body, condition).await;
            turn().await;
            put
        })
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            turn().await;
            let upload = self.0.put_multipart(key).await;
            turn().await;
            upload
        })
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.0.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            turn().await;
            self.0.delete(keys).await
        })
    }
}

/// Polls a future so many times, and drops it. What it came to, if it ended before.
pub(crate) fn poll_times<T>(future: impl Future<Output = T>, times: u32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Some(done);
        }
    }
    None
}

/// Names of all objects below `prefix`.
pub(crate) async fn names(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.list(prefix, after.as_deref()).await.unwrap();
        names.extend(page.objects.into_iter().map(|object| object.key));
        after = names.last().cloned();
        if !page.more {
            return names;
        }
    }
}

/// Tables of the database `db` that no log entry names.
pub(crate) async fn unnamed_tables(requests: &Requests) -> Vec<String> {
    let mut log = String::new();
    for name in names(requests.store.as_ref(), "db/manifest/log/").await {
        log.push_str(std::str::from_utf8(&requests.get(&name).await.unwrap().body).unwrap());
    }
    let mut tables = names(requests.store.as_ref(), "db/sstable/").await;
    tables.retain(|name| !log.contains(name.strip_prefix("db/sstable/").unwrap()));
    tables
}

/// Merges early, into small tables.
pub(crate) fn eager() -> MergeOptions {
    let policy = MergePolicy {
        l0_tables: 3,
        min_runs: 2,
        max_runs: 3,
        run_limit: 4,
        max_inputs: 4,
        table_size: 4 << 10,
        ..MergePolicy::default()
    };
    MergeOptions { policy, read_ahead: 64 << 10, ..MergeOptions::default() }
}
