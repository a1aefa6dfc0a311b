//! A seeded single-threaded executor with a virtual clock.
//!
//! Which of the ready tasks runs next is drawn from the seed; when none is ready, time jumps to the next timer. Tasks
//! belong to processes. A process can be killed at any await point (all its futures are dropped there), and paused there
//! while time goes on for the others: its [`Plan`] says after how many polls.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::Future;
use isledb_core::maybe::{BoxFuture, MaybeSend};

use crate::rng::Rng;
use crate::trace::Trace;

/// One second of virtual time.
pub const SECOND: u64 = 1_000_000_000;
/// One minute of virtual time.
pub const MINUTE: u64 = 60 * SECOND;

/// A process: what a crash takes away at once. A restarted process is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// The surroundings: store and scenario. Never killed or paused.
pub const OUTSIDE: ProcessId = ProcessId(0);

/// What happens to a process after a number of polls of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// All its futures are dropped.
    Crash,
    /// It does not run for so many nanoseconds. Its monotonic clock stands still meanwhile if `asleep`.
    Pause {
        /// For how long.
        ns: u64,
        /// Whether the machine slept.
        asleep: bool,
    },
    /// Its wall clock jumps by so many nanoseconds.
    ClockJump {
        /// By how much.
        ns: i64,
    },
}

/// The incidents of a process, each with the number of polls after which it happens.
pub type Plan = Vec<(u64, Incident)>;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All its tasks ran to their end.
    Finished,
    /// It was killed.
    Killed,
}

/// Why [`Executor::run`] came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Every task ended.
    Finished,
    /// Somebody called [`Handle::halt`].
    Halted,
    /// The virtual clock reached the limit; the names of the tasks that still run.
    TimeLimit(Vec<String>),
    /// Nothing is ready and there is no timer: these tasks wait for each other, or for nobody.
    Deadlock(Vec<String>),
    /// Too many polls; with these tasks still running.
    StepLimit(Vec<String>),
}

struct Task {
    process: ProcessId,
    name: String,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

struct Process {
    name: String,
    polls: u64,
    tasks: usize,
    plan: Plan,
    paused_until_ns: Option<u64>,
    end: Option<End>,
    joiners: Vec<Waker>,
    wall_offset_ns: i64,
    monotonic_lost_ns: u64,
}

struct Core {
    now_ns: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    spawned: Vec<(u64, Task)>,
    kills: Vec<ProcessId>,
    processes: BTreeMap<ProcessId, Process>,
    next_id: u64,
    next_process: u32,
    halted: bool,
}

/// The tasks that have something to do. Apart from the rest, since wakers go anywhere and tasks need not.
#[derive(Default)]
struct Ready {
    order: Vec<u64>,
    queued: BTreeSet<u64>,
}

impl Ready {
    fn add(&mut self, task: u64) {
        if self.queued.insert(task) {
            self.order.push(task);
        }
    }
}

/// The way into the executor, for tasks, store and hosts.
#[derive(Clone)]
pub struct Handle {
    core: Arc<Mutex<Core>>,
    ready: Arc<Mutex<Ready>>,
    trace: Arc<Trace>,
}

struct TaskWaker {
    task: u64,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).add(self.task);
    }
}

impl Handle {
    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of this run.
    pub fn trace(&self) -> &Arc<Trace> {
        &self.trace
    }

    /// Adds a line to the trace, now.
    pub fn line(&self, text: std::fmt::Arguments<'_>) {
        let now_ns = self.now_ns();
        self.trace.line(now_ns, text);
    }

    /// Virtual time since the start.
    pub fn now_ns(&self) -> u64 {
        self.core().now_ns
    }

    /// A new process with its incidents. `wall_offset_ns` is how wrong its wall clock is.
    pub fn process(&self, name: &str, wall_offset_ns: i64, mut plan: Plan) -> ProcessId {
        plan.sort_by_key(|(polls, _)| *polls);
        plan.reverse();
        let mut core = self.core();
        core.next_process += 1;
        let id = ProcessId(core.next_process);
        core.processes.insert(
            id,
            Process {
                name: name.to_owned(),
                polls: 0,
                tasks: 0,
                plan,
                paused_until_ns: None,
                end: None,
                joiners: Vec::new(),
                wall_offset_ns,
                monotonic_lost_ns: 0,
            },
        );
        id
    }

