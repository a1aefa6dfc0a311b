//! One guest: an instance with a store of its own, driven by a task of its own.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use isledb::host::{Host, ObjectStore};
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{Accessor, ComponentNamedList, Lift, Lower, ResourceTable};
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use crate::bindings::exports::isledb::storage::{maintain, read, tail, write};
use crate::engine::{Component, TICK, millis};
use crate::error::{Error, Result};
use crate::store::Door;

/// What a guest sees of the world: one prefix of one store, and a clock.
#[derive(Clone)]
pub struct Place {
    /// Where its objects are.
    pub store: Arc<dyn ObjectStore>,
    /// Its keys begin with this and a slash; an empty prefix is the whole store. A request for any other key is answered by
    /// `permission`, and never reaches the store.
    pub prefix: String,
    /// Its time, sleep and randomness.
    pub host: Arc<dyn Host>,
}

impl Place {
    /// A prefix of a store, with the clocks of this machine.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: impl Into<String>) -> Place {
        Place { store, prefix: prefix.into(), host: Arc::new(isledb::TokioHost::new()) }
    }
}

/// What the host keeps for one guest.
pub(crate) struct State {
    pub(crate) door: Arc<Door>,
    pub(crate) table: ResourceTable,
    memory_bytes: u64,
}

/// The exported interfaces of one guest.
pub(crate) struct Guest {
    instance: wasmtime::component::Instance,
    pub(crate) read: Option<read::Guest>,
    pub(crate) tail: Option<tail::Guest>,
    pub(crate) write: Option<write::Guest>,
    pub(crate) maintain: Option<maintain::Guest>,
}

/// What a caller wants of the guest.
type Job = Box<dyn for<'a> FnOnce(&'a Accessor<State>, &'a Guest) -> BoxFuture<'a, ()> + Send>;

/// A running guest. Clones are one guest; when the last is dropped it ends, with everything that it had under way.
///
/// Any number of calls may be under way at once, from any task.
#[derive(Clone)]
pub struct Instance(Arc<Running>);

struct Running {
    jobs: mpsc::UnboundedSender<Job>,
    ended: Arc<OnceLock<Error>>,
    /// Closed when the guest's task is over and has left its reason.
    driven: tokio::sync::watch::Receiver<()>,
    watch: Arc<Watch>,
    deadline: Duration,
}

/// How long the guest has computed without a pause, and its last words.
pub(crate) struct Watch {
    ticks: AtomicU64,
    ticks_max: u64,
    busy_ms: u64,
    last_words: Mutex<Option<String>>,
}

impl Watch {
    /// The guest was given something to do, or asked for something.
    pub(crate) fn pause(&self) {
        self.ticks.store(0, Ordering::Relaxed);
    }

    pub(crate) fn panicked(&self, message: String) {
        *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    fn tick(&self) -> wasmtime::Result<UpdateDeadline> {
        if self.ticks.fetch_add(1, Ordering::Relaxed) >= self.ticks_max {
            return Err(Error::Busy { limit_ms: self.busy_ms }.into());
        }
        Ok(UpdateDeadline::Yield(1))
    }

    /// Why a guest ended.
    fn verdict(&self, error: &wasmtime::Error) -> Error {
        let last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(message) = last_words {
            return Error::Panicked { message };
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            return error.clone();
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Error::Busy { limit_ms: self.busy_ms },
            _ => Error::Trapped { message: format!("{error:#}") },
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match desired as u64 <= self.memory_bytes {
            true => Ok(true),
            false => Err(Error::Memory { asked: desired as u64, limit: self.memory_bytes }.into()),
        }
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}

impl Instance {
    /// Starts a guest. It runs on the tokio runtime of the caller.
    ///
    /// Errors: `Component` where no room is left in the pool; what ends a guest.
    pub async fn start(component: &Component, place: Place) -> Result<Instance> {
        let options = component.engine.options();
        let busy_ms = millis(options.busy);
        let watch = Arc::new(Watch {
            ticks: AtomicU64::new(0),
            ticks_max: busy_ms.div_ceil(millis(TICK)),
            busy_ms,
            last_words: Mutex::default(),
        });
        let door = Arc::new(Door::new(place, options, watch.clone())?);
        let state = State { door, table: ResourceTable::new(), memory_bytes: options.memory_bytes };
        let mut store = Store::new(component.engine.wasmtime(), state);
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        let at_tick = watch.clone();
        store.epoch_deadline_callback(move |_| at_tick.tick());
        let guest =
            instantiate(&mut store, component).await.map_err(|error| match watch.verdict(&error) {
                Error::Trapped { message } => Error::Component { message },
                verdict => verdict,
            })?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let ended = Arc::new(OnceLock::new());
        let (driving, driven) = tokio::sync::watch::channel(());
        let driver = drive(store, guest, queue, ended.clone(), watch.clone());
        tokio::spawn(async move {
            driver.await;
            drop(driving);
        });
        Ok(Instance(Arc::new(Running { jobs, ended, driven, watch, deadline: options.deadline })))
    }

    /// Calls a function of any exported interface (`None`: of the world itself), for components beside isledb's own.
    ///
    /// Errors: `Component` where there is no such function; `Timeout`; what ends a guest.
    pub async fn call<P, R>(&self, interface: Option<&str>, name: &str, params: P) -> Result<R>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let (interface, name) = (interface.map(str::to_owned), name.to_owned());
        self.within_deadline(self.send(move |accessor, guest| {
            Box::pin(async move {
                let function = accessor.with(|mut store| {
                    let parent = match &interface {
                        None => None,
                        Some(interface) => match guest.instance.get_export_index(&mut store, None, interface)
                        {
                            None => return Err(wasmtime::Error::msg(format!("it exports no {interface}"))),
                            index => index,
                        },
                    };
                    let index = guest.instance.get_export_index(&mut store, parent.as_ref(), &name);
                    let index = index.ok_or_else(|| wasmtime::Error::msg(format!("it exports no {name}")))?;
                    guest.instance.get_typed_func::<P, R>(&mut store, index)
                });
                let function = match function {
                    Ok(function) => function,
                    Err(error) => return Ok(Err(Error::component(&error))),
                };
                function.call_concurrent(accessor, params).await.map(Ok)
            })
        }))
        .await?
    }

    /// Why the guest is gone, where it is.
    pub fn ended(&self) -> Option<Error> {
        self.0.ended.get().cloned()
    }

    /// Hands a call to the guest's task. It goes on there even where the answer is dropped.
    pub(crate) fn send<R, F>(&self, call: F) -> Answer<R>
    where
        R: Send + 'static,
        F: for<'a> FnOnce(&'a Accessor<State>, &'a Guest) -> BoxFuture<'a, wasmtime::Result<R>>
            + Send
            + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let (ended, watch) = (self.0.ended.clone(), self.0.watch.clone());
        let job: Job = Box::new(move |accessor, guest| {
            Box::pin(async move {
                watch.pause();
                match call(accessor, guest).await {
                    Ok(value) => drop(answer.send(value)),
                    // Whoever waits learns it from there.
                    Err(error) => drop(ended.set(watch.verdict(&error))),
                }
                watch.pause();
            })
        });
        // Where the task is gone it has left the reason.
        let _ = self.0.jobs.send(job);
        Answer { receiver: Some(receiver), ended: self.0.ended.clone(), driven: self.0.driven.clone() }
    }

    /// Waits for an answer, for as long as a call may take.
    pub(crate) async fn within_deadline<R>(&self, answer: Answer<R>) -> Result<R> {
        let deadline = self.0.deadline;
        match tokio::time::timeout(deadline, answer.wait()).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { limit_ms: millis(deadline) }),
        }
    }
}

