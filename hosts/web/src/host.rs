//! Time, sleep and randomness of a JavaScript host.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Future;
use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;
use js_sys::futures::JsFuture;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use crate::js;

/// The longest time that `setTimeout` takes; beyond it fires at once.
const MAX_TIMEOUT_MS: f64 = 2_147_483_647.0;

/// The globals of the page, worker or process.
pub struct JsHost;

impl Host for JsHost {
    fn now_unix_ns(&self) -> u64 {
        (js::unix_ms() * 1e6) as u64
    }

    fn monotonic_ns(&self) -> u64 {
        (js::monotonic_ms() * 1e6) as u64
    }

    fn fill_random(&self, buf: &mut [u8]) {
        js::fill_random(buf);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep { ms: (duration.as_secs_f64() * 1e3).min(MAX_TIMEOUT_MS), timer: None })
    }
}

/// A timer, set at the first poll and cleared when this is dropped.
struct Sleep {
    ms: f64,
    timer: Option<Timer>,
}

struct Timer {
    id: JsValue,
    /// Settles the promise, so that what waits for it is freed.
    resolve: Function,
    fired: JsFuture,
}

impl Timer {
    fn set(ms: f64) -> Timer {
        let mut parts = None;
        let promise = Promise::new(&mut |resolve, _| parts = Some((js::set_timeout(&resolve, ms), resolve)));
        // The function of a promise runs before `new` returns.
        let (id, resolve) = parts.unwrap_or_else(|| (JsValue::UNDEFINED, Function::from(JsValue::UNDEFINED)));
        Timer { id, resolve, fired: JsFuture::from(promise) }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        js::clear_timeout(&self.id);
        // Nothing comes of settling it a second time.
        let _ = self.resolve.call0(&JsValue::UNDEFINED);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ms = self.ms;
        let timer = self.timer.get_or_insert_with(|| Timer::set(ms));
        Pin::new(&mut timer.fired).poll(cx).map(|_| ())
    }
}
