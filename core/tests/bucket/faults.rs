//! A store that answers some gets with an error.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

type Fault = Box<dyn Fn(&str) -> Option<Error> + Send>;

/// Answers from `inner`, unless the fault of the moment says otherwise.
#[derive(Clone)]
pub(crate) struct Faults {
    inner: Arc<dyn ObjectStore>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Faults {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Faults {
        Faults { inner, fault: Arc::default() }
    }

    /// From now on gets of a key are answered with what `fault` says, if it says something.
    pub(crate) fn set(&self, fault: impl Fn(&str) -> Option<Error> + Send + 'static) {
        *self.fault.lock().unwrap() = Some(Box::new(fault));
    }
}

impl ObjectStore for Faults {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let fault = self.fault.lock().unwrap().as_ref().and_then(|fault| fault(key));
            match fault {
                Some(error) => Err(error),
                None => self.inner.get(key, options).await,
            }
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
        self.inner.put(key, body, condition)
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
