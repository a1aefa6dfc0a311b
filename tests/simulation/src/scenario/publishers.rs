//! Publishers alone: contending owners of the writer's role publish flushes of tables that nobody reads, a maintenance
//! owner replaces them, and a reader looks on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{BloomMeta, Compaction, Op, Role, SortedRun, SstMeta};
use isledb_core::format::time::Timestamp;
use isledb_core::host::{Moment, Requests};
use isledb_core::manifest::{
    Attempt, ClaimOptions, Draft, ManifestStorage, ManifestView, ObjectManifest, Published, Publisher,
};

use super::world::PREFIX;
use super::{Actor, Options, Report, Setup, World};
use crate::executor::{MINUTE, SECOND};
use crate::oracle::Check;
use crate::rng::Rng;

/// Runs the history of `seed`.
pub fn run(seed: u64, options: Options) -> Report {
    super::run(seed, options, start)
}

fn start(world: &World) {
    let mut rng = world.rng("publishers");
    let writers = rng.between(1, 3);
    for writer in 0..writers {
        let left = Arc::new(AtomicU64::new(rng.magnitude(1, 40)));
        let setup = Setup { lives: rng.between(1, 4) as u32, changes: true };
        world.actor(&format!("writer{writer}"), setup, move |actor| write(actor, left.clone()));
    }
    for owner in 0..rng.below(3) {
        let left = Arc::new(AtomicU64::new(rng.magnitude(1, 10)));
        let setup = Setup { lives: rng.between(1, 3) as u32, changes: true };
        world.actor(&format!("maintainer{owner}"), setup, move |actor| maintain(actor, left.clone()));
    }
    for reader in 0..rng.below(3) {
        world.actor(&format!("reader{reader}"), Setup { lives: 2, changes: false }, read);
    }
}

/// The manifest as this process reaches it.
struct Manifest {
    actor: Actor,
    requests: Requests,
    layout: Layout,
    storage: Arc<dyn ManifestStorage>,
    rng: Rng,
}

/// What became of one entry.
enum Outcome {
    Committed(Box<Published>),
    /// For certain not committed. True: the role is lost.
    Not {
        fenced: bool,
    },
    /// Something else than the protocol allows; it was reported.
    Wrong,
}

impl Manifest {
    fn new(actor: &Actor) -> Option<Manifest> {
        let layout = Layout::new(PREFIX).ok()?;
        let requests = Requests::new(actor.store.clone(), actor.host.clone());
        let storage = Arc::new(ObjectManifest::new(requests.clone(), layout.clone()));
        Some(Manifest { rng: actor.rng("manifest"), actor: actor.clone(), requests, layout, storage })
    }

    /// Claims the role, again and again while the store does not serve.
    async fn claim(&mut self, role: Role) -> Option<Publisher> {
        let name: &str = self.actor.name.as_ref();
        let deadline_ms = self.rng.magnitude(1_000, 60_000);
        let options = ClaimOptions { owner: name.to_owned(), deadline_ms, ..ClaimOptions::default() };
        loop {
            let claimed = async {
                let view = ManifestView::load(self.storage.as_ref(), self.actor.host.as_ref()).await?;
                let view =
                    Publisher::prepare_claim(self.storage.as_ref(), self.actor.host.as_ref(), view).await?;
                Publisher::claim(self.storage.clone(), self.actor.host.clone(), role, &options, view).await
            };
            match claimed.await {
                Ok(publisher) => return Some(publisher),
                Err(error) if may_come_again(&error) => self.actor.sleep(SECOND).await,
                Err(error) => {
                    self.actor.unexpected("claim", &error);
                    return None;
                }
            }
        }
    }

