//! How an actor reaches the manifest, and how it publishes one entry until the outcome is known.

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::error::Error;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{BloomMeta, Op, Role, SstMeta};
use isledb_core::format::sst::{Kind, TableBuilder, TableOptions};
use isledb_core::format::time::Timestamp;
use isledb_core::host::{Host, Moment, Requests, RetryPolicy};
use isledb_core::manifest::{
    Attempt, ClaimOptions, Draft, ManifestStorage, ManifestView, ObjectManifest, Published, Publisher,
};

use crate::desk::Desk;
use crate::fact::Fact;
use crate::names::PREFIX;

/// A caller who has waited for so many pauses of a claim gives up.
const PAUSES_OF_A_CLAIM: u32 = 2;
/// Publications of one flush that ended for certain without a commit.
const TRIES: u32 = 2;

/// One process: its requests and the manifest behind them.
pub(crate) struct Side {
    pub(crate) desk: Desk,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) requests: Requests,
    pub(crate) layout: Layout,
    pub(crate) storage: Arc<dyn ManifestStorage>,
}

/// What became of an entry.
pub(crate) enum Outcome {
    Committed(Box<Published>),
    /// For certain not committed; `fenced`: the role is lost.
    Not {
        fenced: bool,
    },
    /// It will never be known.
    Unknown,
}

/// One failure is told at once: what is repeated is for the explorer to choose.
pub(crate) fn policy() -> RetryPolicy {
    RetryPolicy { first_delay_ms: 1, max_delay_ms: 1, attempt_timeout_ms: 15_000, deadline_ms: 1 }
}

/// A store that does not serve now.
pub(crate) fn is_transient(error: &Error) -> bool {
    matches!(
        error,
        Error::Unavailable { .. } | Error::Timeout { .. } | Error::OutcomeUnknown { retry: true, .. }
    )
}

/// A key that says which flush it is of.
pub(crate) fn key_of(flush: u8) -> Bytes {
    Bytes::copy_from_slice(&[b'a' + flush])
}

/// A whole table of one put.
pub(super) fn table(flush: u8, sequence: u64) -> Option<(Bytes, SstMeta)> {
    let key = key_of(flush);
    let options = TableOptions { filter_bits_per_key: 0, ..TableOptions::default() };
    let mut builder = TableBuilder::new(options);
    builder.add(&key, sequence, Kind::Set, b"\0v").ok()?;
    let summary = builder.finish().ok()?;
    let body = builder.take_output();
    let meta = SstMeta {
        seq_lo: sequence,
        seq_hi: sequence,
        min_key: key.clone(),
        max_key: key,
        size: summary.size,
        checksum: format!("sha256:{}", "0".repeat(64)),
        bloom: BloomMeta { bits_per_key: -1, k: 0, offset: summary.size, length: 0 },
        meta_offset: Some(summary.meta_offset),
        entry_count: Some(1),
        delete_count: Some(0),
        ..SstMeta::default()
    };
    Some((body, meta))
}

impl Side {
    pub(crate) fn new(desk: Desk) -> Option<Side> {
        let layout = Layout::new(PREFIX).ok()?;
        let host: Arc<dyn Host> = Arc::new(desk.clone());
        let requests =
            Requests { store: Arc::new(desk.clone()), host: host.clone(), policy: policy(), observer: None };
        let storage = Arc::new(ObjectManifest::new(requests.clone(), layout.clone()));
        Some(Side { desk, host, requests, layout, storage })
    }

    pub(crate) fn never(&self, what: String) {
        self.desk.tell(Fact::Never(what));
    }

    /// Claims the role, or gives up.
    pub(crate) async fn claim(&self, name: &str, role: Role) -> Option<Publisher> {
        let options = ClaimOptions { owner: name.to_owned(), ..ClaimOptions::default() };
        let (storage, host) = (self.storage.as_ref(), self.host.as_ref());
        let claim = async {
            let view = ManifestView::load(storage, host).await?;
            let view = Publisher::prepare_claim(storage, host, view).await?;
            Publisher::claim(self.storage.clone(), self.host.clone(), role, &options, view).await
        };
        match self.desk.until_pause(PAUSES_OF_A_CLAIM, claim).await? {
            Ok(publisher) => return Some(publisher),
            Err(error) if is_transient(&error) => {}
            Err(error) => self.never(format!("{name} claims: {error}")),
        }
        None
    }

