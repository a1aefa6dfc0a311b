//! A manifest in memory whose requests fail as told, each counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::format::manifest::{Current, LogEntry, Op, Role, Snapshot};
use crate::host::Version;
use crate::manifest::{CurrentRead, ManifestStorage, MemoryManifest};
use crate::maybe::BoxFuture;

/// What happens to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is applied and answered.
    Fine,
    /// It is applied and the answer is lost.
    AnswerLost,
    /// It is not applied, and the store says nothing of use.
    NotApplied,
    /// The store refuses for want of rights.
    Denied,
}

#[derive(Default)]
struct Told {
    log: VecDeque<Fault>,
    current: VecDeque<Fault>,
    reads_fail: bool,
    cannot_list: bool,
    requests: BTreeMap<&'static str, u64>,
    currents: Vec<Bytes>,
}

pub(super) struct Faulty {
    pub(super) inner: MemoryManifest,
    told: Mutex<Told>,
}

impl Faulty {
    pub(super) fn new(layout: Layout) -> Faulty {
        Faulty { inner: MemoryManifest::new(layout), told: Mutex::default() }
    }

    pub(super) fn next_log_puts(&self, faults: &[Fault]) {
        self.told.lock().unwrap().log.extend(faults);
    }

    pub(super) fn next_current_puts(&self, faults: &[Fault]) {
        self.told.lock().unwrap().current.extend(faults);
    }

    pub(super) fn no_more_faults(&self) {
        let mut told = self.told.lock().unwrap();
        told.log.clear();
        told.current.clear();
    }

    pub(super) fn reads_fail(&self, fail: bool) {
        self.told.lock().unwrap().reads_fail = fail;
    }

    pub(super) fn cannot_list(&self) {
        self.told.lock().unwrap().cannot_list = true;
    }

    /// The requests since the last call, by kind.
    pub(super) fn take_requests(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.told.lock().unwrap().requests)
    }

    /// Every CURRENT that was ever committed, oldest first.
    pub(super) fn history(&self) -> Vec<Current> {
        let told = self.told.lock().unwrap();
        told.currents.iter().map(|bytes| Current::decode("CURRENT", bytes).unwrap()).collect()
    }

    pub(super) async fn current(&self) -> Current {
        let read = self.inner.read_current(None).await.unwrap();
        Current::decode("CURRENT", &read.bytes).unwrap()
    }

    /// Replaces CURRENT as somebody else would.
    pub(super) async fn replace_current(&self, change: impl FnOnce(&mut Current), plain: bool) {
        let (mut current, version) = match self.inner.read_current(None).await {
            Ok(read) => (Current::decode("CURRENT", &read.bytes).unwrap(), Some(read.version)),
            Err(_) => (Current::default(), None),
        };
        change(&mut current);
        let body = if plain { Bytes::from(current.encode_plain()) } else { current.encode() };
        self.inner.write_current(body, version).await.unwrap();
    }

    /// Front to back the L0 tables by the original's rule: all entries of the window in order, those of an epoch below the
    /// active one of their role left out. Kept apart from the engine's own replay.
    pub(super) async fn replay_as_the_original(&self) -> Vec<String> {
        let Ok(read) = self.inner.read_current(None).await else { return Vec::new() };
        let current = Current::decode("CURRENT", &read.bytes).unwrap();
        let mut l0: Vec<String> = Vec::new();
        if !current.snapshot.is_empty() {
            let id = self.layout().snapshot_id_of(&current.snapshot).unwrap();
            let snapshot =
                Snapshot::decode("snapshot", &self.inner.read_snapshot(&id).await.unwrap()).unwrap();
            l0.extend(snapshot.l0.iter().map(|table| table.id.clone()));
        }
        let mut entries = Vec::new();
        for slot in current.log_seq_start..current.next_seq {
            let raw = self.inner.read_log(slot).await.unwrap();
            if let Some(inline) = current.inline(slot) {
                assert_eq!(inline, &raw, "an inline entry is its object, byte for byte");
            }
            entries.push(LogEntry::decode("entry", slot, &raw).unwrap());
        }
        for role in [Role::Writer, Role::Maintenance] {
            let of_role = || entries.iter().filter(|entry| entry.role == role);
            let claims = of_role().filter(|entry| matches!(entry.op, Op::FenceClaim { .. }));
            let max_claim = claims.map(|entry| entry.epoch).max().unwrap_or(0);
            let max_entry = of_role().map(|entry| entry.epoch).max().unwrap_or(0);
            let mut active = match current.fence(role).map(|fence| fence.epoch) {
                Some(fence) if max_claim == 0 || (max_entry >= fence && max_claim < fence) => fence,
                _ => 0,
            };
            for entry in of_role() {
                match &entry.op {
                    Op::FenceClaim { .. } => active = active.max(entry.epoch),
                    Op::AddSstable(meta) if entry.epoch >= active => l0.insert(0, meta.id.clone()),
                    _ => {}
                }
            }
        }
        l0
    }

    fn count(&self, kind: &'static str) {
        *self.told.lock().unwrap().requests.entry(kind).or_default() += 1;
    }

    fn check_read(&self, object: String) -> Result<()> {
        let fail = self.told.lock().unwrap().reads_fail;
        if fail { Err(Error::Unavailable { object, message: "told to fail".to_owned() }) } else { Ok(()) }
    }
}