    /// Uploads a table of nothing under a new id, again and again while the store does not serve.
    async fn upload(
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
            if !may_come_again(&error) {
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
    async fn publish(&mut self, publisher: &mut Publisher, draft: Draft) -> Outcome {
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
                    let later = self.rng.magnitude(1_000_000, MINUTE);
                    self.actor.sleep(later).await;
                }
                Some(Ok(Attempt::Committed(published))) => return Outcome::Committed(Box::new(published)),
                Some(Ok(Attempt::Stale)) => self.renew(publisher, &draft).await,
                Some(Err(Error::Fenced { .. })) => return Outcome::Not { fenced: true },
                Some(Err(Error::OutcomeUnknown { retry: true, .. })) => self.actor.sleep(SECOND).await,
                Some(Err(Error::Precondition { .. })) => return Outcome::Not { fenced: false },
                Some(Err(error)) if may_come_again(&error) => return Outcome::Not { fenced: false },
                Some(Err(error)) => {
                    self.actor.unexpected("publish", &error);
                    return Outcome::Wrong;
                }
            }
        }
    }

    /// What the entry relies on has become too old: the same flush is uploaded again.
    async fn renew(&mut self, publisher: &mut Publisher, draft: &Draft) {
        if let Op::AddSstable(meta) = &draft.op {
            let (meta, began) = self.upload(publisher, (meta.seq_lo, meta.seq_hi), meta.level).await;
            publisher.renew(Draft::flush(Arc::new(meta), began));
        }
    }

    fn fail(&self, what: &str) {
        self.actor.world.oracle.fail(Check::UnexpectedError, format!("{}: {what}", self.actor.name));
    }

    /// The state that the engine holds is the one of the replay; now and then a snapshot is written.
    async fn after(&mut self, publisher: &mut Publisher) {
        self.check(publisher.view());
        if !publisher.is_pending() && (publisher.snapshot_due() || self.rng.chance(100)) {
            match publisher.write_snapshot().await {
                Ok(_) => self.check(publisher.view()),
                Err(error) if may_come_again(&error) => {}
                Err(error) => self.actor.unexpected("snapshot", &error),
            }
        }
    }

    fn check(&self, view: &ManifestView) {
        if view.exists() {
            self.actor.world.oracle.engine_state(&self.actor.name, view.current.next_seq, view.state());
        }
    }
}

/// What a store that does not serve looks like to a caller.
fn may_come_again(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { retry: true, .. }
    )
}

/// A life of a writer. True: it wants another one.
async fn write(actor: Actor, left: Arc<AtomicU64>) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("flushes");
    let Some(mut publisher) = manifest.claim(Role::Writer).await else { return false };
    let owner = publisher.owner().to_owned();
    let oracle = actor.world.oracle.clone();
    manifest.check(publisher.view());
    let mut next = publisher.next_sequence();
    while left.load(Ordering::Relaxed) > 0 {
        left.fetch_sub(1, Ordering::Relaxed);
        let (low, high) = (next, next + rng.below(3));
        next = high + 1;
        let (meta, began) = manifest.upload(&publisher, (low, high), 0).await;
        let draft = Draft::flush(Arc::new(meta), began);
        loop {
            match manifest.publish(&mut publisher, draft.clone()).await {
                Outcome::Committed(published) => {
                    if !matches!(&published.entry.op, Op::AddSstable(meta) if (meta.seq_lo, meta.seq_hi) == (low, high))
                    {
                        manifest.fail("committed another entry than was asked for");
                    }
                    oracle.acknowledged(&owner, low, high);
                }
                // The same flush may well be tried again.
                Outcome::Not { fenced: false } if rng.chance(500) => continue,
                Outcome::Not { fenced } => {
                    oracle.not_committed(&owner, low, high);
                    if fenced {
                        return rng.chance(500);
                    }
                }
                Outcome::Wrong => return false,
            }
            break;
        }
        manifest.after(&mut publisher).await;
        actor.sleep(rng.magnitude(1_000_000, 60 * SECOND)).await;
    }
    false
}

