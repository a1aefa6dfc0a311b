//! Several futures at once.

use std::sync::{Mutex, PoisonError};

use futures::stream::{FuturesUnordered, StreamExt};

use crate::error::Result;
use crate::maybe::{BoxFuture, MaybeSend};

/// Runs the futures, no more than `at_once` of them at a time, to their outputs in the order of the futures, or to the first
/// error; the other futures are dropped then.
///
/// All callers share one queue of boxed futures: a queue for each type of future was a twelfth of what a browser downloads.
pub(crate) async fn try_all<'a, T, F>(at_once: usize, futures: Vec<F>) -> Result<Vec<T>>
where
    T: MaybeSend + 'a,
    F: Future<Output = Result<T>> + MaybeSend + 'a,
{
    let outputs: Mutex<Vec<Option<T>>> = Mutex::default();
    let mut waiting = futures.into_iter().enumerate();
    let mut running: FuturesUnordered<BoxFuture<'_, Result<()>>> = FuturesUnordered::new();
    loop {
        while running.len() < at_once
            && let Some((i, future)) = waiting.next()
        {
            running.push(Box::pin(keep(i, future, &outputs)));
        }
        match running.next().await {
            Some(ended) => ended?,
            None => break,
        }
    }
    drop(running);
    Ok(outputs.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect())
}

/// Puts the future's output at index `i` of `outputs`.
async fn keep<T>(
    i: usize,
    future: impl Future<Output = Result<T>>,
    outputs: &Mutex<Vec<Option<T>>>,
) -> Result<()> {
    let output = future.await?;
    let mut outputs = outputs.lock().unwrap_or_else(PoisonError::into_inner);
    if outputs.len() <= i {
        outputs.resize_with(i + 1, || None);
    }
    outputs[i] = Some(output);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails should stop where it fails")]

    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::task::Poll;

    use futures::executor::block_on;

    use super::*;
    use crate::error::Error;

    /// Ends when it is polled for the `polls`th time.
    async fn ends_after(mut polls: usize) {
        std::future::poll_fn(|context| {
            polls = polls.saturating_sub(1);
            context.waker().wake_by_ref();
            if polls == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn outputs_come_in_order_and_no_more_run_than_may() {
        let (running, most) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let futures = (0..20)
            .map(|i| async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                ends_after((i * 7) % 5).await;
                running.fetch_sub(1, SeqCst);
                Ok(i)
            })
            .collect();
        assert_eq!(block_on(try_all(3, futures)).unwrap(), (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(SeqCst), 3);
    }

    #[test]
    fn the_first_error_ends_it() {
        let ended = &AtomicUsize::new(0);
        let futures = (0..4)
            .map(|i| async move {
                ends_after(4 - i).await;
                ended.fetch_add(1, SeqCst);
                if i == 2 { Err(Error::invalid("the third")) } else { Ok(()) }
            })
            .collect();
        let error = block_on(try_all(usize::MAX, futures)).unwrap_err();
        assert_eq!(error.to_string(), "invalid argument: the third");
        assert!(ended.load(SeqCst) < 4);
    }
}
