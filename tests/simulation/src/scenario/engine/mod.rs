//! The whole engine: contending writers and maintenance owners, readers, and tailers that remember their cursor over restarts.
//!
//! Keys are few and values carry who wrote them, so that every stale, lost or repeated version shows.

mod bank;
mod maintainer;
mod reader;
mod tailer;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::format::sst::{Compression, TableLayout, TableOptions};
use isledb_core::manifest::{BigEndianLsn, LsnExtractor};
use isledb_core::{Db, DbOptions};

use super::world::PREFIX;
use super::{Actor, Options, Report, Setup, World};
use crate::executor::{MINUTE, SECOND};
use crate::rng::Rng;

/// Runs the history of `seed`.
pub fn run(seed: u64, options: &Options) -> Report {
    super::run(seed, options, start)
}

/// What the writers of a history write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    /// Puts, deletes and batches over few keys, some with a time to live, some as blobs.
    Map,
    /// Transfers between accounts: the sum is the same in every view.
    Bank,
    /// Keys that only grow, and are the log sequence numbers (LSNs) that the manifest keeps.
    Log,
}

/// What all actors of a history know.
#[derive(Clone)]
struct Plot {
    workload: Workload,
    keys: u64,
    rest_ns: u64,
    /// How long it is: rounds of a writer and of a reader.
    size: u64,
    /// The last LSN that was given to a write.
    last_lsn: Arc<AtomicU64>,
}

fn start(world: &World) {
    let mut rng = world.rng("engine");
    // Some histories last days: blobs and orphans are not collected before.
    let longest_ns = if rng.chance(100) { 600 * MINUTE } else { 10 * MINUTE };
    let rest_ns = rng.magnitude(SECOND / 10, longest_ns);
    let workload = match rng.below(10) {
        0 | 1 => Workload::Bank,
        2 => Workload::Log,
        _ => Workload::Map,
    };
    let keys = if workload == Workload::Bank { rng.between(2, 8) } else { rng.magnitude(2, 60) };
    // Most are short, since short ones find most; the longest write snapshots.
    let size = rng.magnitude(2, 48);
    let plot = Plot { workload, keys, rest_ns, size, last_lsn: Arc::default() };
    for writer in 0..rng.between(1, 2) {
        let rounds = Arc::new(AtomicU64::new(rng.between(1, size)));
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: true };
        let plot = plot.clone();
        let live = move |actor| writer::live(actor, rounds.clone(), plot.clone());
        world.actor(&format!("writer{writer}"), setup, live);
    }
    for owner in 0..rng.below(3) {
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: false };
        world.actor(&format!("maintainer{owner}"), setup, {
            let plot = plot.clone();
            move |actor| maintainer::live(actor, plot.clone())
        });
    }
    for reader in 0..rng.between(1, 2) {
        let setup = Setup { lives: 2, changes: false };
        world.actor(&format!("reader{reader}"), setup, {
            let plot = plot.clone();
            move |actor| reader::live(actor, plot.clone())
        });
    }
    for tailer in 0..rng.between(1, 2) {
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: false };
        let saved = Arc::new(Mutex::new(None));
        let plot = plot.clone();
        world.actor(&format!("tailer{tailer}"), setup, move |actor| {
            tailer::live(actor, saved.clone(), plot.clone())
        });
    }
}

/// A handle on the database for one life.
fn open(actor: &Actor, plot: &Plot) -> Option<Db> {
    // Small caches, so that they forget, and cost little to make.
    let cache_bytes = match *actor.rng("cache").pick(&[0, 16 << 10, 256 << 10]) {
        some if some > 0 && actor.world.is_portable() => 16 << 20,
        bytes => bytes,
    };
    let lsn: Option<Arc<dyn LsnExtractor>> = match plot.workload {
        Workload::Log => Some(Arc::new(BigEndianLsn)),
        Workload::Map | Workload::Bank => None,
    };
    let options = DbOptions { cache_bytes, lsn, ..DbOptions::default() };
    match Db::open(actor.store.clone(), actor.host.clone(), PREFIX, options) {
        Ok(db) => Some(db),
        Err(error) => {
            actor.unexpected("open", &error);
            None
        }
    }
}

/// Small blocks and rare restarts, so that a search has something to do in tables of some entries.
fn table(rng: &mut Rng) -> TableOptions {
    TableOptions {
        block_size: rng.magnitude(64, 4096) as u32,
        restart_interval: rng.between(1, 16) as u32,
        compression: if rng.chance(500) { Compression::Snappy } else { Compression::None },
        layout: *rng.pick(&[TableLayout::Edge, TableLayout::Original]),
        ..TableOptions::default()
    }
}

/// A key that was written, or might have been.
fn key(rng: &mut Rng, plot: &Plot) -> Bytes {
    let number = rng.below(plot.keys);
    match plot.workload {
        Workload::Map => {}
        Workload::Bank => return bank::account(number),
        Workload::Log => {
            let newest = plot.last_lsn.load(Ordering::Relaxed);
            return Bytes::copy_from_slice(&rng.between(1, newest + 2).to_be_bytes());
        }
    }
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

/// What a store that does not serve, or a body that was damaged on its way, looks like to a caller; the call may be made again.
fn may_come_again(actor: &Actor, error: &Error) -> bool {
    actor.is_damage(error)
        || matches!(
            error,
            Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { retry: true, .. }
        )
}

fn now_ms(actor: &Actor) -> u64 {
    actor.host.now_unix_ns() / 1_000_000
}
