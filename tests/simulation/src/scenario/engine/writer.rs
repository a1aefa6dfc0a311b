//! A life of a writer: puts, deletes, batches, and all the ways to have them committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use isledb_core::error::{Error, Result};
use isledb_core::write::{WriteBatch, Writer, WriterOptions};

use super::bank::Balances;
use super::{Plot, Workload, key, may_come_again, open, table};
use crate::executor::SECOND;
use crate::oracle::{Check, Written};
use crate::rng::Rng;
use crate::scenario::Actor;

struct Life {
    actor: Actor,
    owner: String,
    writer: Writer,
    first: u64,
    plot: Plot,
    balances: Balances,
    rng: Rng,
}

/// True: it wants another life.
pub(super) async fn live(actor: Actor, rounds: Arc<AtomicU64>, plot: Plot) -> bool {
    let mut rng = actor.rng("writes");
    let Some((owner, writer, balances)) = claim(&actor, &plot, &mut rng).await else { return false };
    let first = writer.last_sequence() + 1;
    if rng.chance(600) {
        let (background, observer) = (writer.clone(), actor.clone());
        actor.spawn("run", async move {
            match background.run().await {
                Err(error) if !ends_the_writer(&error) && !observer.is_damage(&error) => {
                    observer.unexpected("run", &error)
                }
                _ => {}
            }
        });
    }
    let mut life = Life { actor, owner, writer, first, plot, balances, rng };
    while rounds.load(Ordering::Relaxed) > 0 {
        rounds.fetch_sub(1, Ordering::Relaxed);
        let ended = match life.round().await {
            Ok(()) => false,
            Err(error)
                if may_come_again(&life.actor, &error) || matches!(error, Error::Backpressure { .. }) =>
            {
                false
            }
            Err(error) => !life.ended_by(&error),
        };
        life.check_committed();
        if ended {
            return life.rng.chance(700);
        }
        let rest = life.rng.magnitude(1_000_000, life.plot.rest_ns);
        life.actor.sleep(rest).await;
    }
    life.close().await
}

/// Opens the writer, again and again while the store does not serve. Every try has an owner name of its own.
async fn claim(actor: &Actor, plot: &Plot, rng: &mut Rng) -> Option<(String, Writer, Balances)> {
    let db = open(actor, plot)?;
    for attempt in 1.. {
        let owner = format!("{}-{attempt}", actor.name);
        let options = WriterOptions {
            owner: owner.clone(),
            memtable_size: rng.magnitude(4096, 20_000),
            flush_interval: Duration::from_millis(rng.below(5_000)),
            max_pending_memtables: rng.between(1, 4) as u32,
            blob_threshold: rng.magnitude(200, 4000),
            table: table(rng),
            upload_concurrency: rng.between(1, 3) as u32,
            put_deadline: Duration::from_millis(rng.magnitude(1, 60_000)),
            flush_deadline: Duration::from_millis(rng.magnitude(500, 60_000)),
            ..WriterOptions::default()
        };
        let asked_at = actor.world.oracle.look(|history| history.next_seq());
        let began_ns = actor.world.handle.now_ns();
        let faulty = began_ns < actor.world.bucket.healthy_from_ns();
        match actor.within(rng.magnitude(SECOND, 1_000_000 * SECOND), db.writer(options)).await {
            Some(Ok(writer)) => {
                actor.world.oracle.claimed(&owner, asked_at);
                if plot.workload != Workload::Bank {
                    return Some((owner, writer, Balances::default()));
                }
                loop {
                    match Balances::load(&db, plot).await {
                        Ok(balances) => return Some((owner, writer, balances)),
                        Err(error) if may_come_again(actor, &error) => actor.sleep(SECOND).await,
                        Err(error) => {
                            actor.unexpected("load the balances", &error);
                            return None;
                        }
                    }
                }
            }
            Some(Err(error)) if may_come_again(actor, &error) => {}
            // A store that refuses three puts in a row for no reason is taken for one that cannot do better.
            Some(Err(Error::Unsupported { .. })) if faulty || actor.slept_through_a_probe(began_ns) => {}
            Some(Err(error)) => {
                actor.unexpected("open the writer", &error);
                return None;
            }
            None => {}
        }
        actor.sleep(SECOND).await;
    }
    None
}

fn ends_the_writer(error: &Error) -> bool {
    let unknown = matches!(error, Error::OutcomeUnknown { retry: false, .. });
    unknown || matches!(error, Error::Fenced { .. } | Error::Closed { .. })
}

/// Another owner has the role, and the log does not reach back to the flush any more: only where some of it was deleted.
fn is_explained(actor: &Actor, error: &Error) -> bool {
    let unknown = matches!(error, Error::OutcomeUnknown { .. });
    !unknown || actor.world.oracle.look(|history| history.feed_floor()) > 1
}

