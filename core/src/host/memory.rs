//! The object store in memory: the reference for what every other store must do.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::{Bytes, BytesMut};

use super::Host;
use super::store::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use crate::error::{Error, Result};
use crate::maybe::BoxFuture;

/// The most objects that a page of a listing may carry, in this store and in every other.
pub const MAX_LIST_PAGE: usize = 1000;

/// An object store that forgets everything when it is dropped.
///
/// It is strongly consistent and decides every condition atomically. A request is answered when it is polled again, so
/// that requests which are made together do overlap, as they would anywhere else. Versions come from a counter, so no
/// version ever comes back, not even for content that does. Clones share the objects, so several databases (or a
/// writer and a reader "in different processes") may use one store. Safe for any number of threads.
#[derive(Clone)]
pub struct MemoryStore {
    objects: Arc<Mutex<Objects>>,
    clock: Arc<dyn Host>,
    page_size: usize,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<String, Object>,
    last_version: u64,
}

#[derive(Clone)]
struct Object {
    body: Bytes,
    version: Version,
    modified_ms: u64,
}

impl Object {
    fn meta(&self, key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: self.body.len() as u64,
            version: Some(self.version.clone()),
            last_modified_ms: Some(self.modified_ms),
        }
    }
}

impl MemoryStore {
    /// An empty store. `clock` dates its objects.
    pub fn new(clock: Arc<dyn Host>) -> MemoryStore {
        MemoryStore { objects: Arc::default(), clock, page_size: MAX_LIST_PAGE }
    }

    /// The same store with pages of at most `page_size` objects (1 to [`MAX_LIST_PAGE`]; others are brought into this
    /// range), so that a test need not make a thousand objects to see a second page.
    pub fn with_page_size(mut self, page_size: usize) -> MemoryStore {
        self.page_size = page_size.clamp(1, MAX_LIST_PAGE);
        self
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, key: &str, options: GetOptions) -> Result<GetResult> {
        let object = self.lock().by_key.get(key).cloned().ok_or_else(|| not_found(key))?;
        if options.if_none_match.is_some_and(|known| known == object.version) {
            return Err(Error::NotModified { object: key.to_owned() });
        }
        let size = object.body.len() as u64;
        let range = options.range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Error::corrupt(
                key,
                range.start,
                format!("bytes {range:?}"),
                format!("{size} bytes"),
            ));
        }
        // Both ends are at most the length of a slice in memory, so they fit a usize.
        let body = object.body.slice(range.start as usize..range.end as usize);
        Ok(GetResult { meta: object.meta(key), range, body: Body::once(body) })
    }

    fn write(&self, key: &str, body: Bytes, condition: &PutCondition) -> Result<Version> {
        let modified_ms = self.clock.now_unix_ns() / 1_000_000;
        let mut objects = self.lock();
        let present = objects.by_key.get(key);
        let holds = match condition {
            PutCondition::None => true,
            PutCondition::IfAbsent => present.is_none(),
            PutCondition::IfMatch(version) => present.is_some_and(|object| object.version == *version),
        };
        if !holds {
            return Err(Error::Precondition { object: key.to_owned() });
        }
        objects.last_version += 1;
        let version = Version::new(objects.last_version.to_string());
        objects.by_key.insert(key.to_owned(), Object { body, version: version.clone(), modified_ms });
        Ok(version)
    }

    fn page(&self, prefix: &str, start_after: Option<&str>) -> ListPage {
        let from = match start_after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let objects = self.lock();
        let mut rest = objects
            .by_key
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| object.meta(key));
        let page = rest.by_ref().take(self.page_size).collect();
        ListPage { objects: page, more: rest.next().is_some() }
    }
}

impl ObjectStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            travel().await;
            self.read(key, options)
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            travel().await;
            self.lock().by_key.get(key).map(|object| object.meta(key)).ok_or_else(|| not_found(key))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            travel().await;
            self.write(key, body, &condition)
        })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            travel().await;
            let upload = Upload { store: self.clone(), key: key.to_owned(), parts: Arc::default(), begun: 0 };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            travel().await;
            Ok(self.page(prefix, start_after))
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            travel().await;
            let mut objects = self.lock();
            for key in keys {
                objects.by_key.remove(key);
            }
            Ok(vec![Ok(()); keys.len()])
        })
    }
}

/// Parts arrive in any order; `None` is a part that was begun and has not arrived.
struct Upload {
    store: MemoryStore,
    key: String,
    parts: Arc<Mutex<Vec<Option<Bytes>>>>,
    begun: usize,
}

impl MultipartUpload for Upload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let number = self.begun;
        self.begun += 1;
        let parts = self.parts.clone();
        Box::pin(async move {
            travel().await;
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            if parts.len() <= number {
                parts.resize(number + 1, None);
            }
            parts[number] = Some(part);
            Ok(())
        })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            travel().await;
            let mut body = BytesMut::new();
            {
                let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
                let arrived = parts.iter().flatten().count();
                if arrived != self.begun {
                    let what =
                        format!("{}: complete with {arrived} of {} parts uploaded", self.key, self.begun);
                    return Err(Error::invalid(what));
                }
                parts.iter().flatten().for_each(|part| body.extend_from_slice(part));
            }
            self.store.write(&self.key, body.freeze(), &PutCondition::None)
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move { Ok(()) })
    }
}

/// The way to the store and back: lets whatever else is ready run once.
async fn travel() {
    let mut on_the_way = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut on_the_way) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

