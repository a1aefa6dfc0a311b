//! Single flight: who needs what is being loaded already waits for that load.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{Shared, WeakShared};
use hashbrown::HashMap;

use crate::error::Result;
use crate::maybe::BoxFuture;

/// A load that several callers may wait for. Each of them drives it when polled, so one that is dropped (or never polled
/// again) stalls nobody; the load is cancelled when the last one is dropped.
pub(crate) type Flight<V> = Shared<BoxFuture<'static, Result<V>>>;

/// The loads under way in one scope.
///
/// A scope is a set of callers that may wait for each other: the whole process by default, one request where the host
/// forbids that a request awaits another's promise. Only finished results are shared between scopes (by the cache).
pub(crate) struct Flights<K, V> {
    under_way: Mutex<UnderWay<K, V>>,
}

struct UnderWay<K, V> {
    loads: HashMap<K, Load<V>>,
    next_id: u64,
}

impl<K: Hash + Eq, V> UnderWay<K, V> {
    fn under_way(&self, key: &K) -> Option<Flight<V>> {
        self.loads.get(key).and_then(|load| load.flight.upgrade())
    }
}

struct Load<V> {
    id: u64,
    flight: WeakShared<BoxFuture<'static, Result<V>>>,
}

/// What came of asking for a set of keys: see [`Flights::join`].
pub(crate) struct Joined<K, V> {
    /// Keys that others load, each with the load that brings it.
    pub(crate) under_way: Vec<(K, Flight<V>)>,
    /// One new load for all the others, where there are any.
    pub(crate) started: Option<(Vec<K>, Flight<V>)>,
}

impl<K, V> Flights<K, V>
where
    K: Hash + Eq + Clone + crate::maybe::MaybeSend + 'static,
    V: Clone + crate::maybe::MaybeSend + crate::maybe::MaybeSync + 'static,
{
    pub(crate) fn new() -> Arc<Flights<K, V>> {
        Arc::new(Flights { under_way: Mutex::new(UnderWay { loads: HashMap::new(), next_id: 0 }) })
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay<K, V>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For each key: the load under way that brings it, or else its place in one new load.
    ///
    /// `load` makes the future of the new load; it must not be polled yet, and it must make its result visible elsewhere
    /// (the cache) before it ends: from then on the keys count as not under way.
    pub(crate) fn join(
        self: &Arc<Self>,
        keys: Vec<K>,
        load: impl FnOnce(&[K]) -> BoxFuture<'static, Result<V>>,
    ) -> Joined<K, V> {
        let mut under_way = Vec::new();
        let mut fresh = Vec::new();
        let mut state = self.lock();
        for key in keys {
            match state.under_way(&key) {
                Some(flight) => under_way.push((key, flight)),
                None => fresh.push(key),
            }
        }
        if fresh.is_empty() {
            return Joined { under_way, started: None };
        }
        let load = load(&fresh);
        let flight = self.start(&mut state, &fresh, load);
        Joined { under_way, started: Some((fresh, flight)) }
    }

    /// The load under way that brings `key`, or else a new one; like [`Flights::join`] of one key.
    pub(crate) fn join_one(
        self: &Arc<Self>,
        key: K,
        load: impl FnOnce() -> BoxFuture<'static, Result<V>>,
    ) -> Flight<V> {
        let mut state = self.lock();
        match state.under_way(&key) {
            Some(flight) => flight,
            None => self.start(&mut state, &[key], load()),
        }
    }

    /// The load under way that brings `key`.
    pub(crate) fn under_way(&self, key: &K) -> Option<Flight<V>> {
        self.lock().under_way(key)
    }

    /// Lists `load` as what brings `keys`.
    fn start(
        self: &Arc<Self>,
        state: &mut UnderWay<K, V>,
        keys: &[K],
        load: BoxFuture<'static, Result<V>>,
    ) -> Flight<V> {
        let id = state.next_id;
        state.next_id += 1;
        let landing = Landing { flights: self.clone(), keys: keys.to_vec(), id };
        let future: BoxFuture<'static, Result<V>> = Box::pin(async move {
            let result = load.await;
            drop(landing);
            result
        });
        let flight = future.shared();
        if let Some(weak) = flight.downgrade() {
            for key in keys {
                state.loads.insert(key.clone(), Load { id, flight: weak.clone() });
            }
        }
        flight
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().loads.len()
    }
}

