//! A store in memory that yields around every request and fails as told.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::host::{
    GetOptions, GetResult, ListPage, MemoryStore, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use crate::maybe::BoxFuture;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Served.
    None,
    /// Not applied, and answered with an error.
    Refused,
    /// Applied, and the answer is lost.
    AnswerLost,
}

/// Chooses by the request: its kind (`put`, `get`, ...) and the object.
type Choice = Box<dyn FnMut(&str, &str) -> Fault + Send>;

#[derive(Clone)]
pub(super) struct FaultyStore {
    pub(super) inner: MemoryStore,
    choice: Arc<Mutex<Option<Choice>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl FaultyStore {
    pub(super) fn new(inner: MemoryStore) -> FaultyStore {
        FaultyStore { inner, choice: Arc::default(), log: Arc::default() }
    }

    pub(super) fn fail(&self, choice: impl FnMut(&str, &str) -> Fault + Send + 'static) {
        *self.choice.lock().unwrap() = Some(Box::new(choice));
    }

    /// Fails requests of this kind on objects with `part` in their name: the next ones as listed, then none.
    pub(super) fn fail_next(&self, kind: &'static str, part: &'static str, faults: &[Fault]) {
        let mut faults: VecDeque<Fault> = faults.iter().copied().collect();
        self.fail(move |k, key| {
            if k == kind && key.contains(part) {
                faults.pop_front().unwrap_or(Fault::None)
            } else {
                Fault::None
            }
        });
    }

    pub(super) fn heal(&self) {
        *self.choice.lock().unwrap() = None;
    }

    /// The requests since the last call, as `put manifest/CURRENT`.
    pub(super) fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn choose(&self, kind: &str, key: &str) -> Fault {
        self.log.lock().unwrap().push(format!("{kind} {key}"));
        self.choice.lock().unwrap().as_mut().map_or(Fault::None, |choice| choice(kind, key))
    }

    async fn request<T>(&self, kind: &str, key: &str, request: BoxFuture<'_, Result<T>>) -> Result<T> {
        yield_once().await;
        let fault = self.choose(kind, key);
        let refused = || Error::Unavailable { object: key.to_owned(), message: "told to fail".to_owned() };
        if fault == Fault::Refused {
            return Err(refused());
        }
        let answer = request.await;
        yield_once().await;
        if fault == Fault::AnswerLost { Err(refused()) } else { answer }
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl ObjectStore for FaultyStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(self.request("get", key, self.inner.get(key, options)))
    }

    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(self.request("get", key, self.inner.get_ranges(key, ranges)))
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(self.request("head", key, self.inner.head(key)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(self.request("put", key, self.inner.put(key, body, condition)))
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let inner = self.request("begin", key, self.inner.put_multipart(key)).await?;
            Ok(Box::new(Parts { store: self.clone(), key: key.to_owned(), inner })
                as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(self.request("list", prefix, self.inner.list(prefix, start_after)))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(self.request("delete", &keys[0], self.inner.delete(keys)))
    }
}

struct Parts {
    store: FaultyStore,
    key: String,
    inner: Box<dyn MultipartUpload>,
}

impl MultipartUpload for Parts {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let (store, key) = (self.store.clone(), self.key.clone());
        let sent = self.inner.put_part(part);
        Box::pin(async move { store.request("part", &key, sent).await })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move { self.store.request("complete", &self.key, self.inner.complete()).await })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move { self.store.request("abort", &self.key, self.inner.abort()).await })
    }
}
