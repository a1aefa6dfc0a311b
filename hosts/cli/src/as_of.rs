//! The database as of an earlier log slot.
//!
//! The log decides what was committed when, so an earlier state is the log up to its slot: CURRENT is read, cut off behind
//! the slot, and handed to the ordinary reader. Where a later snapshot covers the slot, the state starts from an older
//! snapshot that is still there, or from the first slot if the log is kept since then.

use std::sync::Arc;

use bytes::Bytes;
use isledb::format::layout::Layout;
use isledb::format::manifest::{Current, Role, Snapshot};
use isledb::host::{Requests, Version};
use isledb::manifest::{CurrentRead, ManifestStorage};
use isledb::maybe::BoxFuture;
use isledb::{Error, Result};

use crate::exit::{Code, Failure, Outcome};

/// A manifest whose CURRENT stands still. The rest is read through.
pub(crate) struct FixedManifest {
    inner: Arc<dyn ManifestStorage>,
    current: CurrentRead,
}

impl FixedManifest {
    /// CURRENT as it was read.
    pub(crate) fn new(inner: Arc<dyn ManifestStorage>, current: CurrentRead) -> FixedManifest {
        FixedManifest { inner, current }
    }

    /// CURRENT cut off behind `slot`. One GET; where a snapshot covers the slot, a listing and a GET a snapshot more.
    pub(crate) async fn as_of(
        inner: Arc<dyn ManifestStorage>,
        requests: &Requests,
        slot: u64,
    ) -> Outcome<FixedManifest> {
        let read = inner.read_current(None).await?;
        let layout = inner.layout().clone();
        let current = Current::decode(&layout.current(), &read.bytes)?;
        if slot >= current.next_slot() || slot == 0 {
            let last = current.next_slot() - 1;
            return Err(Failure::usage(format!(
                "slot {slot} is not committed: the log has slots 1 to {last}"
            ))
            .advise("`isledb stat` shows next_seq"));
        }
        let floor = current.feed_floor_seq.unwrap_or(current.log_seq_start).max(1);
        if slot < floor.min(current.log_seq_start.max(1)) {
            return Err(expired(slot, floor));
        }
        let mut cut = Current { next_seq: slot + 1, ..current };
        if cut.log_seq_start > slot + 1 {
            let (snapshot, log_seq_start) = base(&layout, requests, slot, floor).await?;
            cut = Current { snapshot, log_seq_start, ..cut };
        }
        cut.inline_log.retain(|entry| entry.seq <= slot);
        // The claims of later slots did not hold yet, and a fence without its claim would hide earlier entries.
        cut.set_fence(Role::Writer, None);
        cut.set_fence(Role::Maintenance, None);
        cut.next_sequence = None;
        let current =
            CurrentRead { bytes: cut.encode(), version: Version::new(format!("as of slot {slot}")), ..read };
        Ok(FixedManifest { inner, current })
    }
}

/// The newest snapshot at or before `slot` from which the log is still whole: its name, and the first slot behind it.
async fn base(layout: &Layout, requests: &Requests, slot: u64, floor: u64) -> Outcome<(String, u64)> {
    if floor == 1 {
        return Ok((String::new(), 1));
    }
    let prefix = layout.snapshot_prefix();
    let mut names = Vec::new();
    loop {
        let page = requests.list(&prefix, names.last().map(String::as_str)).await?;
        names.extend(page.objects.into_iter().map(|object| object.key));
        if !page.more {
            break;
        }
    }
    // Their names begin with their time: from the newest to the oldest.
    for name in names.into_iter().rev() {
        let snapshot = Snapshot::decode(&name, &requests.get(&name).await?.body)?;
        if snapshot.log_seq <= slot {
            return if snapshot.log_seq + 1 >= floor { Ok((name, snapshot.log_seq + 1)) } else { break };
        }
    }
    Err(expired(slot, floor))
}

/// What `--at` says where history no longer reaches.
pub(crate) fn expired(slot: u64, floor: u64) -> Failure {
    Failure::new(Code::Expired, "view_expired", format!("the state as of slot {slot} is no longer kept"))
        .advise(format!("try slot {floor} or a later one; a longer change retention keeps more"))
}

fn read_only<T>() -> Result<T> {
    Err(Error::InvalidArgument { what: "an earlier state cannot be written".into() })
}

impl ManifestStorage for FixedManifest {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        self.inner.prove()
    }

    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>> {
        Box::pin(async move {
            if if_none_match.as_ref() == Some(&self.current.version) {
                return Err(Error::NotModified { object: self.inner.layout().current() });
            }
            Ok(self.current.clone())
        })
    }

    fn write_current<'a>(&'a self, _: Bytes, _: Option<Version>) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async { read_only() })
    }

    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>> {
        self.inner.read_log(slot)
    }

    fn write_log<'a>(&'a self, _: u64, _: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { read_only() })
    }

    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>> {
        self.inner.list_log(after)
    }

    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        self.inner.read_snapshot(id)
    }

    fn write_snapshot<'a>(&'a self, _: &'a str, _: Bytes) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { read_only() })
    }

    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn delete_log<'a>(&'a self, _: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { read_only() })
    }

    fn delete_snapshots<'a>(&'a self, _: &'a [String]) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { read_only() })
    }
}