    /// Uploads a table, again and again under one name while the store does not serve.
    pub(crate) async fn upload(
        &self,
        publisher: &Publisher,
        (flush, sequence, level): (u8, u64, i32),
        note: &str,
    ) -> Option<(SstMeta, Moment)> {
        let began = Moment::now(self.host.as_ref());
        let (body, meta) = table(flush, sequence)?;
        let epoch = publisher.next_table_epoch();
        let of = publisher.owner().bytes().map(u64::from).sum::<u64>();
        let number = self.host.now_unix_ns() / 60_000_000_000 * 100_000 + of * 32 + u64::from(flush);
        let id = match level {
            0 => format!("{epoch}-{sequence}-{sequence}-{number}.sst"),
            _ => format!("{epoch}-0-0-{number}-0001.sst"),
        };
        while let Err(error) = self.requests.put_unique(&self.layout.sst(&id), body.clone()).await {
            if !is_transient(&error) {
                self.never(format!("upload: {error}"));
            }
            self.desk.same_as(format_args!("uploads {note} {flush} {id} {began:?} {publisher:?}")).await;
        }
        let created_at = Timestamp::from_unix_ns(self.host.now_unix_ns());
        Some((SstMeta { id, epoch, created_at, level, ..meta }, began))
    }

    /// Publishes until the outcome is known. At each pause the call is dropped, and then resumed: so what a publisher keeps
    /// is all that it needs.
    pub(crate) async fn publish(&self, publisher: &mut Publisher, draft: Draft, note: &str) -> Outcome {
        let mut tries = 0;
        let mut first = Some(draft.clone());
        loop {
            let attempt = match first.take() {
                Some(draft) => self.desk.until_pause(0, publisher.publish(draft)).await,
                None => match self.desk.until_pause(0, publisher.resume()).await {
                    Some(Ok(None)) => {
                        self.never("the publisher forgot its entry".to_owned());
                        return Outcome::Unknown;
                    }
                    Some(Ok(Some(attempt))) => Some(Ok(attempt)),
                    Some(Err(error)) => Some(Err(error)),
                    None => None,
                },
            };
            match attempt {
                Some(Ok(Attempt::Committed(published))) => return Outcome::Committed(published),
                Some(Ok(Attempt::Stale)) => self.renew(publisher, &draft).await,
                None | Some(Err(Error::OutcomeUnknown { retry: true, .. })) => {}
                Some(Err(Error::Fenced { .. })) => return Outcome::Not { fenced: true },
                Some(Err(Error::OutcomeUnknown { .. })) => return Outcome::Unknown,
                Some(Err(Error::Precondition { .. })) => return Outcome::Not { fenced: false },
                Some(Err(error)) if is_transient(&error) => {
                    tries += 1;
                    if tries == TRIES {
                        return Outcome::Not { fenced: false };
                    }
                    first = Some(draft.clone());
                }
                Some(Err(error)) => {
                    self.never(format!("publish: {error}"));
                    return Outcome::Unknown;
                }
            }
            let begins = first.is_some();
            self.desk
                .same_as(format_args!("publishes {note} {tries} {begins} {draft:?} {publisher:?}"))
                .await;
        }
    }

    /// The upload is too old to be relied on: the same flush is made again, under another name.
    async fn renew(&self, publisher: &mut Publisher, draft: &Draft) {
        let Op::AddSstable(meta) = &draft.op else { return };
        let flush = meta.min_key.first().map_or(0, |letter| letter - b'a');
        if let Some((meta, began)) = self.upload(publisher, (flush, meta.seq_lo, 0), "again").await {
            publisher.renew(Draft::flush(Arc::new(meta), began));
        }
    }

    /// Writes a snapshot, which may fail.
    pub(crate) async fn snapshot(&self, publisher: &mut Publisher) {
        match publisher.write_snapshot().await {
            Err(error) if !is_transient(&error) => self.never(format!("snapshot: {error}")),
            _ => {}
        }
    }

    /// Tells what a view shows.
    pub(crate) fn show(&self, view: &ManifestView) {
        if view.exists() {
            let tables = view.state().tables().map(|table| table.id.clone()).collect();
            self.desk.tell(Fact::View { next_seq: view.current.next_slot(), tables });
        }
    }
}
