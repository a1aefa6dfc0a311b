//! What passes to a store, for whoever collects metrics.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt;
use isledb_core::Result;
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use metrics::{counter, histogram};

/// A store that tells the [`metrics`] recorder of the process, and [`tracing`] at level `debug`, of every request.
///
/// | metric | labels | unit |
/// |---|---|---|
/// | `isledb_store_requests_total` | `operation`, `outcome` | requests |
/// | `isledb_store_request_seconds` | `operation` | seconds until the answer began (histogram) |
/// | `isledb_store_read_bytes_total`, `isledb_store_written_bytes_total` | | bytes of bodies |
///
/// `operation` is `get`, `head`, `put`, `put_part`, `list` or `delete`; `outcome` is `ok` or what the engine has to decide:
/// `not_found`, `conflict`, `retry`, `permission`, `other`. Without a recorder, this costs next to nothing.
pub struct Observed {
    inner: Arc<dyn ObjectStore>,
}

impl Observed {
    /// Reports what goes to `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Observed {
        Observed { inner }
    }
}

async fn observe<T>(
    operation: &'static str,
    key: &str,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    let begun = Instant::now();
    let answer = answer.await;
    let seconds = begun.elapsed().as_secs_f64();
    let outcome = outcome(&answer);
    counter!("isledb_store_requests_total", "operation" => operation, "outcome" => outcome).increment(1);
    histogram!("isledb_store_request_seconds", "operation" => operation).record(seconds);
    match &answer {
        Ok(_) => tracing::debug!(operation, key, seconds, "answered"),
        Err(error) => tracing::debug!(operation, key, seconds, %error, "not served"),
    }
    answer
}

fn outcome<T>(answer: &Result<T>) -> &'static str {
    use isledb_core::ErrorKind;
    match answer.as_ref().map_err(isledb_core::Error::kind) {
        Ok(_) => "ok",
        Err(ErrorKind::NotFound) => "not_found",
        Err(ErrorKind::Conflict) => "conflict",
        Err(ErrorKind::Retry) => "retry",
        Err(ErrorKind::Permission) => "permission",
        Err(_) => "other",
    }
}

fn sent(body: &Bytes) {
    counter!("isledb_store_written_bytes_total").increment(body.len() as u64);
}

impl ObjectStore for Observed {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let GetResult { meta, range, body } = observe("get", key, self.inner.get(key, options)).await?;
            let pieces = body.into_stream().inspect(|piece| {
                if let Ok(piece) = piece {
                    counter!("isledb_store_read_bytes_total").increment(piece.len() as u64);
                }
            });
            Ok(GetResult { meta, range, body: Body::stream(Box::pin(pieces)) })
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(observe("head", key, self.inner.head(key)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        sent(&body);
        Box::pin(observe("put", key, self.inner.put(key, body, condition)))
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let inner = observe("put", key, self.inner.put_multipart(key)).await?;
            Ok(Box::new(ObservedUpload { inner, key: key.into() }) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(observe("list", prefix, self.inner.list(prefix, start_after)))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        let first = keys.first().map_or("", String::as_str);
        Box::pin(observe("delete", first, self.inner.delete(keys)))
    }
}

struct ObservedUpload {
    inner: Box<dyn MultipartUpload>,
    key: Arc<str>,
}

impl MultipartUpload for ObservedUpload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        sent(&part);
        let (key, answer) = (self.key.clone(), self.inner.put_part(part));
        Box::pin(async move { observe("put_part", &key, answer).await })
    }

    fn complete(self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move { observe("put", &self.key, self.inner.complete()).await })
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move { observe("delete", &self.key, self.inner.abort()).await })
    }
}
