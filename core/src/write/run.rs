//! Flushes by size and time, for a host that keeps a future in the background.

use std::pin::pin;
use std::time::Duration;

use futures::future::{self, Either};

use super::state::{Due, is_transient};
use super::writer::Writer;
use crate::error::Result;
use crate::host::Backoff;

impl Writer {
    /// Flushes full memtables at once, and others `flush_interval` after their first write, until the writer is closed:
    /// then it returns `Ok`. An idle writer costs neither requests nor timers.
    ///
    /// Errors of a store that may recover are logged, and the flush is tried again; every other error is returned (and
    /// met by whoever flushes or reaches the bound). May be dropped and begun again at any time, and run more than once.
    pub async fn run(&self) -> Result<()> {
        let (context, buffer) = (self.context(), self.buffer());
        let mut backoff = Backoff::new(100, 10_000);
        loop {
            let seen = buffer.signal.seen();
            let due = buffer.lock().due(context)?;
            match due {
                Due::Closed => return Ok(()),
                Due::Nothing => buffer.signal.changed(seen).await,
                Due::In(left_ms) => {
                    let timer = context.host.sleep(Duration::from_millis(left_ms));
                    future::select(timer, pin!(buffer.signal.changed(seen))).await;
                }
                // A change meanwhile may be another full memtable: looking again starts its upload.
                Due::Step => match future::select(self.step(), pin!(buffer.signal.changed(seen))).await {
                    Either::Left((Ok(()), _)) => backoff = Backoff::new(100, 10_000),
                    Either::Left((Err(error), _)) if is_transient(&error) => {
                        tracing::warn!(%error, "a flush failed and will be tried again");
                        backoff.pause(context.host.as_ref()).await;
                    }
                    Either::Left((Err(error), _)) => return Err(error),
                    Either::Right(_) => {}
                },
            }
        }
    }
}
