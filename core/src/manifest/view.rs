//! What a reader pins: CURRENT, its version, the state that it stands for, and since when.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join;

use super::replay::Replay;
use super::state::State;
use super::storage::{CurrentRead, ManifestStorage};
use crate::concurrent::try_all;
use crate::error::{Error, Result};
use crate::format::manifest::{Current, LogEntry, Snapshot};
use crate::host::{Host, Moment, Version};

/// How long a view may be used where CURRENT does not say (a database that only the original wrote).
pub const DEFAULT_MAX_VIEW_AGE_MS: u64 = 600_000;

/// One consistent state of the database and where it came from. Cheap to clone; replaced whole, never changed.
#[derive(Debug, Clone)]
pub struct ManifestView {
    /// CURRENT; the default document where there is none.
    pub current: Arc<Current>,
    /// CURRENT's version; `None` where there is no database.
    pub version: Option<Version>,
    /// The state at `current.next_seq - 1`, with what is needed to go on from it.
    pub replay: Arc<Replay>,
    /// Taken before the GET of CURRENT was sent: the view is at least as new.
    pub read_at: Moment,
}

impl ManifestView {
    /// True if there is a database.
    pub fn exists(&self) -> bool {
        self.version.is_some()
    }

    /// The tables.
    pub fn state(&self) -> &State {
        &self.replay.state
    }

    /// How long this view may be used, in milliseconds.
    pub fn max_age_ms(&self) -> u64 {
        self.current.max_view_age_ms.unwrap_or(DEFAULT_MAX_VIEW_AGE_MS)
    }

    /// Its age, in milliseconds.
    pub fn age_ms(&self, host: &dyn Host) -> u64 {
        self.read_at.elapsed_ms(host)
    }

    /// `ViewExpired` if it is older than the database allows.
    pub fn check_age(&self, host: &dyn Host) -> Result<()> {
        let (age_ms, limit_ms) = (self.age_ms(host), self.max_age_ms());
        if self.exists() && age_ms > limit_ms { Err(Error::ViewExpired { age_ms, limit_ms }) } else { Ok(()) }
    }

    /// The lowest sequence number above every committed one.
    pub fn next_sequence(&self) -> u64 {
        self.current.next_sequence.unwrap_or(0).max(self.state().max_sequence().saturating_add(1))
    }

    /// Reads CURRENT and replays it.
    ///
    /// Cost: one GET; one more round, all at once, for a snapshot and for window entries that are not inline. An absent
    /// CURRENT gives the empty view (`exists()` is false).
    pub async fn load(storage: &dyn ManifestStorage, host: &dyn Host) -> Result<ManifestView> {
        let read = Read::current(storage, host, None).await?;
        read.settle_into_view(storage, host, None).await
    }

    /// The view that `read` stands for, whatever CURRENT says by now; `read_at` is the time before that GET was sent.
    ///
    /// Cost: one round, all at once, for a snapshot and for window entries that are not inline. Errors: `NotFound` or
    /// `Permission` where such an object is gone: read CURRENT again.
    pub async fn of(
        storage: &dyn ManifestStorage,
        read: &CurrentRead,
        read_at: Moment,
    ) -> Result<ManifestView> {
        let current = Current::decode(&storage.layout().current(), &read.bytes)?;
        let replay = replay(storage, &current, None).await?;
        let version = Some(read.version.clone());
        Ok(ManifestView { current: Arc::new(current), version, replay: Arc::new(replay), read_at })
    }

    /// Reads CURRENT again if it changed, and replays what is new.
    ///
    /// Cost: one conditional GET; nothing more where nothing changed or where the new entries are inline. Returns the
    /// view (with its time renewed) and whether it changed.
    pub async fn refresh(
        &self,
        storage: &dyn ManifestStorage,
        host: &dyn Host,
    ) -> Result<(ManifestView, bool)> {
        let read_at = Moment::now(host);
        match Read::current(storage, host, self.version.clone()).await {
            Err(Error::NotModified { .. }) => Ok((ManifestView { read_at, ..self.clone() }, false)),
            Err(error) => Err(error),
            Ok(read) if read.version.is_none() && self.exists() => {
                Err(Error::NoDatabase { prefix: storage.layout().prefix().to_owned() })
            }
            Ok(read) if read.version.is_none() => Ok((ManifestView { read_at, ..self.clone() }, false)),
            Ok(read) => Ok((read.settle_into_view(storage, host, Some(&self.replay)).await?, true)),
        }
    }

    /// The view that one's own write of CURRENT (sent at `read_at`) made: no request. `entries` are those that `current`
    /// newly covers. `None` where which entries count changed with it, so that a full replay is due.
    #[cfg(feature = "write")]
    pub(super) fn advance(
        &self,
        current: Current,
        version: Version,
        entries: &[LogEntry],
        read_at: Moment,
    ) -> Result<Option<ManifestView>> {
        let replay = self.replay.extend(&current, entries)?;
        Ok(replay.map(|replay| ManifestView {
            current: Arc::new(current),
            version: Some(version),
            replay: Arc::new(replay),
            read_at,
        }))
    }
}

/// CURRENT alone, without a replay; the default document where there is none. One GET.
pub(crate) async fn read_current(storage: &dyn ManifestStorage) -> Result<Current> {
    match storage.read_current(None).await {
        Ok(read) => Current::decode(&storage.layout().current(), &read.bytes),
        Err(Error::NotFound { .. }) => Ok(Current::default()),
        Err(error) => Err(error),
    }
}

