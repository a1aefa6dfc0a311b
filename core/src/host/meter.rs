//! Counts what passes between the engine and its store.

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;

use super::cost::Cost;
use super::store::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use crate::error::Result;
use crate::maybe::{BoxFuture, BoxStream};

/// Reads what a [`Metered`] store counted. Clones are one meter.
#[derive(Clone, Default)]
pub struct Meter(Arc<Ledgers>);

/// One measurement: everything that passed through the meter since it began. Ends when it is dropped. Spans may overlap;
/// a request counts in every span that was open when it began.
pub struct Span(Arc<Mutex<Ledger>>);

#[derive(Default)]
struct Ledgers {
    total: Arc<Mutex<Ledger>>,
    spans: Mutex<Vec<Weak<Mutex<Ledger>>>>,
}

#[derive(Default)]
struct Ledger {
    cost: Cost,
    /// Greatest depth among the requests that have ended: the next one to begin is one deeper.
    ended_depth: u64,
}

impl Meter {
    /// Everything since the meter was made.
    pub fn cost(&self) -> Cost {
        lock(&self.0.total).cost
    }

    /// Begins a measurement.
    pub fn span(&self) -> Span {
        let ledger = Arc::default();
        let mut spans = lock(&self.0.spans);
        spans.retain(|span| span.strong_count() > 0);
        spans.push(Arc::downgrade(&ledger));
        Span(ledger)
    }

    /// Counts a request that begins now; it ends when the answer is dropped.
    fn begin(&self, count: impl Fn(&mut Cost)) -> Request {
        let spans: Vec<_> = lock(&self.0.spans).iter().filter_map(Weak::upgrade).collect();
        let entries = spans.into_iter().chain([self.0.total.clone()]).map(|ledger| {
            let depth = {
                let mut ledger = lock(&ledger);
                count(&mut ledger.cost);
                let depth = ledger.ended_depth + 1;
                ledger.cost.round_trips = ledger.cost.round_trips.max(depth);
                depth
            };
            (ledger, depth)
        });
        Request { entries: entries.collect() }
    }
}

impl Span {
    /// What was counted so far. Bytes of a body count as they arrive.
    pub fn cost(&self) -> Cost {
        lock(&self.0).cost
    }
}

/// A request under way. Dropping it is its end, whatever its outcome: whoever gave up on it goes on from there.
struct Request {
    entries: Vec<(Arc<Mutex<Ledger>>, u64)>,
}

impl Request {
    fn read(&self, bytes: usize) {
        for (ledger, _) in &self.entries {
            lock(ledger).cost.bytes_read += bytes as u64;
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        for (ledger, depth) in &self.entries {
            let mut ledger = lock(ledger);
            ledger.ended_depth = ledger.ended_depth.max(*depth);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A store that counts on the way through; every method costs what it costs inside.
pub struct Metered {
    inner: Arc<dyn ObjectStore>,
    meter: Meter,
}

impl Metered {
    /// Counts what goes to `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Metered {
        Metered { inner, meter: Meter::default() }
    }

    /// Reads the counts; may be kept when the store is handed over.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl ObjectStore for Metered {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let request = self.meter.begin(|cost| cost.get += 1);
            let GetResult { meta, range, body } = self.inner.get(key, options).await?;
            let body =
                Body::stream(Box::pin(CountedBody { pieces: body.into_stream(), request: Some(request) }));
            Ok(GetResult { meta, range, body })
        })
    }

    /// Counts a get a range, which is what stores charge for.
    fn get_ranges<'a>(&'a self, key: &'a str, ranges: &'a [Range<u64>]) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            let request = self.meter.begin(|cost| cost.get += ranges.len() as u64);
            let bodies = self.inner.get_ranges(key, ranges).await?;
            bodies.iter().for_each(|body| request.read(body.len()));
            Ok(bodies)
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.head += 1);
            self.inner.head(key).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| {
                cost.put += 1;
                cost.bytes_written += body.len() as u64;
            });
            self.inner.put(key, body, condition).await
        })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.put += 1);
            let inner = self.inner.put_multipart(key).await?;
            Ok(Box::new(MeteredUpload { inner, meter: self.meter.clone() }) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.list += 1);
            self.inner.list(prefix, start_after).await
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.delete += 1);
            self.inner.delete(keys).await
        })
    }
}

/// The request ends with its body: at the last piece, at an error, or when the body is dropped unread.
struct CountedBody {
    pieces: BoxStream<'static, Result<Bytes>>,
    request: Option<Request>,
}

impl Stream for CountedBody {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let next = std::task::ready!(self.pieces.as_mut().poll_next(cx));
        match (&next, &self.request) {
            (Some(Ok(piece)), Some(request)) => request.read(piece.len()),
            (Some(Ok(_)), None) => {}
            (Some(Err(_)) | None, _) => self.request = None,
        }
        Poll::Ready(next)
    }
}

struct MeteredUpload {
    inner: Box<dyn MultipartUpload>,
    meter: Meter,
}

