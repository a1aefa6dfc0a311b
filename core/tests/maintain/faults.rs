//! Stores that fail on purpose.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

type Fault = Box<dyn Fn(&str, &str) -> Option<Error> + Send>;

/// Answers gets and puts with what the fault of the moment says (by request and key), and else from the store within.
#[derive(Clone)]
pub(crate) struct Faults {
    inner: Arc<dyn ObjectStore>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Faults {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Faults {
        Faults { inner, fault: Arc::default() }
    }

    pub(crate) fn set(&self, fault: impl Fn(&str, &str) -> Option<Error> + Send + 'static) {
        *self.fault.lock().unwrap() = Some(Box::new(fault));
    }

    fn check(&self, request: &str, key: &str) -> Result<()> {
        self.fault.lock().unwrap().as_ref().and_then(|fault| fault(request, key)).map_or(Ok(()), Err)
    }
}

impl ObjectStore for Faults {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            self.check("get", key)?;
            self.inner.get(key, options).await
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.inner.head(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            self.check("put", key)?;
            self.inner.put(key, body, condition).await
        })
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.inner.put_multipart(key)
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}

/// Counts uploads in parts that were begun and neither completed nor aborted, and fails second parts.
#[derive(Clone)]
pub(crate) struct Uploads {
    inner: Arc<dyn ObjectStore>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicI64,
    open: AtomicI64,
    to_fail: AtomicU32,
}

impl Uploads {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Uploads {
        Uploads { inner, counts: Arc::default() }
    }

    /// The second part of so many uploads is not taken from now on.
    pub(crate) fn fail_parts(&self, uploads: u32) {
        self.counts.to_fail.store(uploads, Ordering::Relaxed);
    }

    pub(crate) fn open(&self) -> i64 {
        self.counts.open.load(Ordering::Relaxed)
    }

    pub(crate) fn begun(&self) -> i64 {
        self.counts.begun.load(Ordering::Relaxed)
    }
}

struct Upload {
    inner: Box<dyn MultipartUpload>,
    counts: Arc<Counts>,
    parts: u32,
}

impl MultipartUpload for Upload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        self.parts += 1;
        let left = self.counts.to_fail.load(Ordering::Relaxed);
        if self.parts == 2 && left > 0 {
            if left < u32::MAX {
                self.counts.to_fail.store(left - 1, Ordering::Relaxed);
            }
            let refused = Error::Unavailable { object: "part".into(), message: "503".into() };
            return Box::pin(std::future::ready(Err(refused)));
        }
        self.inner.put_part(part)
    }
    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        self.inner.complete()
    }
    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        self.inner.abort()
    }
}

impl ObjectStore for Uploads {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        self.inner.get(key, options)
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.inner.head(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.inner.put(key, body, condition)
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let inner = self.inner.put_multipart(key).await?;
            self.counts.begun.fetch_add(1, Ordering::Relaxed);
            self.counts.open.fetch_add(1, Ordering::Relaxed);
            let upload: Box<dyn MultipartUpload> =
                Box::new(Upload { inner, counts: self.counts.clone(), parts: 0 });
            Ok(upload)
        })
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        self.inner.list(prefix, start_after)
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.inner.delete(keys)
    }
}
