//! Requests that are repeated until the store serves them, as far as repeating them is safe.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::{Either, Future, select};

use super::store::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use super::{Backoff, Host, Moment, Observer};
use crate::concurrent::try_all;
use crate::error::{Error, Result, within};
use crate::maybe::BoxStream;

/// The largest object that [`Requests::get`] fetches whole: the bound of a value. Larger ones are read by ranges.
pub const MAX_WHOLE_BYTES: u64 = 256 << 20;

/// What a body may take on top of an attempt's time limit: a link slower than this is taken for a dead one.
const MIN_BYTES_PER_MS: u64 = 128;

/// How long to go on when the store does not serve a request. All times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Upper bound of the pause after the first failure; it doubles with each. The pause itself is drawn evenly from zero
    /// to this bound, so that clients which failed together do not come back together. Default 50; 1 to 60,000.
    pub first_delay_ms: u64,
    /// Largest such bound. Default 5,000; `first_delay_ms` to 600,000.
    pub max_delay_ms: u64,
    /// How long one attempt may wait for its answer. A body, sent or read, gets 1 ms for every 128 bytes on top of it.
    /// Default 15,000; 1 to 600,000.
    pub attempt_timeout_ms: u64,
    /// How long after the call began another attempt may begin, and may wait for its answer. Counted by the larger of the
    /// wall clock's and the monotonic clock's difference. Default 60,000; 1 to a day.
    pub deadline_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy {
            first_delay_ms: 50,
            max_delay_ms: 5_000,
            attempt_timeout_ms: 15_000,
            deadline_ms: 60_000,
        }
    }
}

impl RetryPolicy {
    /// Errors: `InvalidArgument` with the first time out of its bounds.
    pub fn validate(&self) -> Result<()> {
        within("retry.first_delay_ms", self.first_delay_ms, 1..=60_000)?;
        within("retry.max_delay_ms", self.max_delay_ms, self.first_delay_ms..=600_000)?;
        within("retry.attempt_timeout_ms", self.attempt_timeout_ms, 1..=600_000)?;
        within("retry.deadline_ms", self.deadline_ms, 1..=86_400_000)
    }
}

/// An object that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes.
    pub body: Bytes,
    /// Its meta data, of the same read. `version` is always there.
    pub meta: ObjectMeta,
}

/// The requests of the engine: a store with a policy for the times when it does not answer.
///
/// Only [`Error::Unavailable`] is ever retried, everything else is an answer. What may safely be repeated is: reads, puts
/// of names that nobody else writes, and those deletes for which the caller says so. Every other write is sent once, and
/// an open outcome is for the caller (the commit protocol) to settle. When the deadline passes, the error is the last
/// one that the store gave. Clones are cheap and share the store.
#[derive(Clone)]
pub struct Requests {
    /// Where the objects are.
    pub store: Arc<dyn ObjectStore>,
    /// Time and randomness.
    pub host: Arc<dyn Host>,
    /// How long to go on.
    pub policy: RetryPolicy,
    /// Who hears of what happens; see [`Event`](super::Event).
    pub observer: Option<Arc<dyn Observer>>,
}

impl Requests {
    /// Requests to `store` by the default policy, watched by nobody.
    pub fn new(store: Arc<dyn ObjectStore>, host: Arc<dyn Host>) -> Requests {
        Requests { store, host, policy: RetryPolicy::default(), observer: None }
    }

    /// The same requests with another deadline.
    pub fn within(&self, deadline_ms: u64) -> Requests {
        Requests { policy: RetryPolicy { deadline_ms, ..self.policy }, ..self.clone() }
    }

    /// Reads a whole object of at most [`MAX_WHOLE_BYTES`]. One request an attempt.
    ///
    /// Errors: `NotFound`; `Corrupt` where it is larger.
    pub async fn get(&self, key: &str) -> Result<Fetched> {
        self.repeat(|limit_ms| self.fetch(key, GetOptions::default(), limit_ms)).await
    }

