//! What all processes of a history share, and how a process comes to life, dies and comes again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::Future;
use futures::future::{Either, select};
use isledb_core::error::Error;
use isledb_core::host::{Host, ObjectStore};
use isledb_core::maybe::{MaybeSend, MaybeSync};

use super::Options;
use crate::executor::{End, Executor, Handle, Incident, MINUTE, OUTSIDE, Plan, ProcessId, SECOND};
use crate::host::SimHost;
use crate::oracle::{Check, Oracle};
use crate::rng::Rng;
use crate::store::{Bucket, Faults};
use crate::trace::Trace;

/// Where every history has its database.
pub(super) const PREFIX: &str = "db";

/// What the processes of one history share.
#[derive(Clone)]
pub struct World {
    /// Its seed.
    pub seed: u64,
    /// The executor.
    pub handle: Handle,
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The oracle.
    pub oracle: Arc<Oracle>,
    /// Actors that change the database and have not come to their end.
    at_work: Arc<AtomicUsize>,
    options: Arc<Options>,
    parts: Arc<Mutex<Vec<String>>>,
}

/// How an actor lives.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How often it may come to life; the last life has no crash.
    pub lives: u32,
    /// It changes the database: readers go on until all such actors have ended.
    pub changes: bool,
}

/// One life of an actor: a process with its host and its client of the store.
#[derive(Clone)]
pub struct Actor {
    /// What it shares with the others.
    pub world: World,
    /// `writer0.2` is the second life of `writer0`.
    pub name: Arc<str>,
    /// Its clocks and randomness.
    pub host: Arc<dyn Host>,
    /// Its client of the bucket.
    pub store: Arc<dyn ObjectStore>,
    process: ProcessId,
}

impl World {
    pub(super) fn new(seed: u64, options: &Options) -> (Executor, World) {
        let executor = Executor::new(seed, Arc::new(Trace::new(options.keep_trace)));
        let handle = executor.handle();
        let oracle = Oracle::new(&handle, PREFIX);
        let mut rng = Rng::new(seed, "faults");
        // One run in eight is healthy: nothing else may then come in the way.
        let mut faults = if rng.chance(125) { Faults::none() } else { Faults::draw(&mut rng) };
        let mut parts: Vec<String> = INCIDENTS.iter().map(|&incident| incident.to_owned()).collect();
        for (name, rate) in faults.rates.all() {
            if *rate > 0 {
                parts.push(name.to_owned());
                *rate *= u64::from(options.has(name));
            }
        }
        handle.line(format_args!("{faults:?}"));
        let bucket = Bucket::new(&handle, seed, faults, options.bug, oracle.clone());
        let (options, parts) = (Arc::new(options.clone()), Arc::new(Mutex::new(parts)));
        let world = World { seed, handle, bucket, oracle, at_work: Arc::default(), options, parts };
        (executor, world)
    }

    /// What can be left out of this history.
    pub(super) fn parts(&self) -> Vec<String> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True where nothing may depend on the machine.
    pub(super) fn is_portable(&self) -> bool {
        self.options.portable
    }

    /// A stream of decisions for one purpose.
    pub fn rng(&self, purpose: &str) -> Rng {
        Rng::new(self.seed, purpose)
    }

    /// True while an actor that changes the database has not come to its end.
    pub fn is_changing(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > 0
    }