fn not_found(key: &str) -> Error {
    Error::NotFound { object: key.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::host::testing::VirtualClock;

    fn store() -> (MemoryStore, VirtualClock) {
        let clock = VirtualClock::at_unix_ms(1_000);
        (MemoryStore::new(Arc::new(clock.clone())), clock)
    }

    fn put(store: &MemoryStore, key: &str, body: &'static str, condition: PutCondition) -> Result<Version> {
        block_on(store.put(key, Bytes::from_static(body.as_bytes()), condition))
    }

    fn get(store: &MemoryStore, key: &str, options: GetOptions) -> Result<Bytes> {
        block_on(async {
            let got = store.get(key, options).await?;
            got.body.collect(key, got.range.end - got.range.start).await
        })
    }

    fn precondition<T: std::fmt::Debug>(result: Result<T>) -> bool {
        matches!(result.unwrap_err(), Error::Precondition { .. })
    }

    #[test]
    fn conditions_decide() {
        let (store, _) = store();
        assert!(precondition(put(&store, "k", "x", PutCondition::IfMatch(Version::new("1")))));
        let first = put(&store, "k", "x", PutCondition::IfAbsent).unwrap();
        assert!(precondition(put(&store, "k", "y", PutCondition::IfAbsent)));
        let second = put(&store, "k", "y", PutCondition::IfMatch(first.clone())).unwrap();
        assert!(precondition(put(&store, "k", "z", PutCondition::IfMatch(first))));
        assert_eq!(get(&store, "k", GetOptions::default()).unwrap(), "y");
        assert_eq!(block_on(store.head("k")).unwrap().version, Some(second));
    }

    #[test]
    fn a_version_never_comes_back() {
        let (store, _) = store();
        let first = put(&store, "k", "x", PutCondition::None).unwrap();
        put(&store, "k", "y", PutCondition::None).unwrap();
        assert_ne!(put(&store, "k", "x", PutCondition::None).unwrap(), first);
        block_on(store.delete(&["k".into()])).unwrap();
        assert_ne!(put(&store, "k", "x", PutCondition::IfAbsent).unwrap(), first);
    }

    #[test]
    fn conditional_get_answers_not_modified_only_for_the_present_version() {
        let (store, _) = store();
        let first = put(&store, "k", "x", PutCondition::None).unwrap();
        let known = GetOptions { if_none_match: Some(first), range: None };
        assert!(matches!(get(&store, "k", known.clone()).unwrap_err(), Error::NotModified { .. }));
        put(&store, "k", "y", PutCondition::None).unwrap();
        assert_eq!(get(&store, "k", known).unwrap(), "y");
    }

    #[test]
    fn ranges_lie_within_the_object() {
        let (store, clock) = store();
        put(&store, "k", "0123456789", PutCondition::None).unwrap();
        let range = |r| get(&store, "k", GetOptions { range: Some(r), if_none_match: None });
        assert_eq!(range(2..5).unwrap(), "234");
        assert_eq!(range(10..10).unwrap(), "");
        assert!(matches!(range(2..11).unwrap_err(), Error::Corrupt { offset: Some(2), .. }));
        assert!(matches!(range(u64::MAX - 1..u64::MAX).unwrap_err(), Error::Corrupt { .. }));
        clock.advance_ms(500);
        let meta = block_on(store.head("k")).unwrap();
        assert_eq!((meta.size, meta.last_modified_ms), (10, Some(1_000)), "dated when it was put");
        let both = block_on(store.get_ranges("k", &[7..9, 0..1])).unwrap();
        assert_eq!(both, ["78", "0"]);
    }

    #[test]
    fn lists_in_pages_and_bytewise_order() {
        let (store, _) = store();
        let store = store.with_page_size(2);
        for key in ["a/b", "a", "a/\u{fffd}", "a/B", "a-", "b"] {
            put(&store, key, "", PutCondition::None).unwrap();
        }
        let mut keys = Vec::new();
        let mut pages = 0;
        loop {
            let page = block_on(store.list("a", keys.last().map(String::as_str))).unwrap();
            pages += 1;
            keys.extend(page.objects.into_iter().map(|o| o.key));
            if !page.more {
                break;
            }
        }
        assert_eq!(keys, ["a", "a-", "a/B", "a/b", "a/\u{fffd}"]);
        assert_eq!(pages, 3);
        let all = |prefix, after| block_on(store.list(prefix, after)).unwrap().objects.len();
        assert_eq!(all("b", Some("a")), 1, "an earlier start changes nothing");
        assert_eq!(all("a", Some("c")), 0);
    }

    #[test]
    fn deleting_a_missing_object_succeeds() {
        let (store, _) = store();
        put(&store, "k", "x", PutCondition::None).unwrap();
        let answers = block_on(store.delete(&["k".into(), "k".into(), "other".into()])).unwrap();
        assert_eq!(answers, vec![Ok(()); 3]);
        assert!(matches!(block_on(store.head("k")).unwrap_err(), Error::NotFound { .. }));
    }

    #[test]
    fn an_upload_in_parts_appears_at_once_and_in_order_of_its_calls() {
        let (store, _) = store();
        block_on(async {
            let mut upload = store.put_multipart("k").await.unwrap();
            let first = upload.put_part(Bytes::from_static(b"first "));
            let second = upload.put_part(Bytes::from_static(b"second"));
            second.await.unwrap();
            first.await.unwrap();
            assert!(store.head("k").await.is_err());
            upload.complete().await.unwrap();
        });
        assert_eq!(get(&store, "k", GetOptions::default()).unwrap(), "first second");
    }

    #[test]
    fn an_upload_with_a_part_missing_does_not_appear() {
        let (store, _) = store();
        block_on(async {
            let mut upload = store.put_multipart("k").await.unwrap();
            drop(upload.put_part(Bytes::from_static(b"lost")));
            upload.put_part(Bytes::from_static(b"kept")).await.unwrap();
            assert!(matches!(upload.complete().await.unwrap_err(), Error::InvalidArgument { .. }));
            assert!(store.head("k").await.is_err());
        });
    }
}
