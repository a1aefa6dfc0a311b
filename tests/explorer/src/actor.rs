//! One life of an actor as a future, and the actors' histories as nodes.
//!
//! What an actor does is a function of the answers it got, so a node (a sequence of answers) is computed once, however many
//! states it is a part of: the engine runs once for each, not once for each schedule.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use hashbrown::HashMap;

use crate::bucket::{Answer, Bucket};
use crate::desk::Desk;
use crate::fact::Fact;
use crate::names::Names;

/// What an actor does in one life.
pub(crate) type Script = Box<dyn Fn(Desk, u8) -> Life>;
pub(crate) type Life = Pin<Box<dyn Future<Output = ()>>>;

/// Live futures that are kept, so that the next step of a recent history need not run it from its beginning.
const LIVE_MAX: usize = 4_000;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Instance {
    desk: Desk,
    life: Option<Life>,
    woken: Arc<Woken>,
}

/// Where an instance came to a halt.
enum Halt {
    /// `same_as` was called.
    Alias(u64),
    /// Requests are open, or it is at its end.
    Asks,
}

impl Instance {
    fn advance(&mut self) -> Halt {
        let waker = Waker::from(self.woken.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            let Some(life) = &mut self.life else { return Halt::Asks };
            self.woken.0.store(false, Ordering::Relaxed);
            if life.as_mut().poll(&mut context) == Poll::Ready(()) {
                self.life = None;
                return Halt::Asks;
            }
            if let Some(alias) = self.desk.take_alias() {
                return Halt::Alias(alias);
            }
            if self.woken.0.load(Ordering::Relaxed) {
                continue;
            }
            if !self.desk.open().is_empty() {
                return Halt::Asks;
            }
            assert!(self.desk.end_pause(), "an actor waits for nothing");
        }
    }
}

/// A request that is open at a node, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) request: u32,
    pub(crate) tick: u8,
}

pub(crate) struct Node {
    from: From,
    /// Open requests; none: the life has come to its end.
    pub(crate) asks: Box<[Ask]>,
    /// What a next life must not begin again.
    pub(crate) progress: u8,
    /// Between two operations.
    pub(crate) rests: bool,
}

enum From {
    Root { actor: u8, life: u8, progress: u8, tick: u8 },
    Step { node: u32, at: u8, answer: u32, tick: u8 },
}

/// What taking an answer leads to.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) node: u32,
    pub(crate) facts: Option<Arc<[Fact]>>,
}

/// Actor, life, what it said, and the time.
type Alias = (u8, u8, u64, u8);

/// All histories of all actors.
pub(crate) struct Actors {
    scripts: Vec<Script>,
    nodes: Vec<Node>,
    roots: HashMap<(u8, u8, u8, u8), Edge>,
    edges: HashMap<(u32, u8, u32, u8), Edge>,
    answers: HashMap<Answer, u32>,
    answers_by_number: Vec<Answer>,
    /// Where histories met: the node behind it, and what is told on the way there.
    aliases: HashMap<Alias, (u32, Vec<Fact>)>,
    live: HashMap<u32, Instance>,
    /// Steps of the engine that were run.
    pub(crate) runs: u64,
}

impl Actors {
    pub(crate) fn new(scripts: Vec<Script>) -> Actors {
        Actors {
            scripts,
            nodes: Vec::new(),
            roots: HashMap::new(),
            edges: HashMap::new(),
            answers: HashMap::new(),
            answers_by_number: Vec::new(),
            aliases: HashMap::new(),
            live: HashMap::new(),
            runs: 0,
        }
    }

    pub(crate) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// Histories so far.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A life begins.
    pub(crate) fn root(
        &mut self,
        names: &mut Names,
        bucket: &Bucket,
        (actor, life, progress, tick): (u8, u8, u8, u8),
    ) -> Edge {
        if let Some(edge) = self.roots.get(&(actor, life, progress, tick)) {
            return edge.clone();
        }
        let instance = self.begin(bucket, (actor, life, progress, tick));
        let from = From::Root { actor, life, progress, tick };
        let edge = self.settle(names, instance, from, (actor, life, tick));
        self.roots.insert((actor, life, progress, tick), edge.clone());
        edge
    }

    fn begin(&self, bucket: &Bucket, (actor, life, progress, tick): (u8, u8, u8, u8)) -> Instance {
        let seed = u64::from(actor) * 16 + u64::from(life) + 1;
        let desk = Desk::new(seed, progress);
        desk.set_now_ms(bucket.times_ms[usize::from(tick)]);
        let script = &self.scripts[usize::from(actor)];
        Instance {
            life: Some(script(desk.clone(), life)),
            desk,
            woken: Arc::new(Woken(AtomicBool::new(true))),
        }
    }