/// An answer on its way.
pub(crate) struct Answer<R> {
    /// `None`: it will not come.
    receiver: Option<oneshot::Receiver<R>>,
    ended: Arc<OnceLock<Error>>,
    driven: tokio::sync::watch::Receiver<()>,
}

impl<R> Answer<R> {
    /// May be dropped and called again on the same answer.
    pub(crate) async fn arrive(&mut self) -> Result<R> {
        if let Some(receiver) = &mut self.receiver {
            if let Ok(value) = receiver.await {
                return Ok(value);
            }
            self.receiver = None;
        }
        // Calls are dropped before the task that ran them can say why.
        while self.ended.get().is_none() && self.driven.changed().await.is_ok() {}
        Err(self
            .ended
            .get()
            .cloned()
            .unwrap_or_else(|| Error::Trapped { message: "the runtime that drove it is gone".to_owned() }))
    }

    async fn wait(mut self) -> Result<R> {
        self.arrive().await
    }
}

async fn instantiate(store: &mut Store<State>, component: &Component) -> wasmtime::Result<Guest> {
    let instance = component.instance.instantiate_async(&mut *store).await?;
    let exports = &component.exports;
    Ok(Guest {
        read: exports.read.as_ref().map(|indices| indices.load(&mut *store, &instance)).transpose()?,
        tail: exports.tail.as_ref().map(|indices| indices.load(&mut *store, &instance)).transpose()?,
        write: exports.write.as_ref().map(|indices| indices.load(&mut *store, &instance)).transpose()?,
        maintain: exports
            .maintain
            .as_ref()
            .map(|indices| indices.load(&mut *store, &instance))
            .transpose()?,
        instance,
    })
}

/// Runs jobs beside one another until nobody can send any more, or the guest ends.
async fn drive(
    mut store: Store<State>,
    guest: Guest,
    mut queue: mpsc::UnboundedReceiver<Job>,
    ended: Arc<OnceLock<Error>>,
    watch: Arc<Watch>,
) {
    let served = store.run_concurrent(async |accessor| {
        let mut running = FuturesUnordered::new();
        while ended.get().is_none() {
            match next(&mut queue, &mut running).await {
                Next::Job(job) => running.push(job(accessor, &guest)),
                Next::Done => {}
                Next::Closed => return,
            }
        }
    });
    if let Err(error) = served.await {
        let _ = ended.set(watch.verdict(&error));
    }
}

enum Next {
    Job(Job),
    Done,
    Closed,
}

async fn next<F: Future<Output = ()>>(
    queue: &mut mpsc::UnboundedReceiver<Job>,
    running: &mut FuturesUnordered<F>,
) -> Next {
    let received = |job: Option<Job>| job.map_or(Next::Closed, Next::Job);
    if running.is_empty() {
        return received(queue.recv().await);
    }
    match select(pin!(queue.recv()), running.next()).await {
        Either::Left((job, _)) => received(job),
        Either::Right(_) => Next::Done,
    }
}