    /// Reads a whole object unless it still has the version `known`; then `None`. One request an attempt.
    pub async fn get_if_changed(&self, key: &str, known: Option<&Version>) -> Result<Option<Fetched>> {
        let options = GetOptions { range: None, if_none_match: known.cloned() };
        match self.repeat(|limit_ms| self.fetch(key, options.clone(), limit_ms)).await {
            Ok(fetched) => Ok(Some(fetched)),
            Err(Error::NotModified { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads `range` of an object. One request an attempt.
    ///
    /// Errors: `NotFound`; `Corrupt` where the range reaches beyond the object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let options = GetOptions { range: Some(range), if_none_match: None };
        Ok(self.repeat(|limit_ms| self.fetch(key, options.clone(), limit_ms)).await?.body)
    }

    /// Reads several ranges of one object at once, answered in the order asked; each is repeated for itself. One request
    /// a range and attempt.
    pub async fn get_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let reads = ranges.iter().map(|range| self.get_range(key, range.clone())).collect();
        try_all(usize::MAX, reads).await
    }

    /// Begins to read an object, or a range of it. The answer is repeated like that of any read; the body, which comes in
    /// pieces of the store's choice, is not. One request an attempt.
    ///
    /// Errors: `NotFound`; `Corrupt` where the range reaches beyond the object.
    pub async fn get_body(&self, key: &str, range: Option<Range<u64>>) -> Result<GetResult> {
        let options = GetOptions { range, if_none_match: None };
        self.repeat(|limit_ms| self.answer(key, options.clone(), limit_ms)).await
    }

    /// The whole of a body of `size` bytes that [`Requests::get_body`] began. Not repeated.
    pub async fn collect(&self, key: &str, body: Body, size: u64) -> Result<Bytes> {
        // The store is answering, so the body may take its time even when the deadline passes.
        let limit_ms = self.policy.attempt_timeout_ms.saturating_add(body_ms(size));
        self.attempt(key, limit_ms, body.collect(key, size)).await
    }

    /// The next piece of a body; `None` at its end. It may take as long as an answer. Not repeated.
    pub async fn next_piece(
        &self,
        key: &str,
        body: &mut BoxStream<'static, Result<Bytes>>,
    ) -> Result<Option<Bytes>> {
        let piece = async { body.next().await.transpose() };
        self.attempt(key, self.policy.attempt_timeout_ms, piece).await
    }

    /// Meta data of an object. One request an attempt.
    pub async fn head(&self, key: &str) -> Result<ObjectMeta> {
        self.repeat(|limit_ms| self.attempt(key, limit_ms, self.store.head(key))).await
    }

    /// One page of a listing. One request an attempt.
    pub async fn list(&self, prefix: &str, start_after: Option<&str>) -> Result<ListPage> {
        self.repeat(|limit_ms| self.attempt(prefix, limit_ms, self.store.list(prefix, start_after))).await
    }

    /// Puts an object under a name that nobody else ever writes, so that writing it twice is writing it once. One request
    /// an attempt.
    pub async fn put_unique(&self, key: &str, body: Bytes) -> Result<Version> {
        let allowance = body_ms(body.len() as u64);
        let put = || self.store.put(key, body.clone(), PutCondition::None);
        self.repeat(|limit_ms| self.attempt(key, limit_ms.saturating_add(allowance), put())).await
    }

    /// Begins an upload in parts of an object that is not there yet, or whose name nobody else writes: beginning twice
    /// leaves at worst an abandoned upload. One request an attempt; the parts themselves are not repeated.
    pub async fn put_multipart(&self, key: &str) -> Result<Box<dyn MultipartUpload>> {
        self.repeat(|limit_ms| self.attempt(key, limit_ms, self.store.put_multipart(key))).await
    }

    /// Puts an object with one request that is never repeated. `Unavailable` leaves open whether it was, or will be,
    /// written.
    pub async fn put_once(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<Version> {
        let limit_ms = self.one_attempt_ms().saturating_add(body_ms(body.len() as u64));
        self.attempt(key, limit_ms, self.store.put(key, body, condition)).await
    }

    /// Deletes objects, again and again until the store has answered for each: for names that are never written anew.
    /// One request an attempt. The error is the first that is not `Unavailable`, if there is one.
    pub async fn delete_unique(&self, keys: &[String]) -> Result<()> {
        let Some(first) = keys.first() else { return Ok(()) };
        self.repeat(|limit_ms| async move {
            let answers = self.attempt(first, limit_ms, self.store.delete(keys)).await?;
            let (mut refused, mut open) = (None, None);
            for error in answers.into_iter().filter_map(Result::err) {
                match error {
                    Error::NotFound { .. } => {}
                    Error::Unavailable { .. } => open = open.or(Some(error)),
                    _ => refused = refused.or(Some(error)),
                }
            }
            refused.or(open).map_or(Ok(()), Err)
        })
        .await
    }

    /// Deletes objects with one request that is never repeated. One answer a key, in order.
    pub async fn delete_once(&self, keys: &[String]) -> Result<Vec<Result<()>>> {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        self.attempt(first, self.one_attempt_ms(), self.store.delete(keys)).await
    }

    /// The pauses of the policy, for loops that the caller drives itself.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(self.policy.first_delay_ms, self.policy.max_delay_ms)
    }

    fn one_attempt_ms(&self) -> u64 {
        self.policy.attempt_timeout_ms.min(self.policy.deadline_ms)
    }

    /// One attempt at a get, body included: a body that breaks off is a failed attempt.
    async fn fetch(&self, key: &str, options: GetOptions, limit_ms: u64) -> Result<Fetched> {
        let whole = options.range.is_none();
        let got = self.answer(key, options, limit_ms).await?;
        let size = got.range.end - got.range.start;
        if whole && size > MAX_WHOLE_BYTES {
            let expected = format!("at most {MAX_WHOLE_BYTES} bytes");
            return Err(Error::corrupt(key, None, expected, format!("{size} bytes")));
        }
        Ok(Fetched { body: self.collect(key, got.body, size).await?, meta: got.meta })
    }

    /// One attempt at the answer of a get, which must be of the range that was asked for.
    async fn answer(&self, key: &str, options: GetOptions, limit_ms: u64) -> Result<GetResult> {
        let asked = options.range.clone();
        let got = self.attempt(key, limit_ms, self.store.get(key, options)).await?;
        if got.range.start > got.range.end || asked.as_ref().is_some_and(|range| *range != got.range) {
            let (expected, found) = (format!("bytes {asked:?}"), format!("bytes {:?}", got.range));
            return Err(Error::corrupt(key, None, expected, found));
        }
        Ok(got)
    }

    /// Waits for one answer.
    async fn attempt<T>(
        &self,
        key: &str,
        limit_ms: u64,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let timeout = self.host.sleep(Duration::from_millis(limit_ms));
        match select(pin!(answer), timeout).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(Error::Unavailable {
                object: key.to_owned(),
                message: format!("no answer within {limit_ms} ms"),
            }),
        }
    }

    /// Makes attempts until the store serves one or the deadline passes. Each is told how long it may wait.
    async fn repeat<T, F>(&self, attempt: impl Fn(u64) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let begun = Moment::now(&*self.host);
        let mut limit_ms = self.one_attempt_ms();
        let mut backoff = self.backoff();
        loop {
            let error = match attempt(limit_ms).await {
                Err(error @ Error::Unavailable { .. }) => error,
                answer => return answer,
            };
            let pause = backoff.next(&*self.host);
            let left_ms = self.policy.deadline_ms.saturating_sub(begun.elapsed_ms(&*self.host));
            if Duration::from_millis(left_ms) <= pause {
                return Err(error);
            }
            self.host.sleep(pause).await;
            // A machine that slept may wake up behind the deadline.
            let left_ms = self.policy.deadline_ms.saturating_sub(begun.elapsed_ms(&*self.host));
            if left_ms == 0 {
                return Err(error);
            }
            limit_ms = self.policy.attempt_timeout_ms.min(left_ms);
        }
    }
}

/// How long a body of `bytes` may take.
fn body_ms(bytes: u64) -> u64 {
    bytes / MIN_BYTES_PER_MS
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use futures::executor::block_on;

    use super::*;
    use crate::host::testing::VirtualClock;
    use crate::host::{MemoryStore, Metered};
    use crate::maybe::BoxFuture;

    /// What the store does with the next request instead of serving it.
    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        Unavailable,
        Silence,
        BodyBreaksOff,
    }

