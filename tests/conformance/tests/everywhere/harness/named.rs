//! A store of which one can only get and put objects by name, as one that is reached by presigned URLs: it shows that the cases
//! which say that they need nothing else need nothing else.

use std::ops::Range;

use bytes::Bytes;
use isledb_core::host::{
    GetOptions, GetResult, ListPage, MemoryStore, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

/// Memory without lists, deletes and parts.
pub(crate) struct Named(pub(crate) MemoryStore);

fn refused<'a, T: Send + 'a>(object: &str, what: &str) -> BoxFuture<'a, Result<T>> {
    let error = Error::Unsupported { object: object.to_owned(), what: what.to_owned() };
    Box::pin(async move { Err(error) })
}

impl ObjectStore for Named {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        self.0.get(key, options)
    }

    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        self.0.get_ranges(key, ranges)
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        self.0.head(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.0.put(key, body, condition)
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        refused(key, "parts")
    }

    fn list<'a>(&'a self, prefix: &'a str, _start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        refused(prefix, "lists")
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        refused(keys.first().map_or("", String::as_str), "deletes")
    }
}