/// Takes a load's keys off the list, when it ends and when it is cancelled. The number keeps it from taking off a later
/// load of the same key.
struct Landing<K: Hash + Eq, V> {
    flights: Arc<Flights<K, V>>,
    keys: Vec<K>,
    id: u64,
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut state = self.flights.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            if state.loads.get(key).is_some_and(|load| load.id == self.id) {
                state.loads.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Poll, Waker};

    use futures::channel::oneshot;
    use futures::{Future, pin_mut};

    use super::*;
    use crate::error::Error;

    type Gate = oneshot::Receiver<Result<u32>>;

    fn gated(gate: Gate, times: &Arc<AtomicU32>) -> BoxFuture<'static, Result<u32>> {
        let times = times.clone();
        Box::pin(async move {
            times.fetch_add(1, Ordering::Relaxed);
            gate.await.unwrap()
        })
    }

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        future.poll_unpin(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_second_caller_waits_for_the_first_ones_load() {
        let flights = Flights::<u32, u32>::new();
        let times = Arc::new(AtomicU32::new(0));
        let (open, gate) = oneshot::channel();
        let first = flights.join(vec![1, 2], |_| gated(gate, &times));
        let second = flights.join(vec![2], |_| panic!("it is under way"));
        let (_, mut first) = first.started.unwrap();
        let (_, mut second) = second.under_way.into_iter().next().unwrap();
        assert!(poll(&mut first).is_pending());
        assert!(poll(&mut second).is_pending());
        // The one that drove it goes away: the other goes on.
        drop(first);
        open.send(Ok(7)).unwrap();
        assert_eq!(poll(&mut second), Poll::Ready(Ok(7)));
        assert_eq!(times.load(Ordering::Relaxed), 1);
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_load_that_everybody_dropped_starts_again() {
        let flights = Flights::<u32, u32>::new();
        let times = Arc::new(AtomicU32::new(0));
        let (_open, gate) = oneshot::channel();
        let (_, mut flight) = flights.join(vec![1], |_| gated(gate, &times)).started.unwrap();
        assert!(poll(&mut flight).is_pending());
        drop(flight);
        assert_eq!(flights.len(), 0);
        let (open, gate) = oneshot::channel();
        let (_, mut flight) = flights.join(vec![1], |_| gated(gate, &times)).started.unwrap();
        open.send(Ok(3)).unwrap();
        assert_eq!(poll(&mut flight), Poll::Ready(Ok(3)));
    }

    #[test]
    fn an_error_reaches_every_waiter_and_is_not_kept() {
        let flights = Flights::<u32, u32>::new();
        let times = Arc::new(AtomicU32::new(0));
        let (open, gate) = oneshot::channel();
        let failure = Error::NotFound { object: "x".into() };
        let (_, mut first) = flights.join(vec![1], |_| gated(gate, &times)).started.unwrap();
        let (_, mut second) = flights.join(vec![1], |_| panic!("it is under way")).under_way.pop().unwrap();
        open.send(Err(failure.clone())).unwrap();
        assert_eq!(poll(&mut second), Poll::Ready(Err(failure.clone())));
        assert_eq!(poll(&mut first), Poll::Ready(Err(failure)));
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn scopes_share_nothing_under_way() {
        let (one, other) = (Flights::<u32, u32>::new(), Flights::<u32, u32>::new());
        let times = Arc::new(AtomicU32::new(0));
        let (_open, gate) = oneshot::channel();
        let first = one.join(vec![1], |_| gated(gate, &times));
        let (_open, gate) = oneshot::channel();
        let second = other.join(vec![1], |_| gated(gate, &times));
        assert!(first.started.is_some() && second.started.is_some());
    }

    #[test]
    fn keys_that_are_under_way_and_keys_that_are_not_are_told_apart() {
        let flights = Flights::<u32, u32>::new();
        let times = Arc::new(AtomicU32::new(0));
        let (_open, gate) = oneshot::channel();
        let first = flights.join(vec![1, 2], |_| gated(gate, &times));
        let (_open, gate) = oneshot::channel();
        let second = flights.join(vec![2, 3], |keys| {
            assert_eq!(keys, [3]);
            gated(gate, &times)
        });
        assert_eq!(second.under_way.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2]);
        assert_eq!(second.started.as_ref().map(|(keys, _)| &keys[..]), Some(&[3][..]));
        let started = async { first.started.unwrap().1.now_or_never() };
        pin_mut!(started);
        assert!(matches!(poll(&mut started), Poll::Ready(None)));
    }
}