/// A life of a maintenance owner. True: it wants another one.
async fn maintain(actor: Actor, left: Arc<AtomicU64>) -> bool {
    let Some(mut manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("jobs");
    let Some(mut publisher) = manifest.claim(Role::Maintenance).await else { return false };
    while left.load(Ordering::Relaxed) > 0 {
        left.fetch_sub(1, Ordering::Relaxed);
        actor.sleep(rng.magnitude(1_000_000, 300 * SECOND)).await;
        match publisher.view().refresh(manifest.storage.as_ref(), actor.host.as_ref()).await {
            Ok((view, _)) => manifest.check(&view),
            Err(error) if may_come_again(&error) => continue,
            Err(error) => actor.unexpected("refresh", &error),
        }
        let Some(draft) = job(&mut manifest, &publisher, &mut rng).await else { continue };
        match manifest.publish(&mut publisher, draft).await {
            Outcome::Committed(_) | Outcome::Not { fenced: false } => {}
            Outcome::Not { fenced: true } => return rng.chance(500),
            Outcome::Wrong => return false,
        }
        manifest.after(&mut publisher).await;
    }
    false
}

/// Merges all flushed tables into a run, or drops the oldest table.
async fn job(manifest: &mut Manifest, publisher: &Publisher, rng: &mut Rng) -> Option<Draft> {
    let state = publisher.view().state().clone();
    if rng.chance(300) {
        let oldest = state.tables().last()?.id.clone();
        return Some(Draft { op: Op::RemoveSstables(vec![oldest]), reliances: Vec::new() });
    }
    let inputs = &state.l0;
    let (low, high) = (inputs.iter().map(|t| t.seq_lo).min()?, inputs.iter().map(|t| t.seq_hi).max()?);
    let (merged, began) = manifest.upload(publisher, (low, high), 1).await;
    let job = Compaction {
        remove_sstable_ids: inputs.iter().map(|table| table.id.clone()).collect(),
        remove_sorted_run_ids: Vec::new(),
        add_sstables: Vec::new(),
        add_sorted_run: Some(SortedRun { id: state.next_sorted_run_id, ssts: vec![Arc::new(merged)] }),
    };
    let draft = Draft { op: Op::Compaction(job), reliances: Vec::new() };
    Some(draft.relying_on(began, 12 * 3_600_000))
}

/// A life of a reader: its views are what was committed, none goes back, and every table of a view is there.
async fn read(actor: Actor) -> bool {
    let Some(manifest) = Manifest::new(&actor) else { return false };
    let mut rng = actor.rng("reads");
    let mut view: Option<ManifestView> = None;
    let mut rounds = 0;
    while actor.world.is_changing() && rounds < 200 {
        rounds += 1;
        actor.sleep(rng.magnitude(1_000_000, 300 * SECOND)).await;
        let (storage, host) = (manifest.storage.as_ref(), actor.host.as_ref());
        let read = match &view {
            Some(view) if rng.chance(900) => view.refresh(storage, host).await.map(|(view, _)| view),
            _ => ManifestView::load(storage, host).await,
        };
        let next = match read {
            Ok(next) => next,
            Err(error) if may_come_again(&error) => continue,
            Err(error @ Error::Corrupt { .. }) => {
                let detail = format!("{}: {error}", actor.name);
                actor.world.oracle.fail(Check::ReaderMissesObject, detail);
                return false;
            }
            Err(error) => {
                actor.unexpected("refresh", &error);
                return false;
            }
        };
        manifest.check(&next);
        if view.as_ref().is_some_and(|before| before.current.next_seq > next.current.next_seq) {
            actor
                .world
                .oracle
                .fail(Check::ReaderShowsWrongState, format!("{}: its view went back", actor.name));
        }
        if let Some(table) = next.state().tables().last() {
            let got = manifest.requests.get_range(&manifest.layout.sst(&table.id), 0..table.size).await;
            if matches!(got, Err(Error::NotFound { .. })) && next.check_age(host).is_ok() {
                let detail = format!("{}: {}", actor.name, table.id);
                actor.world.oracle.fail(Check::ReaderMissesObject, detail);
            }
        }
        view = Some(next);
    }
    false
}
