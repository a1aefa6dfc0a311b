//! A store that is read through a disk cache.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::future::{FutureExt, try_join_all};
use futures::stream;
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};

use super::DiskCache;
use super::entry::Facts;
use super::flight::{Answer, Flight, Flights, ForAll};
use super::identity::{Address, Identity, is_immutable};
use super::plan;

/// The longest read that looks for its chunks in the cache, in bytes: 16 MiB.
pub const MAX_READ_BYTES: u64 = 16 << 20;
/// Objects whose sizes are remembered: 40 bytes each, forgotten all at once.
const MAX_SIZES: usize = 65_536;

/// A store whose immutable objects are read through a [`DiskCache`]; everything else passes. See the [module](super).
pub struct CachedStore {
    cache: DiskCache,
    inner: Arc<dyn ObjectStore>,
    address: Address,
    flights: Arc<Flights>,
    /// Sizes of objects that were seen: only who knows where an object ends can ask for whole chunks.
    sizes: Mutex<HashMap<Identity, u64>>,
}

impl CachedStore {
    pub(super) fn new(cache: DiskCache, inner: Arc<dyn ObjectStore>, address: &str) -> CachedStore {
        let address = Address::new(address);
        CachedStore { cache, inner, address, flights: Arc::default(), sizes: Mutex::default() }
    }

    /// The cache.
    pub fn cache(&self) -> &DiskCache {
        &self.cache
    }

    async fn read(&self, key: &str, options: GetOptions) -> Result<GetResult> {
        if options.if_none_match.is_some() || !is_immutable(key) {
            return self.inner.get(key, options).await;
        }
        let object = self.address.identity(key);
        let found = match &options.range {
            Some(range) if range.start < range.end && range.end - range.start <= MAX_READ_BYTES => {
                self.read_range(key, object, range.clone()).await?
            }
            Some(_) => None,
            None => self.read_whole(key, object).await?,
        };
        match found {
            Some(found) => Ok(found),
            None => self.inner.get(key, options).await,
        }
    }

