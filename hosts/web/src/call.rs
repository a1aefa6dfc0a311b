//! Calls from JavaScript that wait.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Future;
use futures::future::{Either, select};
use isledb_core::host::Host;
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};
use js_sys::Promise;
use js_sys::futures::{JsFuture, future_to_promise};
use wasm_bindgen::JsValue;

use crate::error;
use crate::host::JsHost;
use crate::record::Record;

/// Runs `work` until it ends, until `cancel` settles, or until `timeout_ms` have passed (`None`: however long it takes). Giving it up drops it, which cancels
/// its requests.
///
/// Rejects with what [`error::to_js`] makes of its error, and with `{kind: "Cancelled"}`. `cancel` must settle in the end, else
/// what waits for it is never freed.
pub(crate) fn promise(
    timeout_ms: impl Into<Option<u64>>,
    cancel: Option<Promise>,
    work: impl Future<Output = Result<JsValue>> + 'static,
) -> Promise {
    run(timeout_ms.into(), cancel, Box::pin(work))
}

/// One copy for all kinds of work.
fn run(
    timeout_ms: Option<u64>,
    cancel: Option<Promise>,
    work: BoxFuture<'static, Result<JsValue>>,
) -> Promise {
    future_to_promise(async move {
        let outcome = match cancel {
            None => within(timeout_ms, work).await,
            Some(cancel) => match select(pin!(within(timeout_ms, work)), JsFuture::from(cancel)).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => return Err(Record::new().text("kind", "Cancelled").into()),
            },
        };
        outcome.map_err(|error| error::to_js(&error))
    })
}

async fn within(timeout_ms: Option<u64>, work: BoxFuture<'static, Result<JsValue>>) -> Result<JsValue> {
    let Some(timeout_ms) = timeout_ms else { return work.await };
    // The timer is set only when the work has to wait.
    match select(work, JsHost.sleep(Duration::from_millis(timeout_ms))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(Error::Timeout { what: "the call".to_owned(), limit_ms: timeout_ms }),
    }
}

/// The host as the engine takes it.
pub(crate) fn host() -> Arc<dyn Host> {
    Arc::new(JsHost)
}
