//! The steps that lead on from a state: every open request served in every way, every death, every late landing, every jump of
//! the clock.

use hashbrown::HashSet;
use isledb_core::format::layout::Layout;
use xxhash_rust::xxh64::xxh64;

use crate::actor::{Actors, Edge};
use crate::bucket::{Answer, Bucket, Effect};
use crate::config::{Actor, Config, MINUTE_MS, UNBOUNDED};
use crate::desk::{Condition, Request};
use crate::fact::Fact;
use crate::names::{Kind, Names, PREFIX};
use crate::state::{Flight, Object, Place, State};
use crate::watch::{Violation, Watch};

/// A write lands no later than this after it was sent.
const REQUEST_LIFE_MS: u64 = 15 * MINUTE_MS;
/// When everything begins, in Unix milliseconds.
const BEGIN_MS: u64 = 1_790_000_000_000;
/// An actor that takes more steps alone than this does not come to an end.
const ALONE_MAX: u32 = 400;

/// Where a step leads.
pub(crate) struct Next {
    pub(crate) state: State,
    pub(crate) violation: Option<Violation>,
    /// In words, where they are asked for.
    pub(crate) label: Option<String>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is served and answered.
    Served,
    /// It is applied, and not answered.
    AnswerLost,
    /// It is applied, and answered as if its condition had not held.
    OwnSuccess,
    /// Nothing happens, and the answer says nothing of use.
    NotServed,
    /// It is not answered, and may be applied later.
    Delayed,
}

/// A configuration with everything that was learnt about it.
pub(crate) struct World<'a> {
    pub(crate) config: &'a Config,
    pub(crate) names: Names,
    bucket: Bucket,
    people: Vec<Actor>,
    pub(crate) actors: Actors,
    watch: Watch,
    /// Fingerprints of states from which an actor was seen to end alone.
    ends: HashSet<u64>,
    pub(crate) labels: bool,
}

impl<'a> World<'a> {
    /// The configuration's world and its first state.
    pub(crate) fn new(config: &'a Config) -> Result<(World<'a>, State), Violation> {
        let layout = Layout::new(PREFIX).map_err(|error| error.to_string())?;
        let mut times_ms = vec![BEGIN_MS];
        for tick in config.ticks_ms {
            times_ms.push(times_ms.last().copied().unwrap_or(0) + tick);
        }
        let mut names = Names::new(layout);
        let mut state = State {
            objects: Vec::new(),
            decided: Vec::new(),
            flights: Vec::new(),
            actors: Vec::new(),
            tick: 0,
            crashes: config.crashes,
            faults: 0,
            switches: config.switches.unwrap_or(0),
            last: u8::MAX,
            acknowledged: 0,
            not_committed: 0,
        };
        for (name, body) in (config.litter)() {
            let (key, content) = (names.key(&name), names.content(&body));
            state.put(Object { key, content, tick: 0 });
        }
        let world = |names, mut people: Vec<Actor>| {
            let scripts =
                people.iter_mut().map(|person| std::mem::replace(&mut person.script, idle())).collect();
            World {
                config,
                names,
                bucket: Bucket { bug: config.bug, times_ms: times_ms.clone() },
                people,
                actors: Actors::new(scripts),
                watch: Watch::new(config.protocol),
                ends: HashSet::new(),
                labels: false,
            }
        };
        for (at, person) in (0..).zip((config.prelude)()) {
            state.tick = config.past.min(at);
            let mut before = world(names, vec![person]);
            let edge = before.actors.root(&mut before.names, &before.bucket, (0, 9 + at, 0, state.tick));
            state.actors = vec![Place { node: edge.node, life: 9 + at }];
            while !before.is_done(&state, 0) {
                state = before.serve_alone(&state, 0)?;
            }
            names = before.names;
        }
        state.tick = config.past;
        state.faults = config.faults;
        let mut world = world(names, (config.actors)());
        state.actors.clear();
        for actor in 0..world.people.len() as u8 {
            let edge = world.actors.root(&mut world.names, &world.bucket, (actor, 0, 0, state.tick));
            world.told(&mut state, &edge)?;
            state.actors.push(Place { node: edge.node, life: 0 });
        }
        Ok((world, state))
    }

