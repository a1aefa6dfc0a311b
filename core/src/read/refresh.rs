//! Looks at CURRENT, which those who want one at the same time share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::channel::oneshot;

use super::flight::{Flight, Flights};
use super::pinned::Pinned;
use crate::error::Result;
use crate::maybe::BoxFuture;

/// The refreshes of one scope: at most one is with the store, and at most one more waits for it.
///
/// So a thousand callers cost two requests, and each of them still gets a view that was read after it asked: who asks while
/// a request is with the store joins the next one.
pub(crate) struct Refreshes {
    flights: Arc<Flights<u64, Arc<Pinned>>>,
    /// The number of the first refresh whose request has not been sent.
    unsent: AtomicU64,
    /// Those who wait for another view.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

impl Refreshes {
    pub(crate) fn new() -> Arc<Refreshes> {
        let waiting = Mutex::new(Vec::new());
        Arc::new(Refreshes { flights: Flights::new(), unsent: AtomicU64::new(0), waiting })
    }

    /// A refresh whose request is sent after this call: it shows all that was committed before. `look` sends the request
    /// and makes the view known.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        look: impl FnOnce() -> BoxFuture<'static, Result<Arc<Pinned>>>,
    ) -> Result<Arc<Pinned>> {
        let number = self.unsent.load(Ordering::SeqCst);
        let before = self.sent();
        let refresh = self.flights.join_one(number, || {
            let (refreshes, look) = (self.clone(), look());
            Box::pin(async move {
                if let Some(before) = before {
                    // Its outcome is for those who asked for it.
                    drop(before.await);
                }
                refreshes.unsent.fetch_max(number + 1, Ordering::SeqCst);
                look.await
            })
        });
        // Nobody sends it within this turn of the executor: who asks in the same one asks in time.
        let mut turn = Poll::Pending;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            std::mem::replace(&mut turn, Poll::Ready(()))
        })
        .await;
        refresh.await
    }

    /// A refresh that is with the store, or else a new one: for whom a view of these moments will do.
    pub(crate) async fn join(
        self: &Arc<Self>,
        look: impl FnOnce() -> BoxFuture<'static, Result<Arc<Pinned>>>,
    ) -> Result<Arc<Pinned>> {
        match self.sent() {
            Some(refresh) => refresh.await,
            None => self.begin(look).await,
        }
    }

    /// The refresh whose request is with the store.
    fn sent(&self) -> Option<Flight<Arc<Pinned>>> {
        let last = self.unsent.load(Ordering::SeqCst).checked_sub(1)?;
        self.flights.under_way(&last)
    }

    /// Ends at the next [`Refreshes::wake`]. Take it before looking at what may have changed.
    pub(crate) fn changed(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|waiting| !waiting.is_canceled());
        waiting.push(sender);
        receiver
    }

    /// There is another view, or there will be none any more: all who wait go on.
    pub(crate) fn wake(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for waiting in waiting {
            // Whoever gave up waiting needs no waking.
            let _ = waiting.send(());
        }
    }
}
