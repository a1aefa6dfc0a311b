//! What may go wrong with a request, how often, and what is drawn for each one.

use isledb_core::error::Error;

use crate::executor::{MINUTE, SECOND};
use crate::rng::Rng;

/// Rates per 1,000 requests. Each run draws its own: most runs have a few kinds of fault, often, rather than all of
/// them, rarely, so that combinations come up that an even mix never shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// An error, and nothing happened.
    pub refused: u64,
    /// A write is applied, and its answer is lost.
    pub answer_lost: u64,
    /// A conditional write is applied, and the answer says that the condition did not hold (a retry inside the client
    /// met its own success).
    pub refused_by_own_success: u64,
    /// A conditional write meets a conflict that names nobody (409), and nothing happened.
    pub conflict: u64,
    /// A write gives no answer and lands later, up to [`Faults::latest_landing_ns`], if its condition holds then.
    pub delayed: u64,
    /// A read fails.
    pub read_error: u64,
    /// A body ends early, with an error.
    pub body_cut: u64,
    /// A body comes with one bit turned over.
    pub flipped: u64,
    /// A request that was answered arrives once more, up to [`Faults::latest_landing_ns`] later.
    pub duplicated: u64,
    /// The answer takes seconds.
    pub slow: u64,
    /// The answer takes minutes, as of a connection that died without a word.
    pub silent: u64,
}

impl FaultRates {
    /// All of them, each with its name.
    pub fn all(&mut self) -> [(&'static str, &mut u64); 11] {
        [
            ("refused", &mut self.refused),
            ("answer_lost", &mut self.answer_lost),
            ("refused_by_own_success", &mut self.refused_by_own_success),
            ("conflict", &mut self.conflict),
            ("delayed", &mut self.delayed),
            ("read_error", &mut self.read_error),
            ("body_cut", &mut self.body_cut),
            ("flipped", &mut self.flipped),
            ("duplicated", &mut self.duplicated),
            ("slow", &mut self.slow),
            ("silent", &mut self.silent),
        ]
    }
}

/// How long requests take where nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// No time, but everybody else who is ready may run in between: whatever can change places does.
    Instant,
    /// 2 to 30 ms, each as likely.
    Even,
    /// Mostly short, a few of seconds: 1 ms to 4 s, each order of magnitude as likely.
    LongTail,
}

impl Latency {
    /// One way.
    fn draw_ns(self, rng: &mut Rng) -> u64 {
        match self {
            Latency::Instant => 0,
            Latency::Even => rng.between(1_000_000, 15_000_000),
            Latency::LongTail => rng.magnitude(500_000, 2 * SECOND),
        }
    }
}

/// What may go wrong in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// How often.
    pub rates: FaultRates,
    /// How long requests take.
    pub latency: Latency,
    /// From this virtual time on the store is healthy. What was delayed before still lands.
    pub until_ns: u64,
    /// A delayed write lands at most so long after it was sent.
    pub latest_landing_ns: u64,
}

impl Faults {
    /// A healthy store.
    pub fn none() -> Faults {
        Faults { rates: FaultRates::default(), latency: Latency::Even, until_ns: 0, latest_landing_ns: 0 }
    }

    /// The faults of one run: each kind in half of the runs, at its own rate.
    pub fn draw(rng: &mut Rng) -> Faults {
        let rare = rng.chance(250);
        let mut rate = |top: u64| if rng.chance(500) { rng.magnitude(5, top) } else { 0 };
        let rates = FaultRates {
            refused: rate(200),
            answer_lost: rate(250),
            refused_by_own_success: rate(150),
            conflict: rate(150),
            delayed: rate(200),
            read_error: rate(150),
            body_cut: rate(60),
            flipped: if rare { rate(40) } else { 0 },
            duplicated: rate(100),
            slow: rate(100),
            silent: rate(20),
        };
        let latency = *rng.pick(&[Latency::Instant, Latency::Even, Latency::Even, Latency::LongTail]);
        Faults {
            rates,
            latency,
            until_ns: rng.magnitude(2 * SECOND, 20 * MINUTE),
            latest_landing_ns: 15 * MINUTE,
        }
    }
}

/// How a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteFate {
    Done,
    Refused,
    Conflict,
    AnswerLost,
    RefusedByOwnSuccess,
    Delayed { by_ns: u64 },
}

/// How a read goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadFate {
    Done,
    Failed,
    BodyCut,
    /// The bit of that number, of the whole body, is turned over.
    Flipped(u64),
}

impl Faults {
    /// When a request that took effect arrives once more.
    pub(super) fn again_ns(&self, rng: &mut Rng, now_ns: u64) -> Option<u64> {
        let rates = self.rates_at(now_ns)?;
        rng.chance(rates.duplicated).then(|| rng.magnitude(1_000_000, self.latest_landing_ns.max(1_000_001)))
    }

    fn rates_at(&self, now_ns: u64) -> Option<&FaultRates> {
        (now_ns < self.until_ns).then_some(&self.rates)
    }

    /// Time until the request takes effect, and from there until its answer is back.
    pub(super) fn latency_ns(&self, rng: &mut Rng, now_ns: u64) -> (u64, u64) {
        let rates = self.rates_at(now_ns);
        // Seconds are no fault, but they are beyond the deadlines of some, who would never come to an end.
        let latency =
            if rates.is_none() && self.latency == Latency::LongTail { Latency::Even } else { self.latency };
        let (there, back) = (latency.draw_ns(rng), latency.draw_ns(rng));
        let Some(rates) = rates else { return (there, back) };
        let slow = if rng.chance(rates.slow) { rng.magnitude(SECOND / 10, 20 * SECOND) } else { 0 };
        let silent = if rng.chance(rates.silent) { rng.magnitude(SECOND, 10 * MINUTE) } else { 0 };
        if rng.chance(500) { (there + slow, back + silent) } else { (there, back + slow + silent) }
    }

    pub(super) fn write_fate(&self, rng: &mut Rng, now_ns: u64, conditional: bool) -> WriteFate {
        let Some(rates) = self.rates_at(now_ns) else { return WriteFate::Done };
        if rng.chance(rates.refused) {
            return WriteFate::Refused;
        }
        if conditional && rng.chance(rates.conflict) {
            return WriteFate::Conflict;
        }
        if rng.chance(rates.delayed) {
            return WriteFate::Delayed {
                by_ns: rng.magnitude(1_000_000, self.latest_landing_ns.max(1_000_001)),
            };
        }
        if rng.chance(rates.answer_lost) {
            return WriteFate::AnswerLost;
        }
        if conditional && rng.chance(rates.refused_by_own_success) {
            return WriteFate::RefusedByOwnSuccess;
        }
        WriteFate::Done
    }

    pub(super) fn read_fate(&self, rng: &mut Rng, now_ns: u64) -> ReadFate {
        let Some(rates) = self.rates_at(now_ns) else { return ReadFate::Done };
        if rng.chance(rates.read_error) {
            return ReadFate::Failed;
        }
        if rng.chance(rates.flipped) {
            return ReadFate::Flipped(rng.number());
        }
        if rng.chance(rates.body_cut) { ReadFate::BodyCut } else { ReadFate::Done }
    }
}

/// The error of a request that the store did not serve, or whose answer never came.
pub(super) fn unavailable(rng: &mut Rng, key: &str) -> Error {
    const MESSAGES: [&str; 5] = [
        "429 Too Many Requests",
        "500 InternalError",
        "503 SlowDown",
        "connection reset by peer",
        "timed out waiting for the answer",
    ];
    Error::Unavailable { object: key.to_owned(), message: (*rng.pick(&MESSAGES)).to_owned() }
}