    pub(crate) fn is_done(&self, state: &State, actor: usize) -> bool {
        self.actors.node(state.actors[actor].node).asks.is_empty()
    }

    /// All that may happen next.
    pub(crate) fn successors(&mut self, state: &State, out: &mut Vec<Next>) {
        if let Some(actor) = self.private_step(state) {
            self.requests(state, actor, out);
            self.death(state, actor, out);
            return;
        }
        for actor in 0..self.people.len() {
            self.requests(state, actor, out);
            self.death(state, actor, out);
        }
        self.landings(state, out);
        self.time(state, out);
    }

    /// An actor whose next step commutes with everything that anybody else can do: it is enough to let it go first. So is the
    /// upload of a table whose name nobody knows yet, where nobody lists tables and no clock will move.
    fn private_step(&self, state: &State) -> Option<usize> {
        let time_stands = usize::from(state.tick) == self.config.ticks_ms.len();
        if !time_stands || self.config.switches.is_some() {
            return None;
        }
        (0..self.people.len()).find(|actor| match &*self.actors.node(state.actors[*actor].node).asks {
            [ask] => match &**self.names.request_of(ask.request) {
                Request::Put { key, condition: Condition::None, .. } => {
                    self.names.layout.sst_id_of(key).is_some()
                }
                _ => false,
            },
            _ => false,
        })
    }

    fn requests(&mut self, state: &State, actor: usize, out: &mut Vec<Next>) {
        let Some(switched) = self.switch(state, actor) else { return };
        let place = state.actors[actor];
        let count = self.actors.node(place.node).asks.len();
        let count = if self.config.any_order { count } else { count.min(1) };
        for at in 0..count {
            let ask = self.actors.node(place.node).asks[at];
            let request = self.names.request_of(ask.request).clone();
            let age_ms =
                self.bucket.times_ms[usize::from(state.tick)] - self.bucket.times_ms[usize::from(ask.tick)];
            let late = request.is_write() && age_ms >= REQUEST_LIFE_MS && !self.config.no_request_life;
            if late {
                out.push(self.serve(&switched, actor, at, &request, Fate::NotServed));
                continue;
            }
            out.push(self.serve(&switched, actor, at, &request, Fate::Served));
            if state.faults == 0 {
                continue;
            }
            let mut faulty = switched.clone();
            if faulty.faults != UNBOUNDED {
                faulty.faults -= 1;
            }
            if !request.is_write() {
                if self.config.reads_fail {
                    out.push(self.serve(&faulty, actor, at, &request, Fate::NotServed));
                }
                continue;
            }
            out.push(self.serve(&faulty, actor, at, &request, Fate::NotServed));
            if self.bucket.holds(state, &mut self.names, &request) {
                out.push(self.serve(&faulty, actor, at, &request, Fate::AnswerLost));
                let conditional = !matches!(
                    request.as_ref(),
                    Request::Put { condition: Condition::None, .. } | Request::Delete { .. }
                );
                if self.config.own_success && conditional {
                    out.push(self.serve(&faulty, actor, at, &request, Fate::OwnSuccess));
                }
            }
            if state.flights.len() < usize::from(self.config.delayed) {
                let mut delayed = faulty.clone();
                delayed.flights.push(Flight { request: ask.request, tick: ask.tick });
                delayed.flights.sort_unstable();
                out.push(self.serve(&delayed, actor, at, &request, Fate::Delayed));
            }
        }
    }

    /// The state with the interruption counted; `None`: there are none left.
    fn switch(&self, state: &State, actor: usize) -> Option<State> {
        let mut next = state.clone();
        if self.config.switches.is_none() {
            return Some(next);
        }
        let interrupts = state.actors.get(usize::from(state.last)).is_some_and(|place| {
            let node = self.actors.node(place.node);
            usize::from(state.last) != actor && !node.asks.is_empty() && !node.rests
        });
        if interrupts {
            next.switches = next.switches.checked_sub(1)?;
        }
        next.last = actor as u8;
        Some(next)
    }

