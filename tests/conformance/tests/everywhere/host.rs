//! The process's own clock, for stores that date their objects.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;

pub(crate) struct ProcessHost;

impl Host for ProcessHost {
    fn now_unix_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_unix_ns()
    }

    fn fill_random(&self, buf: &mut [u8]) {
        buf.fill(7);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