    /// Serves from memory after the faults that were planned.
    struct Faulty {
        inner: MemoryStore,
        plan: Mutex<VecDeque<Fault>>,
    }

    impl Faulty {
        fn next(&self) -> Fault {
            self.plan.lock().unwrap().pop_front().unwrap_or(Fault::None)
        }

        async fn gate(&self, key: &str) -> Result<Fault> {
            match self.next() {
                Fault::Unavailable => Err(unavailable(key, "503 Slow Down")),
                Fault::Silence => std::future::pending().await,
                fault => Ok(fault),
            }
        }
    }

    fn unavailable(key: &str, message: &str) -> Error {
        Error::Unavailable { object: key.into(), message: message.into() }
    }

    impl ObjectStore for Faulty {
        fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
            Box::pin(async move {
                let fault = self.gate(key).await?;
                let mut got = self.inner.get(key, options).await?;
                if fault == Fault::BodyBreaksOff {
                    let broken =
                        vec![Ok(Bytes::from_static(b"b")), Err(unavailable(key, "connection reset"))];
                    got.body = Body::stream(Box::pin(futures::stream::iter(broken)));
                }
                Ok(got)
            })
        }

        fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
            Box::pin(async move {
                self.gate(key).await?;
                self.inner.head(key).await
            })
        }

        fn put<'a>(
            &'a self,
            key: &'a str,
            body: Bytes,
            when: PutCondition,
        ) -> BoxFuture<'a, Result<Version>> {
            Box::pin(async move {
                self.gate(key).await?;
                self.inner.put(key, body, when).await
            })
        }

        fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
            Box::pin(async move {
                self.gate(key).await?;
                self.inner.put_multipart(key).await
            })
        }

        fn list<'a>(
            &'a self,
            prefix: &'a str,
            start_after: Option<&'a str>,
        ) -> BoxFuture<'a, Result<ListPage>> {
            Box::pin(async move {
                self.gate(prefix).await?;
                self.inner.list(prefix, start_after).await
            })
        }

        /// A planned `Unavailable` concerns the last key alone.
        fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
            Box::pin(async move {
                let fault = self.next();
                let mut answers = self.inner.delete(keys).await?;
                if fault == Fault::Unavailable {
                    *answers.last_mut().unwrap() = Err(unavailable("last", "503 Slow Down"));
                }
                Ok(answers)
            })
        }
    }

    struct Setup {
        requests: Requests,
        clock: VirtualClock,
        meter: crate::host::Meter,
    }

    fn setup(faults: &[Fault]) -> Setup {
        let clock = VirtualClock::at_unix_ms(1_000_000);
        let inner = MemoryStore::new(Arc::new(clock.clone()));
        block_on(inner.put("k", Bytes::from_static(b"body"), PutCondition::None)).unwrap();
        let plan = Mutex::new(faults.iter().copied().collect());
        let store = Metered::new(Arc::new(Faulty { inner, plan }));
        let meter = store.meter();
        Setup { requests: Requests::new(Arc::new(store), Arc::new(clock.clone())), clock, meter }
    }

    impl Setup {
        fn elapsed_ms(&self) -> u64 {
            self.clock.now_unix_ns() / 1_000_000 - 1_000_000
        }
    }

    #[test]
    fn reads_go_on_until_they_are_served() {
        let faults = [Fault::Unavailable, Fault::Silence, Fault::BodyBreaksOff];
        let at = setup(&faults);
        assert_eq!(block_on(at.requests.get("k")).unwrap().body, "body");
        assert_eq!(at.meter.cost().get, 4);
        assert!(at.elapsed_ms() >= at.requests.policy.attempt_timeout_ms, "the silence was waited out");

        let at = setup(&faults);
        assert_eq!(block_on(at.requests.get_range("k", 1..3)).unwrap(), "od");
        let at = setup(&faults[..2]);
        assert_eq!(block_on(at.requests.head("k")).unwrap().size, 4);
        let at = setup(&faults[..2]);
        assert_eq!(block_on(at.requests.list("", None)).unwrap().objects.len(), 1);
        let at = setup(&faults[..2]);
        assert_eq!(block_on(at.requests.get_ranges("k", &[0..1, 3..4])).unwrap(), ["b", "y"]);
    }

    #[test]
    fn the_last_error_is_kept_at_the_deadline() {
        let at = setup(&[Fault::Unavailable; 1000]);
        let error = block_on(at.requests.get("k")).unwrap_err();
        assert_eq!(error, unavailable("k", "503 Slow Down"));
        assert!(at.elapsed_ms() <= at.requests.policy.deadline_ms);
        let attempts = at.meter.cost().get;
        assert!((15..=60).contains(&attempts), "{attempts} attempts in a minute at up to 5 s each");
    }

    #[test]
    fn the_deadline_holds_for_a_silent_store_and_a_short_deadline() {
        let at = setup(&[Fault::Silence; 1000]);
        let error = block_on(at.requests.within(700).get("k")).unwrap_err();
        assert_eq!(error, unavailable("k", "no answer within 700 ms"));
        assert_eq!((at.elapsed_ms(), at.meter.cost().get), (700, 1));
        let error = block_on(at.requests.get("k")).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }));
        assert!(at.elapsed_ms() <= 700 + at.requests.policy.deadline_ms);
    }

    #[test]
    fn answers_are_not_repeated() {
        let at = setup(&[]);
        assert!(matches!(block_on(at.requests.get("missing")).unwrap_err(), Error::NotFound { .. }));
        assert!(matches!(block_on(at.requests.get_range("k", 2..9)).unwrap_err(), Error::Corrupt { .. }));
        assert_eq!(at.meter.cost().get, 2);
    }

    #[test]
    fn a_get_that_knows_the_version_brings_nothing() {
        let at = setup(&[Fault::Unavailable]);
        let fetched = block_on(at.requests.get_if_changed("k", None)).unwrap().unwrap();
        let version = fetched.meta.version;
        assert_eq!(block_on(at.requests.get_if_changed("k", version.as_ref())).unwrap(), None);
        block_on(at.requests.put_unique("k", Bytes::from_static(b"new"))).unwrap();
        let fetched = block_on(at.requests.get_if_changed("k", version.as_ref())).unwrap().unwrap();
        assert_eq!(fetched.body, "new");
    }

    #[test]
    fn only_writes_of_unique_names_are_repeated() {
        let body = Bytes::from_static(b"x");
        let at = setup(&[Fault::Unavailable, Fault::Silence]);
        block_on(at.requests.put_unique("u", body.clone())).unwrap();
        assert_eq!(at.meter.cost().put, 3);
        for condition in
            [PutCondition::None, PutCondition::IfAbsent, PutCondition::IfMatch(Version::new("1"))]
        {
            for fault in [Fault::Unavailable, Fault::Silence] {
                let at = setup(&[fault]);
                let error = block_on(at.requests.put_once("c", body.clone(), condition.clone())).unwrap_err();
                assert!(error.leaves_outcome_open(), "{error}");
                assert_eq!(at.meter.cost().put, 1);
            }
        }
    }

    #[test]
    fn deletes_are_repeated_only_where_the_caller_says_so() {
        let keys = ["k".to_owned(), "l".to_owned()];
        let at = setup(&[Fault::Unavailable, Fault::Unavailable]);
        block_on(at.requests.delete_unique(&keys)).unwrap();
        assert_eq!(at.meter.cost().delete, 3);
        let at = setup(&[Fault::Unavailable]);
        let answers = block_on(at.requests.delete_once(&keys)).unwrap();
        assert_eq!(answers, [Ok(()), Err(unavailable("last", "503 Slow Down"))]);
        assert_eq!(at.meter.cost().delete, 1);
        assert_eq!(block_on(at.requests.delete_once(&[])).unwrap(), []);
        assert_eq!(at.meter.cost().delete, 1);
    }
}
