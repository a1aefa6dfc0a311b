//! How the processes of these histories publish entries: they try until the outcome is known, give up waiting now and then,
//! and hand every state that the engine shows them to the oracle.

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{BloomMeta, Op, Role, SstMeta};
use isledb_core::format::time::Timestamp;
use isledb_core::host::{Moment, Requests};
use isledb_core::manifest::{
    Attempt, BigEndianLsn, ClaimOptions, Draft, LsnExtractor, ManifestStorage, ManifestView, ObjectManifest,
    Published, Publisher,
};

use super::Actor;
use super::world::PREFIX;
use crate::executor::{MINUTE, SECOND};
use crate::oracle::Check;
use crate::rng::Rng;

/// The manifest as this process reaches it.
pub(super) struct Manifest {
    pub(super) actor: Actor,
    pub(super) requests: Requests,
    pub(super) layout: Layout,
    pub(super) storage: Arc<dyn ManifestStorage>,
    rng: Rng,
}

/// What became of one entry.
pub(super) enum Outcome {
    Committed(Box<Published>),
    /// For certain not committed. True: the role is lost.
    Not {
        fenced: bool,
    },
    /// It will never be known: the role is lost, and the slot is gone.
    Unknown,
    /// Something else than the protocol allows; it was reported.
    Wrong,
}

impl Manifest {
    pub(super) fn new(actor: &Actor) -> Option<Manifest> {
        let layout = Layout::new(PREFIX).ok()?;
        let requests = Requests::new(actor.store.clone(), actor.host.clone());
        let storage = Arc::new(ObjectManifest::new(requests.clone(), layout.clone()));
        Some(Manifest { rng: actor.rng("manifest"), actor: actor.clone(), requests, layout, storage })
    }

    /// Claims the role, again and again while the store does not serve.
    pub(super) async fn claim(&mut self, role: Role) -> Option<Publisher> {
        let name: &str = self.actor.name.as_ref();
        let deadline_ms = self.rng.magnitude(1_000, 60_000);
        // Keys are sequence numbers here.
        let lsn: Option<Arc<dyn LsnExtractor>> = Some(Arc::new(BigEndianLsn));
        let options = ClaimOptions { owner: name.to_owned(), deadline_ms, lsn, ..ClaimOptions::default() };
        loop {
            let claimed = async {
                let view = ManifestView::load(self.storage.as_ref(), self.actor.host.as_ref()).await?;
                let view =
                    Publisher::prepare_claim(self.storage.as_ref(), self.actor.host.as_ref(), view).await?;
                Publisher::claim(self.storage.clone(), self.actor.host.clone(), role, &options, view).await
            };
            match claimed.await {
                Ok(publisher) => return Some(publisher),
                Err(error) if may_come_again(&self.actor, &error) => self.actor.sleep(SECOND).await,
                Err(error) => {
                    self.actor.unexpected("claim", &error);
                    return None;
                }
            }
        }
    }

    /// Uploads a table of nothing under a new id, again and again while the store does not serve.
    pub(super) async fn upload(
        &mut self,
        publisher: &Publisher,
        sequences: (u64, u64),
        level: i32,
    ) -> (SstMeta, Moment) {
        let began = Moment::now(self.actor.host.as_ref());
        let (low, high) = sequences;
        let epoch = publisher.next_table_epoch();
        let id = match level {
            0 => format!("{epoch}-{low}-{high}-{}.sst", self.rng.number()),
            _ => format!("{epoch}-0-0-{}-0001.sst", self.rng.number()),
        };
        let body = Bytes::from(id.clone().into_bytes());
        let size = body.len() as u64;
        while let Err(error) = self.requests.put_unique(&self.layout.sst(&id), body.clone()).await {
            if !may_come_again(&self.actor, &error) {
                self.actor.unexpected("upload", &error);
            }
            self.actor.sleep(SECOND).await;
        }
        let now = Timestamp::from_unix_ns(self.actor.host.now_unix_ns());
        let meta = SstMeta {
            id,
            epoch,
            seq_lo: low,
            seq_hi: high,
            min_key: Bytes::from(low.to_be_bytes().to_vec()),
            max_key: Bytes::from(high.to_be_bytes().to_vec()),
            size,
            checksum: format!("sha256:{}", "0".repeat(64)),
            bloom: BloomMeta { bits_per_key: -1, k: 0, offset: size, length: 0 },
            created_at: now,
            level,
            ..SstMeta::default()
        };
        (meta, began)
    }