    /// A range, from the cache, from what is under way, and the rest by one request. `None`: ask the store for exactly that.
    async fn read_range(&self, key: &str, object: Identity, asked: Range<u64>) -> Result<Option<GetResult>> {
        let chunk_bytes = self.cache.geometry().chunk_bytes();
        let numbers = self.cache.geometry().chunks(&asked);
        let found = self.cache.look_up(object, numbers.clone()).await;
        let mut facts = found.iter().flatten().next().map(|(facts, _)| facts.clone());
        if facts.as_ref().is_some_and(|facts| facts.size < asked.end) {
            return Ok(None);
        }

        let (mut pieces, mut needs, mut hits, mut hit_bytes) = (Vec::new(), Vec::new(), 0, 0);
        for (number, chunk) in numbers.zip(found) {
            let part = plan::part_of(number, &asked, chunk_bytes);
            match chunk {
                Some((_, bytes)) if part.end <= number * chunk_bytes + bytes.len() as u64 => {
                    let start = number * chunk_bytes;
                    hits += 1;
                    hit_bytes += part.end - part.start;
                    pieces.push((start..start + bytes.len() as u64, bytes));
                }
                _ => needs.push(part),
            }
        }
        self.cache.count().hits(hits, hit_bytes);
        self.cache.count().misses(needs.len() as u64);
        if let Some(facts) = &facts {
            self.remember(object, facts.size);
        }

        let size = self.size_of(&object);
        let flights = self.flights.join(object, &needs, |missing, flight| {
            let range = plan::widen(&missing, asked.end, size, chunk_bytes);
            (range.clone(), self.begin(key, object, Some(range), flight))
        });
        let answers = match try_join_all(flights.iter().map(|flight| flight.answer())).await {
            Ok(answers) => answers,
            Err(Error::Corrupt { .. }) => {
                // Perhaps because of what was asked for beside it.
                self.forget(&object);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut bodies = Vec::with_capacity(answers.len());
        for answer in answers {
            let Answer::Body { facts: of_answer, range, body } = answer else { return Ok(None) };
            // What changes is not of one piece, whatever its name says.
            if facts.get_or_insert_with(|| of_answer.clone()) != &of_answer {
                return Ok(None);
            }
            bodies.push((range, body));
        }
        let Some(facts) = facts.filter(|facts| facts.size >= asked.end) else { return Ok(None) };
        self.remember(object, facts.size);
        Ok(Some(reply(key, facts, asked, pieces, bodies, flights)))
    }

    /// A whole object. Its first chunk tells how long it is.
    async fn read_whole(&self, key: &str, object: Identity) -> Result<Option<GetResult>> {
        let first = self.cache.look_up(object, 0..1).await;
        if let Some((facts, _)) = first.into_iter().flatten().next() {
            if facts.size > MAX_READ_BYTES {
                return Ok(None);
            }
            return self.read_range(key, object, 0..facts.size).await;
        }
        self.cache.count().misses(1);
        let all = 0..u64::MAX;
        let flights = self.flights.join(object, std::slice::from_ref(&all), |_, flight| {
            (all.clone(), self.begin(key, object, None, flight))
        });
        let Some(flight) = flights.first() else { return Ok(None) };
        match flight.answer().await? {
            Answer::Body { facts, range, body } => {
                self.remember(object, facts.size);
                let asked = 0..facts.size;
                Ok(Some(reply(key, facts, asked, Vec::new(), vec![(range, body)], flights)))
            }
            Answer::Large(answer) => Ok(answer.lock().unwrap_or_else(PoisonError::into_inner).take()),
        }
    }

    /// A request for a range or, without one, for the whole object, whose chunks are kept when its body is here.
    fn begin(
        &self,
        key: &str,
        object: Identity,
        range: Option<Range<u64>>,
        flight: Weak<Flight>,
    ) -> ForAll<Answer> {
        let (cache, inner, key) = (self.cache.clone(), self.inner.clone(), Arc::<str>::from(key));
        let answer = async move {
            let whole = range.is_none();
            let got = inner.get(&key, GetOptions { range, if_none_match: None }).await?;
            let length = got.range.end.saturating_sub(got.range.start);
            let facts = Facts::of(&got.meta);
            let Some(facts) = facts.filter(|_| length > 0 && (!whole || length <= MAX_READ_BYTES)) else {
                return Ok(Answer::Large(Arc::new(Mutex::new(Some(got)))));
            };
            let range = got.range.clone();
            let body: BoxFuture<'static, Result<Bytes>> = {
                let (facts, range) = (facts.clone(), range.clone());
                Box::pin(async move {
                    let body = got.body.collect(&key, length).await?;
                    cache.keep(object, facts, range, body.clone(), flight.upgrade());
                    Ok(body)
                })
            };
            Ok(Answer::Body { facts, range, body: body.shared() })
        };
        let answer: BoxFuture<'static, Result<Answer>> = Box::pin(answer);
        answer.shared()
    }

    fn sizes(&self) -> std::sync::MutexGuard<'_, HashMap<Identity, u64>> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn size_of(&self, object: &Identity) -> Option<u64> {
        self.sizes().get(object).copied()
    }

    fn remember(&self, object: Identity, size: u64) {
        let mut sizes = self.sizes();
        if sizes.len() >= MAX_SIZES && !sizes.contains_key(&object) {
            sizes.clear();
        }
        sizes.insert(object, size);
    }

    fn forget(&self, object: &Identity) {
        self.sizes().remove(object);
    }
}

/// An answer whose body is there when all its parts are.
fn reply(
    key: &str,
    facts: Facts,
    asked: Range<u64>,
    mut pieces: Vec<(Range<u64>, Bytes)>,
    bodies: Vec<(Range<u64>, ForAll<Bytes>)>,
    flights: Vec<Arc<Flight>>,
) -> GetResult {
    let (meta, range) = (facts.meta(key), asked.clone());
    if bodies.is_empty()
        && let Some(bytes) = plan::assemble(&asked, &pieces)
    {
        return GetResult { meta, range, body: Body::once(bytes) };
    }
    let key = key.to_owned();
    let whole = async move {
        // Together: they come beside one another.
        let parts = bodies.into_iter().map(|(range, body)| async move { Ok((range, body.await?)) });
        pieces.extend(try_join_all(parts).await?);
        drop(flights);
        plan::assemble(&asked, &pieces).ok_or_else(|| Error::Unavailable {
            object: key,
            message: format!("the answers do not add up to bytes {asked:?}"),
        })
    };
    GetResult { meta, range, body: Body::stream(Box::pin(stream::once(whole))) }
}

impl ObjectStore for CachedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(self.read(key, options))
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