    /// Starts an actor. `live` is one life of it; after a crash, or where it returns true, another one begins, a little
    /// later, as long as there are lives left.
    pub fn actor<F>(
        &self,
        name: &str,
        setup: Setup,
        live: impl Fn(Actor) -> F + MaybeSend + MaybeSync + 'static,
    ) where
        F: Future<Output = bool> + MaybeSend + 'static,
    {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        if !self.options.has(name) {
            return;
        }
        let (world, name) = (self.clone(), name.to_owned());
        if setup.changes {
            world.at_work.fetch_add(1, Ordering::Relaxed);
        }
        self.handle.spawn(OUTSIDE, &name.clone(), async move {
            let mut rng = world.rng(&format!("lives of {name}"));
            for life in 1..=setup.lives {
                world.handle.sleep(rng.magnitude(SECOND / 1000, 10 * SECOND)).await;
                let name = format!("{name}.{life}");
                let plan = plan(&mut rng, life < setup.lives, &world.options);
                let wrong_ns = if rng.chance(200) { rng.magnitude(SECOND, 60 * MINUTE) as i64 } else { 0 };
                let process =
                    world.handle.process(&name, if rng.chance(500) { wrong_ns } else { -wrong_ns }, plan);
                let again = Arc::new(AtomicUsize::new(1));
                let actor = world.life(&name, process);
                let (life, wants_more) = (live(actor), again.clone());
                world.handle.spawn(process, &name, async move {
                    let more = life.await;
                    wants_more.store(usize::from(more), Ordering::Relaxed);
                });
                if world.handle.join(process).await == End::Finished && again.load(Ordering::Relaxed) == 0 {
                    break;
                }
            }
            if setup.changes {
                world.at_work.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }

    fn life(&self, name: &str, process: ProcessId) -> Actor {
        Actor {
            world: self.clone(),
            name: name.into(),
            host: Arc::new(SimHost::new(&self.handle, self.seed, process)),
            store: Arc::new(self.bucket.client(process, name)),
            process,
        }
    }
}

/// The parts of a history that are incidents.
const INCIDENTS: [&str; 3] = ["crashes", "pauses", "clock_jumps"];

/// What happens to a process, by the number of its polls.
fn plan(rng: &mut Rng, may_crash: bool, options: &Options) -> Plan {
    let mut plan = Plan::new();
    if may_crash && rng.chance(700) {
        plan.push((rng.magnitude(1, 600), Incident::Crash));
    }
    for _ in 0..rng.below(3) {
        // Some last longer than the log and unpublished uploads are kept.
        let longest_ns = if rng.chance(150) { 48 * 60 * MINUTE } else { 300 * MINUTE };
        let pause = Incident::Pause { ns: rng.magnitude(SECOND, longest_ns), asleep: rng.chance(500) };
        plan.push((rng.magnitude(1, 600), pause));
    }
    if rng.chance(100) {
        let ns = rng.magnitude(SECOND, 90 * MINUTE) as i64;
        plan.push((
            rng.magnitude(1, 600),
            Incident::ClockJump { ns: if rng.chance(500) { ns } else { -ns } },
        ));
    }
    plan.retain(|(_, incident)| {
        options.has(match incident {
            Incident::Crash => "crashes",
            Incident::Pause { .. } => "pauses",
            Incident::ClockJump { .. } => "clock_jumps",
        })
    });
    plan
}

impl Actor {
    /// A stream of decisions of this life.
    pub fn rng(&self, purpose: &str) -> Rng {
        self.world.rng(&format!("{} {purpose}", self.name))
    }

    /// Sleeps so many nanoseconds of virtual time.
    pub async fn sleep(&self, ns: u64) {
        self.world.handle.sleep(ns).await;
    }

    /// Starts a second task in this process.
    pub fn spawn(&self, name: &str, future: impl Future<Output = ()> + MaybeSend + 'static) {
        self.world.handle.spawn(self.process, &format!("{} {name}", self.name), future);
    }

    /// The call's result, or `None` where the caller gives up after `ns`: the future is dropped wherever it stands.
    pub async fn within<T>(&self, ns: u64, call: impl Future<Output = T>) -> Option<T> {
        let call = std::pin::pin!(call);
        match select(call, self.world.handle.sleep(ns)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }

    /// The error may be that of a body with a bit turned over: the call may be made again.
    pub fn is_damage(&self, error: &Error) -> bool {
        let said = matches!(error, Error::Corrupt { .. } | Error::Unsupported { .. });
        said && self.world.bucket.turns_bits()
    }

    /// A probe of the store that lasted since then: a collector takes what a probe left behind for a day, so one that went on
    /// after a longer sleep does not find its object, and takes the store for one that ignores conditions.
    pub fn slept_through_a_probe(&self, began_ns: u64) -> bool {
        self.world.handle.now_ns() - began_ns > 24 * 60 * MINUTE
    }

    /// Nothing in a history explains this error.
    pub fn unexpected(&self, call: &str, error: &Error) {
        self.world.oracle.fail(Check::UnexpectedError, format!("{}: {call}: {error}", self.name));
    }
}
