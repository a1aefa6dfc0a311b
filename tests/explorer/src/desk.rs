//! The seam between an actor and the explorer: every request that the engine makes lies here until it is answered.
//!
//! Time stands still, "random" bytes follow from the actor's name and their count, and a pause ends as soon as nothing else
//! is left to wait for. So what an actor does next depends on the answers it got, and on nothing else.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::future::poll_fn;
use isledb_core::error::{Error, Result};
use isledb_core::host::{
    Body, GetOptions, GetResult, Host, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use isledb_core::maybe::BoxFuture;
use xxhash_rust::xxh64::xxh64;

use crate::fact::Fact;

/// One request to the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    Get { key: String, range: Option<Range<u64>>, known: Option<Version> },
    Head { key: String },
    Put { key: String, body: Bytes, condition: Condition },
    List { prefix: String, after: Option<String> },
    Delete { keys: Vec<String> },
}

/// On what condition a put may happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    None,
    IfAbsent,
    IfMatch(Version),
}

impl Request {
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Request::Put { .. } | Request::Delete { .. })
    }

    /// The first name that it is about.
    pub(crate) fn key(&self) -> &str {
        match self {
            Request::Get { key, .. } | Request::Head { key } | Request::Put { key, .. } => key,
            Request::List { prefix, .. } => prefix,
            Request::Delete { keys } => keys.first().map_or("", String::as_str),
        }
    }
}

/// What a request is answered with.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Got(ObjectMeta, Bytes),
    Head(ObjectMeta),
    Put(Version),
    List(ListPage),
    Deleted,
    Failed(Error),
}

struct Asked {
    id: u64,
    request: Request,
    reply: Option<Reply>,
    waker: Option<Waker>,
}

struct Pause {
    id: u64,
    length: Duration,
    over: bool,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Inner {
    now_ms: u64,
    next_id: u64,
    asked: Vec<Asked>,
    pauses: Vec<Pause>,
    draws: u64,
    alias: Option<u64>,
    facts: Vec<Fact>,
    progress: u8,
    rests: bool,
}

/// Where one life of an actor lays down its requests. Clones are one desk.
#[derive(Clone)]
pub(crate) struct Desk {
    inner: Arc<Mutex<Inner>>,
    /// What its random bytes follow from.
    seed: u64,
}

impl Desk {
    pub(crate) fn new(seed: u64, progress: u8) -> Desk {
        let inner = Inner { progress, ..Inner::default() };
        Desk { inner: Arc::new(Mutex::new(inner)), seed }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_now_ms(&self, now_ms: u64) {
        self.inner().now_ms = now_ms;
    }

    /// The open requests, in the order in which they were made.
    pub(crate) fn open(&self) -> Vec<Request> {
        let inner = self.inner();
        inner.asked.iter().filter(|asked| asked.reply.is_none()).map(|asked| asked.request.clone()).collect()
    }

    /// Answers the open request at that place.
    pub(crate) fn answer(&self, at: usize, reply: Reply) {
        let mut inner = self.inner();
        inner.rests = false;
        let asked = inner.asked.iter_mut().filter(|asked| asked.reply.is_none()).nth(at);
        if let Some(asked) = asked {
            asked.reply = Some(reply);
            if let Some(waker) = asked.waker.take() {
                drop(inner);
                waker.wake();
            }
        }
    }

    /// Ends the shortest pause, if there is one.
    pub(crate) fn end_pause(&self) -> bool {
        let mut inner = self.inner();
        let shortest = inner.pauses.iter_mut().filter(|pause| !pause.over).min_by_key(|p| (p.length, p.id));
        let Some(pause) = shortest else { return false };
        pause.over = true;
        let waker = pause.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    pub(crate) fn take_alias(&self) -> Option<u64> {
        self.inner().alias.take()
    }

    pub(crate) fn take_facts(&self) -> Vec<Fact> {
        std::mem::take(&mut self.inner().facts)
    }

    pub(crate) fn progress(&self) -> u8 {
        self.inner().progress
    }

    /// True where the actor is between two operations.
    pub(crate) fn rests(&self) -> bool {
        self.inner().rests
    }

    /// For actors: what a next life must not begin again.
    pub(crate) fn set_progress(&self, progress: u8) {
        self.inner().progress = progress;
    }

    /// For actors: something that the explorer has to check.
    pub(crate) fn tell(&self, fact: Fact) {
        self.inner().facts.push(fact);
    }

    /// For actors: here, `what` is all that the rest of this life depends on (besides the clock and the count of random
    /// draws, which are added). Histories that meet here are one from here on.
    pub(crate) async fn same_as(&self, what: std::fmt::Arguments<'_>) {
        let text = format!("{what}");
        {
            let mut inner = self.inner();
            let (draws, progress) = (inner.draws, inner.progress);
            inner.alias = Some(xxh64(text.as_bytes(), xxh64(&draws.to_le_bytes(), u64::from(progress))));
            inner.rests = true;
        }
        let mut told = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut told, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// For actors: the call's result, or `None` where it pauses for more than `pauses` times; the call is dropped there.
    pub(crate) async fn until_pause<T>(&self, pauses: u32, call: impl Future<Output = T>) -> Option<T> {
        let mut call = std::pin::pin!(call);
        let mut left = pauses;
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = call.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                if !self.open().is_empty() || !self.is_pausing() {
                    return Poll::Pending;
                }
                let Some(fewer) = left.checked_sub(1) else { return Poll::Ready(None) };
                left = fewer;
                self.end_pause();
            }
        })
        .await
    }

