//! The whole engine: contending writers and maintenance owners, readers, and tailers that remember their cursor over restarts.
//!
//! Keys are few and values carry who wrote them, so that every stale, lost or repeated version shows.

mod maintainer;
mod reader;
mod tailer;
mod writer;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::{Db, DbOptions};

use super::world::PREFIX;
use super::{Actor, Options, Report, Setup, World};
use crate::executor::{MINUTE, SECOND};
use crate::rng::Rng;

/// Runs the history of `seed`.
pub fn run(seed: u64, options: Options) -> Report {
    super::run(seed, options, start)
}

fn start(world: &World) {
    let mut rng = world.rng("engine");
    let rest_ns = rng.magnitude(SECOND / 10, 10 * MINUTE);
    let keys = rng.magnitude(2, 60);
    for writer in 0..rng.between(1, 2) {
        let rounds = Arc::new(AtomicU64::new(rng.magnitude(4, 60)));
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: true };
        let live = move |actor| writer::live(actor, rounds.clone(), keys, rest_ns);
        world.actor(&format!("writer{writer}"), setup, live);
    }
    for owner in 0..rng.below(3) {
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: false };
        world.actor(&format!("maintainer{owner}"), setup, move |actor| maintainer::live(actor, rest_ns));
    }
    for reader in 0..rng.between(1, 2) {
        let setup = Setup { lives: 2, changes: false };
        world.actor(&format!("reader{reader}"), setup, move |actor| reader::live(actor, keys, rest_ns));
    }
    for tailer in 0..rng.between(1, 2) {
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: false };
        let saved = Arc::new(Mutex::new(None));
        world.actor(&format!("tailer{tailer}"), setup, move |actor| {
            tailer::live(actor, saved.clone(), rest_ns)
        });
    }
}

/// A handle on the database for one life.
fn open(actor: &Actor) -> Option<Db> {
    match Db::open(actor.store.clone(), actor.host.clone(), PREFIX, DbOptions::default()) {
        Ok(db) => Some(db),
        Err(error) => {
            actor.unexpected("open", &error);
            None
        }
    }
}

fn key(rng: &mut Rng, keys: u64) -> Bytes {
    let number = rng.below(keys);
    // Some keys are prefixes of others, and some end in the bytes that successors are made of.
    let tail: &[u8] = match number % 5 {
        0 => b"",
        1 => b"\x00",
        2 => b"\xff",
        3 => b"-long-enough-to-matter-in-an-index-block",
        _ => b"z",
    };
    let mut key = format!("key{:03}", number / 5).into_bytes();
    key.extend_from_slice(tail);
    key.into()
}

/// What a store that does not serve looks like to a caller; the call may be made again.
fn may_come_again(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { retry: true, .. }
    )
}

fn now_ms(actor: &Actor) -> u64 {
    actor.host.now_unix_ns() / 1_000_000
}