    /// The history `node`, with the answer to its open request `at` at `tick`.
    pub(crate) fn follow(
        &mut self,
        names: &mut Names,
        bucket: &Bucket,
        who: (u8, u8),
        (node, at, answer, tick): (u32, u8, Answer, u8),
    ) -> Edge {
        let answer = match self.answers.get(&answer) {
            Some(number) => *number,
            None => {
                let number = self.answers_by_number.len() as u32;
                self.answers_by_number.push(answer.clone());
                self.answers.insert(answer, number);
                number
            }
        };
        if let Some(edge) = self.edges.get(&(node, at, answer, tick)) {
            return edge.clone();
        }
        let mut instance = self.instance(names, bucket, node);
        self.feed(names, bucket, &mut instance, (at, answer, tick));
        let from = From::Step { node, at, answer, tick };
        let edge = self.settle(names, instance, from, (who.0, who.1, tick));
        self.edges.insert((node, at, answer, tick), edge.clone());
        edge
    }

    fn feed(
        &mut self,
        names: &Names,
        bucket: &Bucket,
        instance: &mut Instance,
        (at, answer, tick): (u8, u32, u8),
    ) {
        self.runs += 1;
        let requests = instance.desk.open();
        let reply = bucket.reply(names, &requests[usize::from(at)], &self.answers_by_number[answer as usize]);
        instance.desk.set_now_ms(bucket.times_ms[usize::from(tick)]);
        instance.desk.answer(usize::from(at), reply);
    }

    /// Runs an instance to its next requests, and makes the node of that.
    fn settle(
        &mut self,
        names: &mut Names,
        mut instance: Instance,
        from: From,
        (actor, life, tick): (u8, u8, u8),
    ) -> Edge {
        let mut aliases: Vec<(Alias, usize)> = Vec::new();
        let mut facts = Vec::new();
        loop {
            let halt = instance.advance();
            facts.extend(instance.desk.take_facts());
            match halt {
                Halt::Asks => break,
                Halt::Alias(alias) => {
                    let alias = (actor, life, alias, tick);
                    if let Some((node, told)) = self.aliases.get(&alias) {
                        let node = *node;
                        facts.extend_from_slice(told);
                        self.name(aliases, node, &facts);
                        return edge(node, facts);
                    }
                    aliases.push((alias, facts.len()));
                }
            }
        }
        // Requests that were open before keep their time.
        let earlier: &[Ask] = match &from {
            From::Step { node, .. } => &self.nodes[*node as usize].asks,
            From::Root { .. } => &[],
        };
        let mut asks = Vec::new();
        for request in instance.desk.open() {
            let request = names.request(&request);
            let since = earlier.iter().find(|ask| ask.request == request).map_or(tick, |ask| ask.tick);
            asks.push(Ask { request, tick: since });
        }
        let node = self.nodes.len() as u32;
        let (progress, rests) = (instance.desk.progress(), instance.desk.rests());
        self.nodes.push(Node { from, asks: asks.into(), progress, rests });
        self.name(aliases, node, &facts);
        if instance.life.is_some() {
            if self.live.len() >= LIVE_MAX {
                self.live.clear();
            }
            self.live.insert(node, instance);
        }
        edge(node, facts)
    }

    /// Each alias with the place in `facts` from which on they were told behind it.
    fn name(&mut self, aliases: Vec<(Alias, usize)>, node: u32, facts: &[Fact]) {
        for (alias, told) in aliases {
            self.aliases.insert(alias, (node, facts[told..].to_vec()));
        }
    }

    /// A live future at `node`: a kept one, or the history run again.
    fn instance(&mut self, names: &Names, bucket: &Bucket, node: u32) -> Instance {
        let mut steps = Vec::new();
        let mut at = node;
        let mut instance = loop {
            if let Some(instance) = self.live.remove(&at) {
                break instance;
            }
            match self.nodes[at as usize].from {
                From::Root { actor, life, progress, tick } => {
                    let mut instance = self.begin(bucket, (actor, life, progress, tick));
                    while let Halt::Alias(_) = instance.advance() {}
                    break instance;
                }
                From::Step { node, at: place, answer, tick } => {
                    steps.push((place, answer, tick));
                    at = node;
                }
            }
        };
        for step in steps.into_iter().rev() {
            self.feed(names, bucket, &mut instance, step);
            while let Halt::Alias(_) = instance.advance() {}
        }
        instance.desk.take_facts();
        instance
    }
}

fn edge(node: u32, facts: Vec<Fact>) -> Edge {
    Edge { node, facts: (!facts.is_empty()).then(|| facts.into()) }
}
