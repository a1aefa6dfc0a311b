//! A database made table by table, without a writer: for what must be counted exactly.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use isledb_core::format::blob::BlobId;
use isledb_core::format::ksuid::Ksuid;
use isledb_core::format::layout::Layout;
use isledb_core::format::manifest::{Current, InlineEntry, LogEntry, Op, Role, Snapshot, SortedRun, SstMeta};
use isledb_core::format::sst::{Kind, TableBuilder, TableOptions};
use isledb_core::format::time::Timestamp;
use isledb_core::host::{GetOptions, MemoryStore, ObjectStore, PutCondition};
use isledb_core::manifest::State;

/// The outcome of a request to the memory store, which needs no waking: it works within a test's executor too.
fn now<T>(request: impl Future<Output = T>) -> T {
    let mut request = pin!(request);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(outcome) = request.as_mut().poll(&mut context) {
            return outcome;
        }
    }
}

/// The database under the prefix `db`; what is added becomes visible by [`Made::publish`].
pub(crate) struct Made {
    pub(crate) store: MemoryStore,
    pub(crate) layout: Layout,
    current: Current,
    window: Vec<LogEntry>,
    state: State,
    tables: u64,
}

impl Made {
    pub(crate) fn new(store: MemoryStore) -> Made {
        let current =
            Current { log_seq_start: 1, next_seq: 1, max_view_age_ms: Some(3_600_000), ..Current::default() };
        let layout = Layout::new("db").unwrap();
        Made { store, layout, current, window: Vec::new(), state: State::default(), tables: 0 }
    }

    fn put(&self, key: &str, body: Bytes) {
        now(self.store.put(key, body, PutCondition::None)).unwrap();
    }

    /// An object as it is stored.
    pub(crate) fn object(&self, key: &str) -> Bytes {
        now(async {
            let got = self.store.get(key, GetOptions::default()).await.unwrap();
            got.body.collect(key, got.meta.size).await.unwrap()
        })
    }

    /// Damages the database: the object becomes this.
    pub(crate) fn replace(&self, key: &str, body: Bytes) {
        self.put(key, body);
    }

    /// Takes an object away.
    pub(crate) fn remove(&self, key: &str) {
        now(self.store.delete(&[key.to_owned()])).unwrap();
    }

    /// Stores a table of these entries (key, sequence, value; `None` deletes).
    pub(crate) fn table<'a>(
        &mut self,
        options: TableOptions,
        entries: impl IntoIterator<Item = (&'a [u8], u64, Option<&'a [u8]>)>,
    ) -> Arc<SstMeta> {
        self.build(options, |add| {
            entries.into_iter().for_each(|(key, sequence, value)| add(key, sequence, value))
        })
    }

    /// Stores a table of the entries that `fill` adds.
    pub(crate) fn build(
        &mut self,
        options: TableOptions,
        fill: impl FnOnce(&mut dyn FnMut(&[u8], u64, Option<&[u8]>)),
    ) -> Arc<SstMeta> {
        self.build_stored(options, |add| {
            let mut stored = Vec::new();
            fill(&mut |key, sequence, value| {
                stored.clear();
                stored.push(if value.is_some() { 0 } else { 2 });
                stored.extend_from_slice(value.unwrap_or_default());
                add(key, sequence, &stored);
            });
        })
    }

    /// Stores a table of the entries that `fill` adds, with values in their stored form.
    pub(crate) fn build_stored(
        &mut self,
        options: TableOptions,
        fill: impl FnOnce(&mut dyn FnMut(&[u8], u64, &[u8])),
    ) -> Arc<SstMeta> {
        let mut body = BytesMut::new();
        let meta = self.build_into(options, |bytes| body.extend_from_slice(bytes), fill);
        self.put(&self.layout.sst(&meta.id), body.freeze());
        meta
    }

    /// Gives the bytes of a table to `sink`, and stores nothing.
    pub(crate) fn build_into(
        &mut self,
        options: TableOptions,
        mut sink: impl FnMut(&[u8]),
        fill: impl FnOnce(&mut dyn FnMut(&[u8], u64, &[u8])),
    ) -> Arc<SstMeta> {
        let mut builder = TableBuilder::new(TableOptions { key_hashes: false, ..options });
        fill(&mut |key, sequence, stored| {
            let kind = if stored[0] & 0x7f == 2 { Kind::Delete } else { Kind::Set };
            builder.add(key, sequence, kind, stored).unwrap();
            sink(&builder.take_output());
        });
        let summary = builder.finish().unwrap();
        sink(&builder.take_output());
        self.tables += 1;
        let meta = SstMeta {
            id: format!(
                "1-{}-{}-{}.sst",
                summary.seq_lo,
                summary.seq_hi,
                1_800_000_000_000_000_000 + self.tables
            ),
            epoch: self.tables,
            seq_lo: summary.seq_lo,
            seq_hi: summary.seq_hi,
            min_key: summary.min_key,
            max_key: summary.max_key,
            size: summary.size,
            checksum: summary.sha256.iter().fold("sha256:".into(), |text, byte| format!("{text}{byte:02x}")),
            meta_offset: Some(summary.meta_offset),
            entry_count: Some(summary.entries),
            delete_count: Some(summary.deletes),
            ..SstMeta::default()
        };
        Arc::new(meta)
    }

    /// Stores a blob.
    pub(crate) fn blob(&self, content: &[u8]) -> BlobId {
        let id = BlobId::of(content);
        self.put(&self.layout.blob(&id), Bytes::copy_from_slice(content));
        id
    }

    /// Decides the next slot.
    pub(crate) fn log(&mut self, op: Op) {
        let entry = LogEntry {
            id: Ksuid::new(1_800_000_000_000_000_000, [7; 16]),
            seq: self.current.next_seq,
            role: Role::Writer,
            epoch: 1,
            ts: Timestamp::from_unix_ns(1_800_000_000_000_000_000),
            op,
            effects: None,
        };
        self.put(&self.layout.log(entry.seq), entry.encode());
        self.current.next_seq += 1;
        self.state.apply(&entry);
        self.window.push(entry);
    }

    /// Adds a table in front of level 0.
    pub(crate) fn add(&mut self, meta: &Arc<SstMeta>) {
        self.log(Op::AddSstable(meta.clone()));
    }

    /// Puts tables into a new run in front of the others, without a compaction that brings them.
    pub(crate) fn add_run(&mut self, tables: Vec<Arc<SstMeta>>) {
        let id = self.state.next_sorted_run_id;
        self.state.next_sorted_run_id += 1;
        self.state.runs.insert(0, SortedRun { id, ssts: tables });
    }

    /// Puts everything so far into a snapshot; the window is empty then.
    pub(crate) fn snapshot(&mut self) {
        let id = Ksuid::new(1_800_000_000_000_000_000 + self.current.next_seq * 1_000_000_000, [9; 16])
            .to_string();
        let mut state = self.state.clone();
        state.log_seq = self.current.next_seq - 1;
        let snapshot: Snapshot = state.to_snapshot();
        let name = self.layout.snapshot(&id);
        self.put(&name, snapshot.encode());
        self.current.snapshot = name;
        self.current.log_seq_start = self.current.next_seq;
        self.window.clear();
    }

    /// Writes CURRENT, with the whole window inline.
    pub(crate) fn publish(&mut self) {
        let inline = self.window.iter().map(|entry| InlineEntry { seq: entry.seq, bytes: entry.encode() });
        self.current.inline_log = inline.collect();
        self.current.next_sequence = Some(self.state.max_sequence() + 1);
        self.put(&self.layout.current(), self.current.encode());
    }
}