    fn is_pausing(&self) -> bool {
        self.inner().pauses.iter().any(|pause| !pause.over)
    }

    async fn ask(&self, request: Request) -> Reply {
        let id = {
            let mut inner = self.inner();
            inner.next_id += 1;
            let id = inner.next_id;
            inner.asked.push(Asked { id, request, reply: None, waker: None });
            id
        };
        let _cancel = Cancel { desk: self, id };
        poll_fn(|cx| {
            let mut inner = self.inner();
            let Some(asked) = inner.asked.iter_mut().find(|asked| asked.id == id) else {
                return Poll::Pending;
            };
            match asked.reply.take() {
                Some(reply) => Poll::Ready(reply),
                None => {
                    asked.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A request whose future is dropped is taken back.
struct Cancel<'a> {
    desk: &'a Desk,
    id: u64,
}

impl Drop for Cancel<'_> {
    fn drop(&mut self) {
        self.desk.inner().asked.retain(|asked| asked.id != self.id);
    }
}

struct EndPause {
    desk: Desk,
    id: u64,
}

impl Drop for EndPause {
    fn drop(&mut self) {
        self.desk.inner().pauses.retain(|pause| pause.id != self.id);
    }
}

impl Host for Desk {
    fn now_unix_ns(&self) -> u64 {
        self.inner().now_ms * 1_000_000
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    /// Ids (16 bytes) differ; jitter and salts (8 bytes) are the same at all times, so that retries leave no trace.
    fn fill_random(&self, buf: &mut [u8]) {
        if buf.len() == 8 {
            buf.copy_from_slice(&(1_000 + self.seed % 1_000 * 1_001).to_le_bytes());
            return;
        }
        let mut inner = self.inner();
        inner.draws += 1;
        for (at, chunk) in buf.chunks_mut(8).enumerate() {
            let number = xxh64(&[inner.draws.to_le_bytes(), (at as u64).to_le_bytes()].concat(), self.seed);
            chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let desk = self.clone();
        Box::pin(async move {
            let id = {
                let mut inner = desk.inner();
                inner.next_id += 1;
                let id = inner.next_id;
                inner.pauses.push(Pause { id, length: duration, over: false, waker: None });
                id
            };
            let guard = EndPause { desk, id };
            poll_fn(|cx| {
                let mut inner = guard.desk.inner();
                match inner.pauses.iter_mut().find(|pause| pause.id == id) {
                    Some(pause) if !pause.over => {
                        pause.waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                    _ => Poll::Ready(()),
                }
            })
            .await;
        })
    }
}

/// The store answered something else than was asked: a defect of the explorer.
fn unexpected<T>(key: &str, reply: Reply) -> Result<T> {
    match reply {
        Reply::Failed(error) => Err(error),
        other => Err(Error::InvalidArgument { what: format!("{key}: the explorer answered {other:?}") }),
    }
}

impl ObjectStore for Desk {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let asked = options.range.clone();
            let request =
                Request::Get { key: key.to_owned(), range: options.range, known: options.if_none_match };
            match self.ask(request).await {
                Reply::Got(meta, body) => {
                    let range = asked.unwrap_or(0..meta.size);
                    Ok(GetResult { meta, range, body: Body::once(body) })
                }
                other => unexpected(key, other),
            }
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            match self.ask(Request::Head { key: key.to_owned() }).await {
                Reply::Head(meta) => Ok(meta),
                other => unexpected(key, other),
            }
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let condition = match condition {
                PutCondition::None => Condition::None,
                PutCondition::IfAbsent => Condition::IfAbsent,
                PutCondition::IfMatch(version) => Condition::IfMatch(version),
            };
            match self.ask(Request::Put { key: key.to_owned(), body, condition }).await {
                Reply::Put(version) => Ok(version),
                other => unexpected(key, other),
            }
        })
    }

    /// Nothing here is large enough for parts.
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        let error = Error::Unsupported { object: key.to_owned(), what: "uploads in parts".to_owned() };
        Box::pin(async move { Err(error) })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let request = Request::List { prefix: prefix.to_owned(), after: start_after.map(str::to_owned) };
            match self.ask(request).await {
                Reply::List(page) => Ok(page),
                other => unexpected(prefix, other),
            }
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            match self.ask(Request::Delete { keys: keys.to_vec() }).await {
                Reply::Deleted => Ok(keys.iter().map(|_| Ok(())).collect()),
                other => unexpected(keys.first().map_or("", String::as_str), other),
            }
        })
    }
}
