//! Time that passes faster: an hour in seconds, for everybody alike. The server keeps its own, so its answers are translated.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use isledb::host::{
    GetOptions, GetResult, Host, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition, Version,
};
use isledb::maybe::BoxFuture;
use isledb::{Result, TokioHost};

/// How the time of a run follows from real time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Unix milliseconds at which both are the same.
    pub(crate) from_ms: u64,
    /// Seconds of the run in a real second.
    pub(crate) speed: u32,
}

impl Pace {
    /// From now on.
    pub(crate) fn new(speed: u32) -> Pace {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Pace { from_ms: now.as_millis() as u64, speed }
    }

    /// Real Unix milliseconds, as the run counts them.
    fn translate(self, real_ms: u64) -> u64 {
        let passed = real_ms as i64 - self.from_ms as i64;
        (self.from_ms as i64 + passed * i64::from(self.speed)) as u64
    }
}

/// The clocks of one process. Its wall clock may be wrong.
pub(crate) struct FastHost {
    pub(crate) real: TokioHost,
    pub(crate) pace: Pace,
    /// How far the wall clock is ahead, in milliseconds of the run.
    pub(crate) ahead_ms: i64,
}

impl Host for FastHost {
    fn now_unix_ns(&self) -> u64 {
        let real_ns = self.real.now_unix_ns();
        let within_ms = real_ns % 1_000_000 * u64::from(self.pace.speed);
        let ms = self.pace.translate(real_ns / 1_000_000).saturating_add_signed(self.ahead_ms);
        ms * 1_000_000 + within_ms
    }
    fn monotonic_ns(&self) -> u64 {
        self.real.monotonic_ns() * u64::from(self.pace.speed)
    }
    fn fill_random(&self, buf: &mut [u8]) {
        self.real.fill_random(buf);
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.real.sleep(duration / self.pace.speed)
    }
}

/// The server as the run sees it.
pub(crate) struct FastStore {
    pub(crate) server: Arc<dyn ObjectStore>,
    pub(crate) pace: Pace,
}

impl FastStore {
    fn meta(&self, meta: ObjectMeta) -> ObjectMeta {
        let last_modified_ms = meta.last_modified_ms.map(|at| self.pace.translate(at));
        ObjectMeta { last_modified_ms, ..meta }
    }
}

impl ObjectStore for FastStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let got = self.server.get(key, options).await?;
            Ok(GetResult { meta: self.meta(got.meta), ..got })
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { self.server.head(key).await.map(|meta| self.meta(meta)) })
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        self.server.put(key, body, condition)
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        self.server.put_multipart(key)
    }
    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move {
            let page = self.server.list(prefix, start_after).await?;
            let objects = page.objects.into_iter().map(|meta| self.meta(meta)).collect();
            Ok(ListPage { objects, ..page })
        })
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        self.server.delete(keys)
    }
}