    /// Publishes an entry until its outcome is known. Now and then the caller gives up waiting, wherever the call stands,
    /// and goes on later.
    pub(super) async fn publish(&mut self, publisher: &mut Publisher, draft: Draft) -> Outcome {
        let mut first = Some(draft.clone());
        loop {
            let patience =
                if self.rng.chance(100) { self.rng.magnitude(1_000_000, 60 * SECOND) } else { u64::MAX };
            let attempt = match first.take() {
                Some(draft) => self.actor.within(patience, publisher.publish(draft)).await,
                None => match self.actor.within(patience, publisher.resume()).await {
                    Some(Ok(None)) => {
                        self.fail("the publisher forgot its entry");
                        return Outcome::Wrong;
                    }
                    Some(Ok(Some(attempt))) => Some(Ok(attempt)),
                    Some(Err(error)) => Some(Err(error)),
                    None => None,
                },
            };
            match attempt {
                None => {
                    let later = self.rng.magnitude(1_000_000, 240 * MINUTE);
                    self.actor.sleep(later).await;
                }
                Some(Ok(Attempt::Committed(published))) => return Outcome::Committed(published),
                Some(Ok(Attempt::Stale)) => self.renew(publisher, &draft).await,
                Some(Err(Error::Fenced { .. })) => return Outcome::Not { fenced: true },
                Some(Err(Error::OutcomeUnknown { retry: true, .. })) => self.actor.sleep(SECOND).await,
                Some(Err(error @ Error::OutcomeUnknown { .. })) => {
                    if self.floor() <= 1 {
                        self.actor.unexpected("publish, with the whole log there", &error);
                    }
                    return Outcome::Unknown;
                }
                Some(Err(Error::Precondition { .. })) => return Outcome::Not { fenced: false },
                Some(Err(error)) if may_come_again(&self.actor, &error) => {
                    return Outcome::Not { fenced: false };
                }
                Some(Err(error)) => {
                    self.actor.unexpected("publish", &error);
                    return Outcome::Wrong;
                }
            }
        }
    }

    /// What the entry relies on has become too old: the same tables are uploaded again.
    async fn renew(&mut self, publisher: &mut Publisher, draft: &Draft) {
        match &draft.op {
            Op::AddSstable(meta) => {
                let (meta, began) = self.upload(publisher, (meta.seq_lo, meta.seq_hi), meta.level).await;
                publisher.renew(Draft::flush(Arc::new(meta), began));
            }
            Op::Compaction(job) => {
                let (mut job, mut oldest) = (job.clone(), Moment::now(self.actor.host.as_ref()));
                for table in job.add_sorted_run.iter_mut().flat_map(|run| &mut run.ssts) {
                    let (meta, began) =
                        self.upload(publisher, (table.seq_lo, table.seq_hi), table.level).await;
                    (*table, oldest) = (Arc::new(meta), began);
                }
                publisher.renew(Draft::compaction(job, Vec::new(), oldest));
            }
            _ => self.fail("what relies on no upload has become stale"),
        }
    }

    fn floor(&self) -> u64 {
        self.actor.world.oracle.look(|history| history.feed_floor())
    }

    pub(super) fn fail(&self, what: &str) {
        self.actor.world.oracle.fail(Check::UnexpectedError, format!("{}: {what}", self.actor.name));
    }

    /// The state that the engine holds is the one of the replay; now and then a snapshot is written.
    pub(super) async fn after(&mut self, publisher: &mut Publisher) {
        self.check(publisher.view());
        if !publisher.is_pending() && (publisher.snapshot_due() || self.rng.chance(100)) {
            match publisher.write_snapshot().await {
                Ok(_) => self.check(publisher.view()),
                Err(error) if may_come_again(&self.actor, &error) => {}
                Err(error) => self.actor.unexpected("snapshot", &error),
            }
        }
    }

    pub(super) fn check(&self, view: &ManifestView) {
        if view.exists() {
            self.actor.world.oracle.engine_state(&self.actor.name, view.current.next_seq, view.state());
        }
    }
}

/// What a store that does not serve looks like to a caller.
pub(super) fn may_come_again(actor: &Actor, error: &Error) -> bool {
    actor.is_damage(error)
        || matches!(
            error,
            Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { retry: true, .. }
        )
}
