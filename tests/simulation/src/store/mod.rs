//! The simulated object store: an in-memory bucket behind a network that loses, delays and repeats.
//!
//! A [`Bucket`] is the service, a [`SimStore`] is one process's client of it. A request that was sent goes on without
//! its client: a process that dies or gives up does not take its writes back.

mod bucket;
mod bug;
mod client;
mod faults;

pub use bucket::{Object, Objects};
pub use bug::Bug;
pub use client::SimStore;
pub use faults::{FaultRates, Faults, Latency};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use isledb_core::error::Result;
use isledb_core::host::{PutCondition, Version};
use isledb_core::maybe::{MaybeSend, MaybeSync};
use xxhash_rust::xxh64::xxh64;

use crate::executor::{Handle, ProcessId, SECOND};
use crate::host::START_UNIX_NS;
use crate::rng::Rng;

/// Sees every change of the bucket at the moment when it takes effect. Must not call the bucket.
pub trait Watch: MaybeSend + MaybeSync {
    /// An object was written; `objects` is the bucket with it.
    fn written(&self, objects: &Objects, key: &str);

    /// An object was removed.
    fn deleted(&self, objects: &Objects, key: &str);
}

/// The service.
pub struct Bucket {
    handle: Handle,
    faults: Faults,
    bug: Option<Bug>,
    watch: Arc<dyn Watch>,
    state: Mutex<State>,
}

struct State {
    objects: Objects,
    rng: Rng,
    requests: u64,
}

impl Bucket {
    /// An empty bucket.
    pub fn new(
        handle: &Handle,
        seed: u64,
        faults: Faults,
        bug: Option<Bug>,
        watch: Arc<dyn Watch>,
    ) -> Arc<Bucket> {
        let state = State { objects: Objects::default(), rng: Rng::new(seed, "store"), requests: 0 };
        Arc::new(Bucket { handle: handle.clone(), faults, bug, watch, state: Mutex::new(state) })
    }

    /// A client of it, for the process of that name.
    pub fn client(self: &Arc<Bucket>, process: ProcessId, name: &str) -> SimStore {
        SimStore::new(self.clone(), process, name)
    }

    /// From this virtual time on nothing goes wrong.
    pub fn healthy_from_ns(&self) -> u64 {
        self.faults.until_ns
    }

    /// True where a body may come with a bit turned over.
    pub fn turns_bits(&self) -> bool {
        self.faults.rates.flipped > 0
    }

    /// Looks at the objects as they are now, without a request.
    pub fn look<T>(&self, look: impl FnOnce(&Objects) -> T) -> T {
        look(&self.state().objects)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        (START_UNIX_NS + self.handle.now_ns()) / 1_000_000
    }

    /// A write takes effect.
    fn apply_put(
        self: &Arc<Bucket>,
        who: &str,
        key: &str,
        body: Bytes,
        asked: PutCondition,
    ) -> Result<Version> {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let State { objects, rng, .. } = &mut *state;
        let condition = match self.bug {
            Some(bug) => bug.condition(rng, key, asked),
            None => asked,
        };
        if self.bug.is_some_and(|bug| bug.loses(rng, key)) && objects.holds(key, &condition) {
            self.handle.line(format_args!("store: loses {who}'s put of {key}, and says done"));
            return Ok(Version::new("lost"));
        }
        let (size, hash) = (body.len(), xxh64(&body, 0));
        let result = objects.put(key, body, &condition, now_ms);
        match &result {
            Ok(version) => {
                let version = version.as_str();
                self.handle
                    .line(format_args!("store: {who} wrote {key} as {version} ({size} bytes, {hash:016x})"));
                self.watch.written(objects, key);
            }
            Err(_) => self.handle.line(format_args!("store: {who}'s put of {key} does not hold")),
        }
        if self.bug.is_some_and(|bug| bug.forgets(rng, key)) {
            let (bucket, key, after) =
                (self.clone(), key.to_owned(), rng.magnitude(SECOND / 100, 30 * SECOND));
            self.handle.spawn(crate::executor::OUTSIDE, "a store that forgets", async move {
                bucket.handle.sleep(after).await;
                bucket.apply_delete("nobody", &key);
            });
        }
        result
    }

    fn apply_delete(&self, who: &str, key: &str) {
        let mut state = self.state();
        state.objects.delete(key);
        self.handle.line(format_args!("store: {who} removed {key}"));
        self.watch.deleted(&state.objects, key);
    }
}
