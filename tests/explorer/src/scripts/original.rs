//! A writer in the manner of the original: it seeds its counters, claims by CURRENT alone, and appends its entries by a slot
//! number of its own over a cached CURRENT. Only what its known races need is here.

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::error::{Error, Result};
use isledb_core::format::ksuid::Ksuid;
use isledb_core::format::manifest::{Current, FenceToken, LogEntry, Op, Role, SstMeta};
use isledb_core::format::time::Timestamp;
use isledb_core::host::Version;
use isledb_core::manifest::ManifestView;

use super::side::{Side, table};
use crate::actor::Script;
use crate::config::Actor;
use crate::desk::Desk;
use crate::fact::Fact;

/// How often it tries to claim, to append and to publish.
const TRIES: u32 = 3;

/// Which of its races are mended, and what else goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Numbers are seeded after the claim.
    pub(crate) seeds_late: bool,
    /// The fence is compared in the very CURRENT that is replaced.
    pub(crate) checks_fence: bool,
    /// Another component of the process refreshes the cached CURRENT before each append.
    pub(crate) refreshed: bool,
    /// Goes on with an epoch whose claim entry failed.
    pub(crate) keeps_failed_claim: bool,
    /// A correct snapshot is written after the first flush.
    pub(crate) snapshot: bool,
}

/// A writer of `flushes` flushes.
pub(crate) fn original(name: &'static str, first: u8, flushes: u8, manner: Manner) -> Actor {
    let script: Script = Box::new(move |desk, _| {
        Box::pin(async move {
            // It stops at the first error, as a process that is restarted by its operator would.
            let _ = live(desk, name, (first, flushes), manner).await;
        })
    });
    Actor { name, script, may_crash: true, finishes: false }
}

struct Original {
    side: Side,
    epoch: u64,
    next_slot: u64,
    cached: Option<(Current, Option<Version>)>,
}

async fn live(desk: Desk, name: &str, (first, flushes): (u8, u8), manner: Manner) -> Result<()> {
    let Some(side) = Side::new(desk.clone()) else { return Ok(()) };
    let mut original = Original { side, epoch: 0, next_slot: 0, cached: None };
    let mut sequence = original.seed().await?;
    original.claim(name, manner).await?;
    if manner.seeds_late {
        sequence = original.seed().await?;
    }
    for begun in desk.progress()..flushes {
        desk.set_progress(begun + 1);
        let flush = first + begun;
        original.flush(flush, sequence, manner).await?;
        desk.tell(Fact::Acknowledged(flush));
        sequence += 1;
        if manner.snapshot && begun == 0 {
            original.snapshot().await?;
        }
    }
    Ok(())
}

impl Original {
    /// Replays, and returns the next sequence number.
    async fn seed(&mut self) -> Result<u64> {
        let view = ManifestView::load(self.side.storage.as_ref(), self.side.host.as_ref()).await?;
        self.next_slot = view.current.next_seq.max(1);
        self.cached = Some(((*view.current).clone(), view.version.clone()));
        Ok(view.state().max_sequence() + 1)
    }

    async fn refresh(&mut self) -> Result<(Current, Option<Version>)> {
        let read = match self.side.storage.read_current(None).await {
            Ok(read) => (Current::decode("CURRENT", &read.bytes)?, Some(read.version)),
            Err(Error::NotFound { .. }) => (Current { next_epoch: 1, ..Current::default() }, None),
            Err(error) => return Err(error),
        };
        self.cached = Some(read.clone());
        Ok(read)
    }

    async fn cas(&mut self, next: Current, version: Option<Version>) -> Result<()> {
        let version = self.side.storage.write_current(Bytes::from(next.encode_plain()), version).await?;
        self.cached = Some((next, Some(version)));
        Ok(())
    }

