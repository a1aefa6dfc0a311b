//! An executor over imports that block. A read only enters a queue; when nothing can go on any more, all that wait there are
//! sent as one batch, and when nothing waits there, the nearest timer is slept out.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::imports::isledb::storage::object_store_blocking::{self as imports, RangeOf};
use crate::imports::isledb::storage::{host, types};

/// The body, or why there is none.
type Answer = Result<Vec<u8>, types::Error>;

thread_local! {
    /// Reads that were not sent yet. One whose future was dropped is gone from here too.
    static READS: RefCell<Vec<Weak<Read>>> = const { RefCell::new(Vec::new()) };
    /// Timers that run.
    static TIMERS: RefCell<Vec<Weak<Timer>>> = const { RefCell::new(Vec::new()) };
}

struct Read {
    of: RangeOf,
    state: RefCell<Waiting>,
}

#[derive(Default)]
struct Waiting {
    answer: Option<Answer>,
    waker: Option<Waker>,
}

struct Timer {
    due_ns: u64,
    waker: RefCell<Option<Waker>>,
}

/// Whether the future that is run was woken while it was polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a future to its end; nothing else runs meanwhile.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        while !woken.0.swap(false, Ordering::Relaxed) {
            if !send_reads() {
                assert!(
                    wait_for_timer(),
                    "the call waits, and neither a read nor a timer is left to wait for"
                );
            }
        }
    }
}

/// A part of an immutable object, with the next batch.
pub(super) async fn read(key: &str, range: types::ByteRange) -> Answer {
    let of = RangeOf { key: key.to_owned(), range };
    let read = Rc::new(Read { of, state: RefCell::default() });
    READS.with_borrow_mut(|reads| reads.push(Rc::downgrade(&read)));
    poll_fn(|context| {
        let mut state = read.state.borrow_mut();
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Resolves after `duration`; of zero length it only lets others go on.
pub(crate) async fn sleep(duration: Duration) {
    let mut yielded = false;
    let mut timer: Option<Rc<Timer>> = None;
    poll_fn(|context| {
        if duration.is_zero() {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let timer = timer.get_or_insert_with(|| {
            let length_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            let due_ns = host::monotonic_ns().saturating_add(length_ns);
            let timer = Rc::new(Timer { due_ns, waker: RefCell::default() });
            TIMERS.with_borrow_mut(|timers| timers.push(Rc::downgrade(&timer)));
            timer
        });
        if host::monotonic_ns() >= timer.due_ns {
            return Poll::Ready(());
        }
        *timer.waker.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    })
    .await;
}

/// Sends all reads that wait, in one batch, and wakes who waits for them. False: there was none.
fn send_reads() -> bool {
    let reads: Vec<Rc<Read>> = READS
        .take()
        .iter()
        .filter_map(Weak::upgrade)
        .filter(|read| read.state.borrow().waker.is_some())
        .collect();
    if reads.is_empty() {
        return false;
    }
    let requests: Vec<RangeOf> = reads.iter().map(|read| read.of.clone()).collect();
    let mut answers = imports::get_ranges(&requests).into_iter();
    for read in reads {
        let mut state = read.state.borrow_mut();
        let missing = || {
            Err(types::Error {
                code: "unavailable".to_owned(),
                message: "the host answered fewer reads than it was asked for".to_owned(),
                retryable: true,
            })
        };
        state.answer = Some(answers.next().unwrap_or_else(missing));
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
    true
}

/// Sleeps until the nearest timer is due, and wakes whose time has come. False: there is none.
fn wait_for_timer() -> bool {
    let timers: Vec<Rc<Timer>> = TIMERS.with_borrow_mut(|timers| {
        timers.retain(|timer| timer.strong_count() > 0);
        timers.iter().filter_map(Weak::upgrade).collect()
    });
    let Some(due_ns) = timers.iter().map(|timer| timer.due_ns).min() else { return false };
    let left_ns = due_ns.saturating_sub(host::monotonic_ns());
    imports::sleep_ms(left_ns.div_ceil(1_000_000));
    let now_ns = host::monotonic_ns();
    for timer in timers.into_iter().filter(|timer| timer.due_ns <= now_ns) {
        if let Some(waker) = timer.waker.take() {
            waker.wake();
        }
    }
    true
}