    /// Starts a task in a process. In a process that has ended, the future is dropped.
    pub fn spawn(
        &self,
        process: ProcessId,
        name: &str,
        future: impl Future<Output = ()> + MaybeSend + 'static,
    ) {
        let mut core = self.core();
        if let Some(of) = core.processes.get_mut(&process) {
            if of.end.is_some() {
                return;
            }
            of.tasks += 1;
        }
        core.next_id += 1;
        let id = core.next_id;
        let waker = Waker::from(Arc::new(TaskWaker { task: id, ready: self.ready.clone() }));
        core.spawned.push((id, Task { process, name: name.to_owned(), future: Box::pin(future), waker }));
    }

    /// Kills a process before the next task is polled.
    pub fn kill(&self, process: ProcessId) {
        self.core().kills.push(process);
    }

    /// Waits for the end of a process.
    pub fn join(&self, process: ProcessId) -> impl Future<Output = End> + MaybeSend + use<> {
        let handle = self.clone();
        futures::future::poll_fn(move |context| {
            let mut core = handle.core();
            match core.processes.get_mut(&process) {
                Some(of) => match of.end {
                    Some(end) => Poll::Ready(end),
                    None => {
                        of.joiners.push(context.waker().clone());
                        Poll::Pending
                    }
                },
                None => Poll::Ready(End::Finished),
            }
        })
    }

    /// Ends the run: a violation was found.
    pub fn halt(&self) {
        self.core().halted = true;
    }

    /// Resolves after so much virtual time, and never at once: also a sleep of nothing yields.
    pub fn sleep(&self, ns: u64) -> Sleep {
        Sleep { handle: self.clone(), length_ns: ns, timer: None }
    }

    /// Wall clock of a process, as an offset to virtual time.
    pub fn wall_offset_ns(&self, process: ProcessId) -> i64 {
        self.core().processes.get(&process).map_or(0, |p| p.wall_offset_ns)
    }

    /// Monotonic clock of a process.
    pub fn monotonic_ns(&self, process: ProcessId) -> u64 {
        let core = self.core();
        core.now_ns.saturating_sub(core.processes.get(&process).map_or(0, |p| p.monotonic_lost_ns))
    }
}

/// A timer. Dropping it cancels it.
pub struct Sleep {
    handle: Handle,
    length_ns: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut core = self.handle.core();
        let timer = match self.timer {
            None => {
                core.next_id += 1;
                (core.now_ns.saturating_add(self.length_ns), core.next_id)
            }
            Some(timer) if timer.0 <= core.now_ns && !core.timers.contains_key(&timer) => {
                return Poll::Ready(());
            }
            Some(timer) => timer,
        };
        core.timers.insert(timer, context.waker().clone());
        drop(core);
        self.timer = Some(timer);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let waker = self.handle.core().timers.remove(&timer);
            drop(waker);
        }
    }
}

/// The executor of one run.
pub struct Executor {
    handle: Handle,
    tasks: BTreeMap<u64, Task>,
    rng: Rng,
    steps: u64,
}

impl Executor {
    /// An executor at virtual time 0.
    pub fn new(seed: u64, trace: Arc<Trace>) -> Executor {
        let core = Core {
            now_ns: 0,
            timers: BTreeMap::new(),
            spawned: Vec::new(),
            kills: Vec::new(),
            processes: BTreeMap::new(),
            next_id: 0,
            next_process: 0,
            halted: false,
        };
        Executor {
            handle: Handle { core: Arc::new(Mutex::new(core)), ready: Arc::default(), trace },
            tasks: BTreeMap::new(),
            rng: Rng::new(seed, "executor"),
            steps: 0,
        }
    }

    /// The way in.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Polls so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Runs until every task has ended, or until virtual time or the number of polls pass their limits.
    pub fn run(&mut self, until_ns: u64, max_steps: u64) -> Stop {
        loop {
            self.admit();
            if self.handle.core().halted {
                return Stop::Halted;
            }
            if self.tasks.is_empty() {
                return Stop::Finished;
            }
            if self.steps >= max_steps {
                return Stop::StepLimit(self.names());
            }
            self.fire_timers();
            if let Some(id) = self.next_ready() {
                self.poll(id);
                continue;
            }
            let mut core = self.handle.core();
            let next = core.timers.keys().next().map(|(at, _)| *at);
            match next {
                Some(at) if at <= until_ns => core.now_ns = core.now_ns.max(at),
                Some(_) => {
                    drop(core);
                    return Stop::TimeLimit(self.names());
                }
                None => {
                    drop(core);
                    return Stop::Deadlock(self.names());
                }
            }
        }
    }