    fn serve(&mut self, before: &State, actor: usize, at: usize, request: &Request, fate: Fate) -> Next {
        let mut state = before.clone();
        let place = state.actors[actor];
        let mut effect = Effect::default();
        let mut answer = if request.is_write() {
            match fate {
                Fate::Served | Fate::AnswerLost | Fate::OwnSuccess => {
                    let (answer, done) = self.bucket.write(&mut state, &mut self.names, request);
                    effect = done;
                    answer
                }
                Fate::NotServed | Fate::Delayed => Answer::Unavailable,
            }
        } else {
            match fate {
                Fate::Served => self.bucket.read(&state, &mut self.names, request),
                _ => Answer::Unavailable,
            }
        };
        match fate {
            Fate::AnswerLost => answer = Answer::Unavailable,
            Fate::OwnSuccess => answer = Answer::Refused,
            _ => {}
        }
        let told = answer.clone();
        let who = (actor as u8, place.life);
        let step = (place.node, at as u8, answer, state.tick);
        let edge = self.actors.follow(&mut self.names, &self.bucket, who, step);
        state.actors[actor].node = edge.node;
        let violation = self.judge(&mut state, effect, &edge).err();
        let label = self.labels.then(|| self.describe(actor, place.life, request, fate, &told, &edge));
        Next { state, violation, label }
    }

    fn judge(&mut self, state: &mut State, effect: Effect, edge: &Edge) -> Result<(), Violation> {
        self.prune(state, effect);
        if effect.changed || effect.current_was.is_some() {
            self.watch.after(&mut self.names, state, effect)?;
        }
        self.told(state, edge)
    }

    /// What an actor was told in this step.
    fn told(&mut self, state: &mut State, edge: &Edge) -> Result<(), Violation> {
        for fact in edge.facts.iter().flat_map(|facts| facts.iter()) {
            match fact {
                Fact::Acknowledged(flush) => state.acknowledged |= 1 << flush,
                Fact::NotCommitted(flush) => state.not_committed |= 1 << flush,
                _ => {}
            }
            self.watch.fact(&mut self.names, state, fact)?;
        }
        Ok(())
    }

    /// Drops what is on its way and can never be applied: the content of CURRENT never comes again.
    fn prune(&mut self, state: &mut State, effect: Effect) {
        if effect.current_was.is_none() || state.flights.is_empty() {
            return;
        }
        let flights = std::mem::take(&mut state.flights);
        for flight in flights {
            let request = self.names.request_of(flight.request).clone();
            let key = self.names.key(request.key());
            let dead = self.names.key_of(key).kind == Kind::Current
                && !self.bucket.holds(state, &mut self.names, &request);
            if !dead {
                state.flights.push(flight);
            }
        }
    }

    fn death(&mut self, state: &State, actor: usize, out: &mut Vec<Next>) {
        let place = state.actors[actor];
        let node = self.actors.node(place.node);
        if state.crashes == 0 || !self.people[actor].may_crash || node.asks.is_empty() {
            return;
        }
        let progress = node.progress;
        let mut next = state.clone();
        next.crashes -= 1;
        let life = place.life + 1;
        let edge = self.actors.root(&mut self.names, &self.bucket, (actor as u8, life, progress, state.tick));
        next.actors[actor] = Place { node: edge.node, life };
        let violation = self.told(&mut next, &edge).err();
        let label =
            self.labels.then(|| format!("{}.{} dies, and begins anew", self.people[actor].name, place.life));
        out.push(Next { state: next, violation, label });
    }

    fn landings(&mut self, state: &State, out: &mut Vec<Next>) {
        for at in 0..state.flights.len() {
            let flight = state.flights[at];
            if state.flights[..at].contains(&flight) {
                continue;
            }
            let request = self.names.request_of(flight.request).clone();
            let mut next = state.clone();
            next.flights.remove(at);
            let (answer, effect) = self.bucket.write(&mut next, &mut self.names, &request);
            let nothing = Edge { node: 0, facts: None };
            let violation = self.judge(&mut next, effect, &nothing).err();
            let label = self.labels.then(|| format!("late: {} {}", words(&request), outcome(&answer)));
            out.push(Next { state: next, violation, label });
        }
    }

