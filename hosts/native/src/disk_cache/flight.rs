//! Requests under way, so that nobody asks for what is coming already.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use futures::future::Shared;
use isledb_core::Result;
use isledb_core::host::GetResult;
use isledb_core::maybe::BoxFuture;

use super::entry::Facts;
use super::identity::Identity;

/// A future for all who wait: each drives it, so that one who goes away stalls nobody.
pub(super) type ForAll<T> = Shared<BoxFuture<'static, Result<T>>>;

/// What a request was answered.
#[derive(Clone)]
pub(super) enum Answer {
    /// The bytes of a range of the object, as they come.
    Body { facts: Facts, range: Range<u64>, body: ForAll<Bytes> },
    /// Too large to be kept. The first who asks takes it.
    Large(Arc<Mutex<Option<GetResult>>>),
}

/// A request under way, until its chunks are on the disk.
pub(super) struct Flight {
    flights: Arc<Flights>,
    object: Identity,
    /// What was asked for.
    range: Range<u64>,
    answer: ForAll<Answer>,
}

impl Flight {
    pub(super) async fn answer(&self) -> Result<Answer> {
        self.answer.clone().await
    }

    /// True once it is known that it brings nothing.
    fn has_failed(&self) -> bool {
        match self.answer.peek() {
            Some(Ok(Answer::Body { body, .. })) => matches!(body.peek(), Some(Err(_))),
            Some(_) => true,
            None => false,
        }
    }

    fn brings(&self, need: &Range<u64>) -> bool {
        self.range.start <= need.start && need.end <= self.range.end
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut by_object = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_object) = by_object.get_mut(&self.object) {
            of_object.retain(|flight| flight.strong_count() > 0);
            if of_object.is_empty() {
                by_object.remove(&self.object);
            }
        }
    }
}

/// The requests under way to one store.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Identity, Vec<Weak<Flight>>>>);

impl Flights {
    /// The requests that bring `needs`, in ascending order: those that are under way, and for what these do not bring one more. It
    /// is begun by `begin`, which gets all that it has to bring, and says what it asks for.
    pub(super) fn join(
        self: &Arc<Self>,
        object: Identity,
        needs: &[Range<u64>],
        begin: impl FnOnce(Range<u64>, Weak<Flight>) -> (Range<u64>, ForAll<Answer>),
    ) -> Vec<Arc<Flight>> {
        // A flight that ends here must not be dropped under the lock, which it takes.
        let under_way: Vec<Arc<Flight>>;
        let mut joined: Vec<Arc<Flight>> = Vec::new();
        {
            let mut by_object = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let of_object = by_object.entry(object).or_default();
            under_way = of_object.iter().filter_map(Weak::upgrade).collect();
            let mut missing: Option<Range<u64>> = None;
            for need in needs {
                let found = under_way.iter().find(|flight| flight.brings(need) && !flight.has_failed());
                match found {
                    Some(flight) if joined.iter().any(|other| Arc::ptr_eq(other, flight)) => {}
                    Some(flight) => joined.push(flight.clone()),
                    None => missing = Some(missing.map_or(need.start, |range| range.start)..need.end),
                }
            }
            if let Some(missing) = missing {
                let flight = Arc::new_cyclic(|itself| {
                    let (range, answer) = begin(missing, itself.clone());
                    Flight { flights: self.clone(), object, range, answer }
                });
                of_object.push(Arc::downgrade(&flight));
                joined.push(flight);
            }
        }
        joined
    }
}