    /// Wakes every task whose time has come, so that the seed decides among them.
    fn fire_timers(&mut self) {
        loop {
            let mut core = self.handle.core();
            let now_ns = core.now_ns;
            let due =
                core.timers.first_entry().filter(|entry| entry.key().0 <= now_ns).map(|entry| entry.remove());
            drop(core);
            match due {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.tasks.values().map(|t| t.name.clone()).collect()
    }

    /// Takes in what was spawned, and kills what is to be killed. Futures are dropped outside of the lock: their
    /// destructors come back for it.
    fn admit(&mut self) {
        loop {
            let mut core = self.handle.core();
            let (spawned, stillborn): (Vec<_>, Vec<_>) = std::mem::take(&mut core.spawned)
                .into_iter()
                .partition(|(_, task)| core.processes.get(&task.process).is_none_or(|of| of.end.is_none()));
            let kills = std::mem::take(&mut core.kills);
            for (id, _) in &spawned {
                self.handle.ready().add(*id);
            }
            drop(core);
            // Their process died in the poll that started them.
            drop(stillborn);
            if spawned.is_empty() && kills.is_empty() {
                return;
            }
            self.tasks.extend(spawned);
            for process in kills {
                self.end_process(process, End::Killed);
            }
        }
    }

    fn end_process(&mut self, process: ProcessId, end: End) {
        let mut core = self.handle.core();
        let now_ns = core.now_ns;
        let Some(of) = core.processes.get_mut(&process) else { return };
        if of.end.is_some() {
            return;
        }
        of.end = Some(end);
        let joiners = std::mem::take(&mut of.joiners);
        self.handle.trace.line(now_ns, format_args!("{}: {:?}", of.name, end));
        drop(core);
        let dead: Vec<u64> =
            self.tasks.iter().filter(|(_, t)| t.process == process).map(|(id, _)| *id).collect();
        for id in dead {
            drop(self.tasks.remove(&id));
        }
        for joiner in joiners {
            joiner.wake();
        }
    }

    /// One of the ready tasks whose process is not paused, drawn from the seed.
    fn next_ready(&mut self) -> Option<u64> {
        loop {
            let mut ready = self.handle.ready();
            if ready.order.is_empty() {
                return None;
            }
            let at = self.rng.below(ready.order.len() as u64) as usize;
            let id = ready.order.swap_remove(at);
            ready.queued.remove(&id);
            drop(ready);
            let mut core = self.handle.core();
            let Some(task) = self.tasks.get(&id) else { continue };
            let now_ns = core.now_ns;
            let Some(of) = core.processes.get_mut(&task.process) else { return Some(id) };
            match of.paused_until_ns {
                Some(until) if until > now_ns => {
                    // Woken during the pause: it runs when the pause is over.
                    core.next_id += 1;
                    let timer = (until, core.next_id);
                    core.timers.insert(timer, task.waker.clone());
                }
                _ => return Some(id),
            }
        }
    }

    fn poll(&mut self, id: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        self.steps += 1;
        self.handle.trace.number(id);
        let process = task.process;
        let ended = task.future.as_mut().poll(&mut Context::from_waker(&task.waker)).is_ready();
        if ended {
            drop(self.tasks.remove(&id));
        }
        let mut core = self.handle.core();
        let now_ns = core.now_ns;
        let Some(of) = core.processes.get_mut(&process) else { return };
        if of.end.is_some() {
            return;
        }
        of.polls += 1;
        if ended {
            of.tasks -= 1;
            if of.tasks == 0 {
                drop(core);
                self.end_process(process, End::Finished);
                return;
            }
        }
        let mut crash = false;
        while of.plan.last().is_some_and(|(polls, _)| *polls <= of.polls) {
            let Some((_, incident)) = of.plan.pop() else { break };
            match incident {
                Incident::Crash => crash = true,
                Incident::Pause { ns, asleep } => {
                    // Two at once are one after the other: a monotonic clock that loses both never goes back.
                    let from_ns = of.paused_until_ns.unwrap_or(0).max(now_ns);
                    of.paused_until_ns = Some(from_ns + ns);
                    if asleep {
                        of.monotonic_lost_ns += ns;
                    }
                }
                Incident::ClockJump { ns } => of.wall_offset_ns += ns,
            }
            self.handle.trace.line(now_ns, format_args!("{}: {:?}", of.name, incident));
        }
        drop(core);
        if crash {
            self.end_process(process, End::Killed);
        }
    }
}
