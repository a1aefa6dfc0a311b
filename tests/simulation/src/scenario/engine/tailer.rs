//! A life of a tailer: it applies what the feed brings to a copy, and remembers its cursor together with the copy now and
//! then, as a consumer in the field does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::tail::{Change, ChangeOp, Cursor, TailOptions, TailStart, Tailer};

use super::{Plot, may_come_again, now_ms, open};
use crate::executor::{MINUTE, SECOND};
use crate::oracle::{Check, Committed, Written};
use crate::rng::Rng;
use crate::scenario::Actor;

/// What a tailer remembers over restarts.
#[derive(Clone)]
pub(super) struct Saved {
    cursor: Cursor,
    copy: Copy,
}

/// The consumer's copy: the newest change of each key.
#[derive(Clone, Default)]
struct Copy {
    changes: BTreeMap<Bytes, (u64, Written)>,
    /// Place in the feed of the next change. `None` while it bootstraps, and after that: then keys are at different places.
    at: Option<usize>,
}

/// True: it wants another life.
pub(super) async fn live(actor: Actor, saved: Arc<Mutex<Option<Saved>>>, plot: Plot) -> bool {
    let (mut rng, rest_ns) = (actor.rng("tails"), plot.rest_ns);
    let load = || saved.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some((mut tailer, mut copy)) = follow(&actor, &plot, &mut rng, load()).await else { return false };
    let (mut idle, mut rest_longest_ns) = (0, rest_ns);
    // Two looks at the end of the feed after the last writer is gone.
    while idle < 2 {
        let changing = actor.world.is_changing();
        let patience = if rng.chance(100) { rng.magnitude(1_000_000, 10 * SECOND) } else { u64::MAX };
        match actor.within(patience, tailer.try_next()).await {
            None => {}
            Some(Ok(Some(change))) => {
                copy.apply(&actor, &change, &tailer);
                (idle, rest_longest_ns) = (0, rest_ns);
            }
            Some(Ok(None)) => {
                copy.compare(&actor, &tailer.cursor());
                if !changing {
                    idle += 1;
                }
                // Writers may be paused for hours.
                actor.sleep(rng.magnitude(rest_longest_ns / 100, rest_longest_ns)).await;
                rest_longest_ns = (rest_longest_ns * 2).min(20 * MINUTE);
            }
            Some(Err(error)) if may_come_again(&actor, &error) => actor.sleep(SECOND).await,
            Some(Err(error)) if has_expired(&actor, &tailer.cursor(), &error) => {
                match follow(&actor, &plot, &mut rng, None).await {
                    Some(again) => (tailer, copy) = again,
                    None => return false,
                }
            }
            Some(Err(error)) => {
                failed(&actor, "tail", &error);
                return false;
            }
        }
        if rng.chance(200) {
            let now = Saved { cursor: tailer.cursor(), copy: copy.clone() };
            *saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        // Now and then the connection is made anew from where it stands.
        if rng.chance(20) {
            let here = Saved { cursor: tailer.cursor(), copy: copy.clone() };
            match follow(&actor, &plot, &mut rng, Some(here)).await {
                Some(again) => (tailer, copy) = again,
                None => return false,
            }
        }
    }
    // Maintenance may go on behind the last flush.
    let newest =
        actor.world.oracle.look(|history| history.flushes().last().map_or(1, |flush| flush.slot + 1));
    if tailer.cursor().slot() < newest {
        let detail = format!("{}: at its end at slot {}, of {newest}", actor.name, tailer.cursor().slot());
        actor.world.oracle.fail(Check::FeedSkipsOrRepeats, detail);
    }
    false
}

/// Opens a tailer where it left off, or where the seed says.
async fn follow(
    actor: &Actor,
    plot: &Plot,
    rng: &mut Rng,
    mut saved: Option<Saved>,
) -> Option<(Tailer, Copy)> {
    let db = open(actor, plot)?;
    let fresh = match rng.below(3) {
        0 => TailStart::Now,
        1 => TailStart::Bootstrap,
        _ => TailStart::Begin,
    };
    let mut start = saved.as_ref().map_or(fresh.clone(), |saved| TailStart::Cursor(saved.cursor.clone()));
    loop {
        let committed = actor.world.oracle.look(|history| history.next_seq());
        let options = TailOptions {
            start: start.clone(),
            max_buffer_bytes: rng.magnitude(1000, 100_000),
            ..TailOptions::default()
        };
        match db.tailer(options).await {
            Ok(tailer) => {
                let copy = match (&saved, &start) {
                    (Some(saved), _) => saved.copy.clone(),
                    // What lies below the floor it knows by other means.
                    (None, TailStart::Begin) => Copy::from_now(actor, tailer.cursor().slot(), 0),
                    (None, TailStart::Bootstrap) => Copy::default(),
                    (None, _) => Copy::from_now(actor, tailer.cursor().slot(), committed),
                };
                return Some((tailer, copy));
            }
            Err(error) if may_come_again(actor, &error) => actor.sleep(SECOND).await,
            Err(error) if saved.as_ref().is_some_and(|saved| has_expired(actor, &saved.cursor, &error)) => {
                (saved, start) = (None, fresh.clone());
            }
            Err(error) => {
                failed(actor, "open a tailer", &error);
                return None;
            }
        }
    }
}

/// The change retention has run out for this cursor: then it lies below the floor, and the consumer begins anew.
fn has_expired(actor: &Actor, cursor: &Cursor, error: &Error) -> bool {
    if !matches!(error, Error::CursorExpired { .. }) {
        return false;
    }
    let floor = actor.world.oracle.look(|history| history.feed_floor());
    if cursor.slot() >= floor {
        wrong(actor, format!("{cursor} has expired, and the floor is {floor}"));
    }
    true
}

fn failed(actor: &Actor, call: &str, error: &Error) {
    let check = match error {
        Error::Corrupt { .. } | Error::NotFound { .. } => Check::ReaderMissesObject,
        _ => Check::UnexpectedError,
    };
    actor.world.oracle.fail(check, format!("{}: {call}: {error}", actor.name));
}

fn wrong(actor: &Actor, detail: String) {
    actor.world.oracle.fail(Check::FeedSkipsOrRepeats, format!("{}: {detail}", actor.name));
}

impl Copy {
    /// A consumer that begins at `slot` and knows what was committed before it by other means.
    fn from_now(actor: &Actor, slot: u64, committed: u64) -> Copy {
        if slot < committed {
            wrong(actor, format!("begins now at slot {slot}, {committed} was committed before"));
        }
        actor.world.oracle.look_at_data(|model| Copy {
            changes: model
                .state(slot)
                .map(|c| (c.written.key.clone(), (c.sequence, c.written.clone())))
                .collect(),
            at: Some(model.committed_below(slot)),
        })
    }

    fn apply(&mut self, actor: &Actor, change: &Change, tailer: &Tailer) {
        let (value, expires_at_ms) = match &change.op {
            ChangeOp::Put { value, expires_at_ms } => (Some(value.clone()), *expires_at_ms),
            ChangeOp::Delete => (None, None),
        };
        let written = Written { key: change.key.clone(), value, expires_at_ms };
        if change.cursor != tailer.cursor() {
            wrong(actor, format!("a change at {:?}, the tailer is at {:?}", change.cursor, tailer.cursor()));
        }
        if let Some(at) = self.at {
            let expected: Option<Committed> =
                actor.world.oracle.look_at_data(|model| model.feed().get(at).cloned());
            if expected.as_ref().map(|e| (e.sequence, &e.written)) != Some((change.sequence, &written)) {
                wrong(
                    actor,
                    format!("place {at}: shown {} {written:?}, committed {expected:?}", change.sequence),
                );
            }
            self.at = Some(at + 1);
        }
        let before = self.changes.insert(written.key.clone(), (change.sequence, written));
        if before.is_some_and(|(sequence, _)| sequence >= change.sequence) {
            wrong(actor, format!("{:?} at sequence {} again, or going back", change.key, change.sequence));
        }
    }

    /// At the end of the feed the copy is the database below the cursor's slot.
    fn compare(&self, actor: &Actor, cursor: &Cursor) {
        let now_ms = now_ms(actor);
        let below = cursor.slot();
        let differs = actor.world.oracle.look_at_data(|model| {
            // A bootstrap leaves out what is deleted, has expired or was removed by retention; what it brought is followed
            // like the rest.
            let left_out = |c: &Committed| {
                let nothing = c.written.value.is_none() || c.written.expires_at_ms.is_some();
                self.at.is_none() && (nothing || model.may_be_gone(c, below))
            };
            let differs = |c: &&Committed| match self.changes.get(&c.written.key) {
                Some((sequence, written)) => (*sequence, written) != (c.sequence, &c.written),
                None => !left_out(c),
            };
            let missing = model.state(below).find(differs).cloned();
            let unknown = self.changes.keys().find(|key| model.latest(key, below).is_none()).cloned();
            missing.map(|c| format!("{c:?}")).or(unknown.map(|key| format!("{key:?}, which nobody wrote")))
        });
        if let Some(differs) = differs {
            wrong(actor, format!("its copy at slot {below} (clock {now_ms} ms) differs by {differs}"));
        }
    }
}