    fn time(&mut self, state: &State, out: &mut Vec<Next>) {
        let Some(jump_ms) = self.config.ticks_ms.get(usize::from(state.tick)) else { return };
        let mut next = state.clone();
        next.tick += 1;
        let now_ms = self.bucket.times_ms[usize::from(next.tick)];
        if !self.config.no_request_life {
            next.flights.retain(|f| now_ms - self.bucket.times_ms[usize::from(f.tick)] < REQUEST_LIFE_MS);
        }
        let label = self.labels.then(|| format!("{} minutes pass", jump_ms / MINUTE_MS));
        out.push(Next { state: next, violation: None, label });
    }

    fn serve_alone(&mut self, state: &State, actor: usize) -> Result<State, Violation> {
        let ask = self.actors.node(state.actors[actor].node).asks[0];
        let request = self.names.request_of(ask.request).clone();
        let next = self.serve(state, actor, 0, &request, Fate::Served);
        next.violation.map_or(Ok(next.state), Err)
    }

    /// Every actor that must come to an end does so when it is left alone on a healthy store.
    pub(crate) fn check_ends(&mut self, state: &State, scratch: &mut Vec<u8>) -> Result<(), Violation> {
        for actor in 0..self.people.len() {
            if !self.people[actor].finishes {
                continue;
            }
            let mut state = state.clone();
            state.flights.clear();
            let mut passed = Vec::new();
            while !self.is_done(&state, actor) {
                let place = state.actors[actor];
                let others = std::mem::replace(&mut state.actors, vec![place]);
                let found = xxh64(&state.fingerprint(scratch).to_le_bytes(), actor as u64);
                state.actors = others;
                if self.ends.contains(&found) {
                    break;
                }
                passed.push(found);
                if passed.len() > ALONE_MAX as usize {
                    let (name, life) = (self.people[actor].name, place.life);
                    return Err(format!("{name}.{life} alone on a healthy store does not come to an end"));
                }
                let name = self.people[actor].name;
                let alone = |wrong| format!("{wrong} (when {name}.{} goes on alone from here)", place.life);
                state = self.serve_alone(&state, actor).map_err(alone)?;
            }
            self.ends.extend(passed);
        }
        Ok(())
    }

    fn describe(
        &self,
        actor: usize,
        life: u8,
        request: &Request,
        fate: Fate,
        answer: &Answer,
        edge: &Edge,
    ) -> String {
        let how = match fate {
            Fate::Served => outcome(answer).to_owned(),
            Fate::AnswerLost => "applied, answer lost".to_owned(),
            Fate::OwnSuccess => "applied, answered as refused".to_owned(),
            Fate::NotServed => "not served".to_owned(),
            Fate::Delayed => "delayed, no answer".to_owned(),
        };
        let facts: Vec<String> =
            edge.facts.iter().flat_map(|facts| facts.iter()).map(|fact| format!("{fact:?}")).collect();
        let facts = if facts.is_empty() { String::new() } else { format!("  [{}]", facts.join(", ")) };
        format!("{}.{life}: {} {how}{facts}", self.people[actor].name, words(request))
    }
}

fn idle() -> crate::actor::Script {
    Box::new(|_, _| Box::pin(async {}))
}

fn words(request: &Request) -> String {
    let short = |key: &str| key.strip_prefix("db/").unwrap_or(key).to_owned();
    match request {
        Request::Get { key, .. } => format!("GET {}", short(key)),
        Request::Head { key } => format!("HEAD {}", short(key)),
        Request::Put { key, condition, .. } => {
            let condition = match condition {
                Condition::None => "",
                Condition::IfAbsent => " if absent",
                Condition::IfMatch(_) => " if unchanged",
            };
            format!("PUT {}{condition}", short(key))
        }
        Request::List { prefix, .. } => format!("LIST {}", short(prefix)),
        Request::Delete { keys } => {
            format!("DELETE {}", keys.iter().map(|key| short(key)).collect::<Vec<_>>().join(" "))
        }
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotFound => "-> not found",
        Answer::NotModified => "-> unchanged",
        Answer::Refused => "-> refused",
        Answer::Unavailable => "-> no answer",
        _ => "-> done",
    }
}