    async fn claim(&mut self, name: &str, manner: Manner) -> Result<()> {
        for _ in 0..TRIES {
            let (mut next, version) = self.refresh().await?;
            let epoch = next.epoch(Role::Writer) + 1;
            let owner = format!("{name}-{epoch}");
            let fence = FenceToken { epoch, owner: owner.clone(), claimed_at: self.now() };
            next.set_fence(Role::Writer, Some(fence));
            match self.cas(next, version).await {
                Ok(()) => {}
                Err(Error::Precondition { .. }) => continue,
                Err(error) => return Err(error),
            }
            self.epoch = epoch;
            let claimed_at = self.now();
            let claim = Op::FenceClaim { role: Role::Writer, epoch, owner, claimed_at };
            return match self.append(claim, manner).await {
                Err(_) if manner.keeps_failed_claim => Ok(()),
                appended => appended,
            };
        }
        Err(Error::Closed { what: "the claim" })
    }

    async fn flush(&mut self, flush: u8, sequence: u64, manner: Manner) -> Result<()> {
        let Some((body, meta)) = table(flush, sequence) else { return Ok(()) };
        let epoch = self.cached.as_ref().map_or(1, |(current, _)| current.next_epoch.max(1));
        let id = format!("{epoch}-{sequence}-{sequence}-{}{flush}.sst", self.epoch);
        self.side.requests.put_unique(&self.side.layout.sst(&id), body).await?;
        let meta = SstMeta { id, epoch, ..meta };
        if manner.refreshed {
            self.refresh().await?;
            let next = self.cached.as_ref().map_or(1, |(current, _)| current.next_seq);
            self.next_slot = self.next_slot.max(next);
        }
        self.append(Op::AddSstable(Arc::new(meta)), manner).await
    }

    /// Fenced where CURRENT has a higher epoch. Only asked after a conflict.
    async fn check_fence(&mut self) -> Result<()> {
        let (current, _) = self.refresh().await?;
        if current.epoch(Role::Writer) > self.epoch {
            Err(Error::Closed { what: "the role" })
        } else {
            Ok(())
        }
    }

    async fn append(&mut self, op: Op, manner: Manner) -> Result<()> {
        let mut random = [0; 16];
        self.side.host.fill_random(&mut random);
        let id = Ksuid::new(self.side.host.now_unix_ns(), random);
        for _ in 0..TRIES {
            let seq = self.next_slot;
            let (role, epoch) = (Role::Writer, self.epoch);
            let entry = LogEntry { id, seq, role, epoch, ts: self.now(), op: op.clone(), effects: None };
            match self.side.storage.write_log(seq, Bytes::from(entry.encode_plain())).await {
                Ok(()) => {
                    self.next_slot = seq + 1;
                    return self.publish(&entry, manner).await;
                }
                Err(Error::Precondition { .. }) => {
                    self.next_slot = seq + 1;
                    self.check_fence().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Closed { what: "the append" })
    }

    async fn publish(&mut self, entry: &LogEntry, manner: Manner) -> Result<()> {
        for _ in 0..TRIES {
            let (mut next, version) = match self.cached.clone() {
                Some(cached) => cached,
                None => self.refresh().await?,
            };
            if manner.checks_fence && next.epoch(Role::Writer) != self.epoch {
                return Err(Error::Closed { what: "the role" });
            }
            if next.log_seq_start == next.next_seq {
                next.log_seq_start = entry.seq;
            }
            next.next_seq = next.next_seq.max(entry.seq + 1);
            next.next_epoch = next.next_epoch.max(1);
            if let Op::AddSstable(meta) = &entry.op {
                next.next_epoch = next.next_epoch.max(meta.epoch + 1);
            }
            match self.cas(next, version).await {
                Ok(()) => return Ok(()),
                Err(Error::Precondition { .. }) => self.check_fence().await?,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Closed { what: "the publication" })
    }

    /// As its library call does, from a state that is the newest.
    async fn snapshot(&mut self) -> Result<()> {
        let view = ManifestView::load(self.side.storage.as_ref(), self.side.host.as_ref()).await?;
        let id = Ksuid::new(self.side.host.now_unix_ns(), [7; 16]).to_string();
        let body = Bytes::from(view.state().to_snapshot().encode_plain());
        self.side.storage.write_snapshot(&id, body).await?;
        let mut next = (*view.current).clone();
        next.snapshot = self.side.layout.snapshot(&id);
        next.log_seq_start = next.next_seq;
        self.cas(next, view.version.clone()).await
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ns(self.side.host.now_unix_ns())
    }
}