impl Life {
    async fn round(&mut self) -> Result<()> {
        for _ in 0..self.rng.magnitude(1, 24) {
            self.write().await?;
        }
        let patience =
            if self.rng.chance(150) { self.rng.magnitude(1_000_000, 30 * SECOND) } else { u64::MAX };
        let writer = self.writer.clone();
        match self.rng.below(5) {
            0 | 1 => {
                if let Some(flushed) = self.actor.within(patience, writer.flush()).await {
                    self.acknowledged(flushed?);
                }
            }
            2 => {
                let sequence = writer.last_sequence();
                if let Some(waited) = self.actor.within(patience, writer.wait_committed(sequence)).await {
                    waited?;
                    self.acknowledged(sequence);
                }
            }
            // Two at once drive the same flush.
            3 => {
                let (one, two) = (writer.flush(), writer.flush());
                if let Some((one, two)) = self.actor.within(patience, futures::future::join(one, two)).await {
                    self.acknowledged(one?);
                    self.acknowledged(two?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<()> {
        let before = self.writer.last_sequence();
        let mut accounts = Balances::default();
        let writes: Vec<Written> = if self.plot.workload == Workload::Bank {
            let (writes, after) = self.balances.transfer(&mut self.rng, &self.plot);
            accounts = after;
            writes
        } else {
            let count = if self.rng.chance(150) { self.rng.between(0, 5) } else { 1 };
            (0..count).map(|_| self.draw()).collect()
        };
        let count = writes.len() as u64;
        let ttl = |written: &Written| written.expires_at_ms.map(Duration::from_millis);
        let writer = self.writer.clone();
        let now_ms = super::now_ms(&self.actor);
        let last = match writes.as_slice() {
            [one] => match (&one.value, ttl(one)) {
                (None, _) => writer.delete(&one.key).await?,
                (Some(value), None) => writer.put(&one.key, value).await?,
                (Some(value), Some(ttl)) => writer.put_with_ttl(&one.key, value, ttl).await?,
            },
            many => {
                let mut batch = WriteBatch::new();
                for one in many {
                    match (&one.value, ttl(one)) {
                        (None, _) => batch.delete(&one.key),
                        (Some(value), None) => batch.put(&one.key, value),
                        (Some(value), Some(ttl)) => batch.put_with_ttl(&one.key, value, ttl),
                    };
                }
                writer.write(batch).await?
            }
        };
        if last != before + count {
            let detail = format!("{}: {count} writes after {before} ended at {last}", self.owner);
            self.actor.world.oracle.fail(Check::SequenceGoesBackwards, detail);
        }
        self.balances = accounts;
        self.actor.world.oracle.accepted_batch(&self.owner, before + 1, last);
        for (at, mut one) in writes.into_iter().enumerate() {
            one.expires_at_ms = one.expires_at_ms.map(|ttl| now_ms + ttl);
            self.actor.world.oracle.accepted(&self.owner, before + 1 + at as u64, one);
        }
        Ok(())
    }

    /// A write; `expires_at_ms` is its time to live here.
    fn draw(&mut self) -> Written {
        let key = match self.plot.workload {
            Workload::Log => Bytes::copy_from_slice(
                &(self.plot.last_lsn.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes(),
            ),
            Workload::Map | Workload::Bank => key(&mut self.rng, &self.plot),
        };
        let ttl = if self.rng.chance(100) { Some(self.rng.magnitude(1, 3_600_000)) } else { None };
        let value = if self.plot.workload == Workload::Map && self.rng.chance(200) {
            None
        } else {
            let mut value = format!("{}:{}", self.owner, self.rng.number()).into_bytes();
            value.resize(self.rng.magnitude(1, 6000) as usize, b'.');
            Some(Bytes::from(value))
        };
        let expires_at_ms = if value.is_some() { ttl } else { None };
        Written { key, value, expires_at_ms }
    }

    fn acknowledged(&self, sequence: u64) {
        if sequence >= self.first {
            self.actor.world.oracle.acknowledged(&self.owner, self.first, sequence);
        }
    }

    /// What the writer says of itself is true at any time.
    fn check_committed(&self) {
        self.acknowledged(self.writer.committed_sequence());
    }

    /// The writer's end: what is not committed by now never will be. False: the error does not end a writer.
    fn ended_by(&self, error: &Error) -> bool {
        if self.actor.is_damage(error) {
            return false;
        }
        if !ends_the_writer(error) || !is_explained(&self.actor, error) {
            self.actor.unexpected("write", error);
            return true;
        }
        let (committed, last) = (self.writer.committed_sequence(), self.writer.last_sequence());
        if matches!(error, Error::Fenced { .. }) && committed < last {
            let first = self.first.max(committed + 1);
            self.actor.world.oracle.not_committed(&self.owner, first, last);
        }
        false
    }

    async fn close(self) -> bool {
        loop {
            match self.writer.close().await {
                Ok(()) => {
                    self.acknowledged(self.writer.last_sequence());
                    return false;
                }
                Err(error) if may_come_again(&self.actor, &error) => self.actor.sleep(SECOND).await,
                Err(error) => {
                    self.ended_by(&error);
                    return false;
                }
            }
        }
    }
}