impl MultipartUpload for MeteredUpload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let meter = self.meter.clone();
        let bytes = part.len() as u64;
        // The part is numbered by this call, so the inner one must not wait for the first poll.
        let sent = self.inner.put_part(part);
        Box::pin(async move {
            let _request = meter.begin(|cost| {
                cost.put += 1;
                cost.bytes_written += bytes;
            });
            sent.await
        })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.put += 1);
            self.inner.complete().await
        })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let _request = self.meter.begin(|cost| cost.delete += 1);
            self.inner.abort().await
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::{StreamExt, join};

    use super::*;
    use crate::host::MemoryStore;
    use crate::host::testing::VirtualClock;

    fn metered() -> (Metered, Meter) {
        let store = Metered::new(Arc::new(MemoryStore::new(Arc::new(VirtualClock::at_unix_ms(0)))));
        let meter = store.meter();
        (store, meter)
    }

    async fn put(store: &Metered, key: &str, bytes: usize) {
        store.put(key, vec![7; bytes].into(), PutCondition::None).await.unwrap();
    }

    #[test]
    fn counts_requests_and_bytes_of_every_kind() {
        let (store, meter) = metered();
        block_on(async {
            put(&store, "k", 10).await;
            store.put("k", Bytes::from_static(b"refused"), PutCondition::IfAbsent).await.unwrap_err();
            store.head("k").await.unwrap();
            store.list("", None).await.unwrap();
            let got = store.get("k", GetOptions { range: Some(2..6), if_none_match: None }).await.unwrap();
            got.body.collect("k", 4).await.unwrap();
            store.get("missing", GetOptions::default()).await.unwrap_err();
            assert_eq!(store.get_ranges("k", &[0..1, 5..9]).await.unwrap().len(), 2);
            store.delete(&["k".into(), "l".into()]).await.unwrap();
        });
        let expected = Cost {
            get: 4,
            head: 1,
            put: 2,
            list: 1,
            delete: 1,
            bytes_read: 4 + 1 + 4,
            bytes_written: 10 + 7,
            round_trips: 8,
        };
        assert_eq!(meter.cost(), expected);
    }

    #[test]
    fn parts_are_puts_and_may_overlap() {
        let (store, meter) = metered();
        block_on(async {
            let mut upload = store.put_multipart("k").await.unwrap();
            let (first, second) = (upload.put_part(vec![1; 30].into()), upload.put_part(vec![2; 12].into()));
            let (first, second) = join!(first, second);
            first.and(second).unwrap();
            upload.complete().await.unwrap();
            assert_eq!(store.head("k").await.unwrap().size, 42);
        });
        let cost = meter.cost();
        assert_eq!(
            (cost.put, cost.bytes_written, cost.round_trips),
            (4, 42, 4),
            "begin, parts, complete, head"
        );
    }

    #[test]
    fn a_request_is_as_deep_as_what_ended_before_it_began() {
        let (store, meter) = metered();
        block_on(async {
            put(&store, "k", 10).await;
            let span = meter.span();
            let open = |key| store.get(key, GetOptions::default());
            // Bodies keep their requests open: these two run at once ...
            let (a, b) = join!(open("k"), open("k"));
            assert_eq!(span.cost().round_trips, 1);
            // ... this one began while they ran ...
            let c = open("k").await.unwrap();
            assert_eq!(span.cost().round_trips, 1);
            a.unwrap().body.collect("k", 10).await.unwrap();
            // ... and this one after the first of them ended.
            let d = open("k").await.unwrap();
            assert_eq!(span.cost().round_trips, 2);
            drop((b, c));
            open("k").await.unwrap();
            assert_eq!(span.cost().round_trips, 2, "what ended was not deeper than 1");
            drop(d);
            open("missing").await.unwrap_err();
            assert_eq!(span.cost().round_trips, 3);
            assert_eq!((span.cost().get, span.cost().put), (6, 0));
        });
    }

    #[test]
    fn a_body_counts_as_it_passes_and_ends_its_request_at_the_last_piece() {
        let (store, meter) = metered();
        block_on(async {
            put(&store, "k", 10).await;
            let span = meter.span();
            let got = store.get("k", GetOptions::default()).await.unwrap();
            assert_eq!(span.cost().bytes_read, 0);
            let mut pieces = got.body.into_stream();
            while pieces.next().await.is_some() {}
            assert_eq!(span.cost().bytes_read, 10);
            store.head("k").await.unwrap();
            assert_eq!(span.cost().round_trips, 2, "the stream is still held, its request is over");
            drop(pieces);
        });
    }

    #[test]
    fn spans_overlap_and_end_when_dropped() {
        let (store, meter) = metered();
        block_on(async {
            let outer = meter.span();
            put(&store, "k", 1).await;
            let inner = meter.span();
            put(&store, "k", 1).await;
            assert_eq!((outer.cost().put, outer.cost().round_trips), (2, 2));
            assert_eq!((inner.cost().put, inner.cost().round_trips), (1, 1));
            drop(outer);
            drop(inner);
            let next = meter.span();
            assert_eq!(next.cost(), Cost::default());
            assert_eq!(lock(&meter.0.spans).len(), 1, "ended spans are forgotten");
        });
        assert_eq!(meter.cost().put, 2);
    }
}