/// CURRENT as read, before its replay.
struct Read {
    current: Current,
    version: Option<Version>,
    read_at: Moment,
}

impl Read {
    async fn current(storage: &dyn ManifestStorage, host: &dyn Host, known: Option<Version>) -> Result<Read> {
        let read_at = Moment::now(host);
        match storage.read_current(known).await {
            Ok(read) => {
                let current = Current::decode(&storage.layout().current(), &read.bytes)?;
                Ok(Read { current, version: Some(read.version), read_at })
            }
            Err(Error::NotFound { .. }) => Ok(Read { current: Current::default(), version: None, read_at }),
            Err(Error::Permission { object, message }) => {
                let message = format!("no such database, or no right to read it: {message}");
                Err(Error::Permission { object, message })
            }
            Err(error) => Err(error),
        }
    }

    /// Replays this CURRENT. A missing object means that the window moved while we read: CURRENT is read once more, and
    /// only the same version again makes it corruption. So does a view that became too old while it was read.
    async fn settle_into_view(
        mut self,
        storage: &dyn ManifestStorage,
        host: &dyn Host,
        known: Option<&Replay>,
    ) -> Result<ManifestView> {
        for _ in 0..MAX_READS {
            let missing = match replay(storage, &self.current, known).await {
                Ok(replay) => {
                    let view = ManifestView {
                        current: Arc::new(self.current),
                        version: self.version,
                        replay: Arc::new(replay),
                        read_at: self.read_at,
                    };
                    if view.check_age(host).is_ok() {
                        return Ok(view);
                    }
                    self = Read::current(storage, host, None).await?;
                    continue;
                }
                Err(error @ (Error::NotFound { .. } | Error::Permission { .. })) => error,
                Err(error) => return Err(error),
            };
            let again = Read::current(storage, host, None).await?;
            if again.version == self.version {
                return Err(match missing {
                    Error::NotFound { object } => {
                        Error::corrupt(&object, None, "an object that CURRENT refers to", "no such object")
                    }
                    other => other,
                });
            }
            self = again;
        }
        let limit_ms = self.current.max_view_age_ms.unwrap_or(DEFAULT_MAX_VIEW_AGE_MS);
        Err(Error::ViewExpired { age_ms: self.read_at.elapsed_ms(host), limit_ms })
    }
}

/// So often CURRENT is read anew because the window moved, or its view became too old, while its objects were read. A CURRENT
/// that allows views no time at all must end in an error.
const MAX_READS: u32 = 8;

/// The state that `current` stands for; from `known` where it reaches far enough.
async fn replay(storage: &dyn ManifestStorage, current: &Current, known: Option<&Replay>) -> Result<Replay> {
    if let Some(known) = known
        && known.covered_next() >= current.log_seq_start
        && known.covered_next() <= current.next_seq
    {
        let entries = read_entries(storage, current, known.covered_next()).await?;
        if let Some(extended) = known.extend(current, &entries)? {
            return Ok(extended);
        }
    }
    let (snapshot, entries) =
        try_join(read_snapshot(storage, current), read_entries(storage, current, current.log_seq_start))
            .await?;
    Replay::full(current, snapshot, &entries)
}

async fn read_snapshot(storage: &dyn ManifestStorage, current: &Current) -> Result<Option<Snapshot>> {
    if current.snapshot.is_empty() {
        return Ok(None);
    }
    let id = storage.layout().snapshot_id_of(&current.snapshot)?;
    let bytes = storage.read_snapshot(&id).await?;
    Ok(Some(Snapshot::decode(&storage.layout().snapshot(&id), &bytes)?))
}

/// The entries of `[from, next_seq)`: inline where CURRENT brings them, else one GET each, all at once.
async fn read_entries(storage: &dyn ManifestStorage, current: &Current, from: u64) -> Result<Vec<LogEntry>> {
    let layout = storage.layout();
    if current.next_seq.saturating_sub(from) > MAX_WINDOW {
        let found = format!("{} entries from {from}", current.next_seq - from);
        return Err(Error::corrupt(
            &layout.current(),
            None,
            format!("a window of at most {MAX_WINDOW} entries"),
            found,
        ));
    }
    let (mut entries, mut slots) = (Vec::new(), from..current.next_seq);
    while !slots.is_empty() {
        let mut reads = Vec::new();
        for slot in slots.by_ref().take(LOG_READS_IN_A_LOT) {
            reads.push(read_entry(storage, current, slot));
        }
        entries.extend(try_all(LOG_READS_IN_FLIGHT, reads).await?);
    }
    Ok(entries)
}

async fn read_entry(storage: &dyn ManifestStorage, current: &Current, slot: u64) -> Result<LogEntry> {
    let bytes: Bytes = match current.inline(slot) {
        Some(bytes) => bytes.clone(),
        None => storage.read_log(slot).await?,
    };
    LogEntry::decode(&storage.layout().log(slot), slot, &bytes)
}

/// Log entries fetched at once. The window of our own databases is inline; this is for those of the original.
const LOG_READS_IN_FLIGHT: usize = 64;

/// So many are made ready before the first of them is sent.
const LOG_READS_IN_A_LOT: usize = 1024;

/// More entries than this in one window are not replayed: the original never writes a snapshot, so its windows are long, but a
/// million flushes is beyond what a reader can fetch one by one.
const MAX_WINDOW: u64 = 1_000_000;