async fn write<T>(fault: Option<Fault>, object: String, write: BoxFuture<'_, Result<T>>) -> Result<T> {
    let lost = |object| Error::Unavailable { object, message: "told to fail".to_owned() };
    match fault.unwrap_or(Fault::Fine) {
        Fault::Fine => write.await,
        Fault::AnswerLost => {
            let _ = write.await;
            Err(lost(object))
        }
        Fault::NotApplied => Err(lost(object)),
        Fault::Denied => Err(Error::Permission { object, message: "told to refuse".to_owned() }),
    }
}

impl ManifestStorage for Faulty {
    fn layout(&self) -> &Layout {
        self.inner.layout()
    }

    fn prove<'a>(&'a self) -> BoxFuture<'a, Result<()>> {
        self.inner.prove()
    }

    fn read_current<'a>(&'a self, if_none_match: Option<Version>) -> BoxFuture<'a, Result<CurrentRead>> {
        self.count("get current");
        Box::pin(async move {
            self.check_read(self.layout().current())?;
            self.inner.read_current(if_none_match).await
        })
    }

    fn write_current<'a>(&'a self, body: Bytes, expected: Option<Version>) -> BoxFuture<'a, Result<Version>> {
        self.count("put current");
        let fault = self.told.lock().unwrap().current.pop_front();
        let kept = body.clone();
        let put = Box::pin(async move {
            let put = self.inner.write_current(body, expected).await;
            if put.is_ok() {
                self.told.lock().unwrap().currents.push(kept);
            }
            put
        });
        Box::pin(write(fault, self.layout().current(), put))
    }

    fn read_log<'a>(&'a self, slot: u64) -> BoxFuture<'a, Result<Bytes>> {
        self.count("get log");
        Box::pin(async move {
            self.check_read(self.layout().log(slot))?;
            self.inner.read_log(slot).await
        })
    }

    fn write_log<'a>(&'a self, slot: u64, body: Bytes) -> BoxFuture<'a, Result<()>> {
        self.count("put log");
        let fault = self.told.lock().unwrap().log.pop_front();
        Box::pin(write(fault, self.layout().log(slot), self.inner.write_log(slot, body)))
    }

    fn list_log<'a>(&'a self, after: u64) -> BoxFuture<'a, Result<Vec<u64>>> {
        self.count("list log");
        if self.told.lock().unwrap().cannot_list {
            let error = Error::Unsupported { object: self.layout().log_prefix(), what: "lists".to_owned() };
            return Box::pin(async move { Err(error) });
        }
        self.inner.list_log(after)
    }

    fn read_snapshot<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        self.count("get snapshot");
        self.inner.read_snapshot(id)
    }

    fn write_snapshot<'a>(&'a self, id: &'a str, body: Bytes) -> BoxFuture<'a, Result<()>> {
        self.count("put snapshot");
        self.inner.write_snapshot(id, body)
    }

    fn superseded_snapshots<'a>(&'a self) -> BoxFuture<'a, Result<Vec<String>>> {
        self.count("list snapshots");
        self.inner.superseded_snapshots()
    }

    fn delete_log<'a>(&'a self, slots: &'a [u64]) -> BoxFuture<'a, Result<()>> {
        self.count("delete log");
        self.inner.delete_log(slots)
    }

    fn delete_snapshots<'a>(&'a self, ids: &'a [String]) -> BoxFuture<'a, Result<()>> {
        self.count("delete snapshots");
        self.inner.delete_snapshots(ids)
    }
}
