//! Random histories: flushes, removals, moves, collections that are cut short, clocks that jump, views that are held and
//! tailers that come back. Nothing that a view within its age or a cursor at or above the floor needs is ever gone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::Error;
use isledb_core::format::manifest::{Compaction, SortedRun, SstMeta};
use isledb_core::host::Moment;
use isledb_core::manifest::Draft;
use isledb_core::read::{ReaderOptions, ScanOptions, View};
use isledb_core::tail::{ChangeOp, Cursor, TailOptions, TailStart};
use isledb_core::write::Writer;
use proptest::prelude::*;

use crate::bench::{Bench, Owner, polled};

#[derive(Debug, Clone)]
enum Step {
    /// Writes these keys (values from a small set, large ones are blobs), then flushes.
    Flush(Vec<(u8, u8)>),
    /// The n-th live table is removed.
    Remove(usize),
    /// The oldest table of level 0 moves into a run of its own.
    Move,
    Collect,
    /// A collection is dropped after so many polls.
    CutShort(usize),
    NewOwner,
    NewWriter,
    Advance(u64),
    Pin,
    Read(usize),
    /// The n-th tailer comes back.
    Tail(usize),
    Orphan(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writes = proptest::collection::vec((0u8..6, 0u8..8), 1..4);
    let step = prop_oneof![
        4 => writes.prop_map(Step::Flush),
        2 => (0usize..5).prop_map(Step::Remove),
        1 => Just(Step::Move),
        6 => Just(Step::Collect),
        2 => (1usize..40).prop_map(Step::CutShort),
        1 => Just(Step::NewOwner),
        1 => Just(Step::NewWriter),
        4 => prop_oneof![1u64..20, 20u64..90, 90u64..1600].prop_map(Step::Advance),
        2 => Just(Step::Pin),
        3 => (0usize..4).prop_map(Step::Read),
        3 => (0usize..3).prop_map(Step::Tail),
        1 => any::<u8>().prop_map(Step::Orphan),
    ];
    proptest::collection::vec(step, 20..90)
}

type Written = (u8, Bytes);

struct Run {
    bench: Bench,
    writer: Writer,
    owner: Owner,
    history: Vec<Written>,
    views: Vec<(View, Vec<Written>)>,
    /// Cursor, and how much of the history lies before it.
    tailers: Vec<(Cursor, usize)>,
}

fn value(kind: u8) -> Bytes {
    let length = if kind < 4 { 8 } else { 100 };
    Bytes::from(vec![kind; length])
}

async fn shown(view: &View) -> Result<Vec<Written>, Error> {
    let mut scan = view.scan(&ScanOptions::default());
    let mut all = Vec::new();
    while let Some(entry) = scan.next().await? {
        all.push((entry.key[0], entry.value));
    }
    Ok(all)
}

impl Run {
    fn new() -> Run {
        let bench = Bench::new();
        let (writer, owner) = (bench.writer(), bench.owner());
        let mut run =
            Run { bench, writer, owner, history: Vec::new(), views: Vec::new(), tailers: Vec::new() };
        for _ in 0..3 {
            let cursor = run.now();
            run.tailers.push((cursor, 0));
        }
        run
    }

    fn now(&self) -> Cursor {
        let options = TailOptions { start: TailStart::Now, ..TailOptions::default() };
        block_on(self.bench.db().tailer(options)).unwrap().cursor()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Flush(writes) => self.flush(writes),
            Step::Remove(n) => {
                let live = self.owner.live();
                if let Some(table) = live.get(n % live.len().max(1)) {
                    self.owner.remove(std::slice::from_ref(&table.id));
                }
            }
            Step::Move => self.move_oldest(),
            Step::Collect => drop(self.owner.collect()),
            Step::CutShort(polls) => {
                drop(polled(polls, self.owner.gc.run(&mut self.owner.publisher)));
            }
            Step::NewOwner => self.owner = self.bench.owner(),
            Step::NewWriter => self.writer = self.bench.writer(),
            Step::Advance(minutes) => self.bench.host.advance(Duration::from_secs(60 * minutes)),
            Step::Pin => block_on(async {
                let view = self.bench.db().reader(ReaderOptions::default()).await.unwrap().view();
                let content = shown(&view).await.unwrap();
                self.views.push((view, content));
            }),
            Step::Read(n) => self.read(n),
            Step::Tail(n) => self.tail(n),
            Step::Orphan(n) => {
                let id = format!("db/sstable/7-{n}-{n}-7.sst");
                self.bench.put_object(&id, b"never published");
            }
        }
        self.bench.check_live();
    }

    fn flush(&mut self, writes: Vec<(u8, u8)>) {
        block_on(async {
            for (key, kind) in &writes {
                self.writer.put(&[*key], &value(*kind)).await.unwrap();
            }
            self.writer.flush().await.unwrap();
        });
        self.history.extend(writes.into_iter().map(|(key, kind)| (key, value(kind))));
    }

    fn move_oldest(&mut self) {
        block_on(self.owner.publisher.refresh()).unwrap();
        let state = self.owner.publisher.view().state().clone();
        let Some(oldest) = state.l0.last() else { return };
        let moved = SstMeta { level: 1, ..(**oldest).clone() };
        let job = Compaction {
            remove_sstable_ids: vec![oldest.id.clone()],
            add_sorted_run: Some(SortedRun { id: state.next_sorted_run_id, ssts: vec![Arc::new(moved)] }),
            ..Compaction::default()
        };
        let began = Moment::now(&self.bench.host);
        block_on(self.owner.publisher.publish(Draft::compaction(job, Vec::new(), began))).unwrap();
    }

    fn read(&mut self, n: usize) {
        if self.views.is_empty() {
            return;
        }
        let at = n % self.views.len();
        let (view, content) = &self.views[at];
        match block_on(shown(view)) {
            Ok(now) => assert_eq!(&now, content, "a pinned view changed"),
            Err(Error::ViewExpired { age_ms, limit_ms }) => {
                assert!(age_ms > limit_ms);
                self.views.remove(at);
            }
            Err(error) => panic!("a view within its age: {error}"),
        }
    }

    fn tail(&mut self, n: usize) {
        let (cursor, place) = self.tailers[n].clone();
        let floor = block_on(self.bench.db().load_view()).unwrap().current.feed_floor_seq.unwrap();
        let options = TailOptions { start: TailStart::Cursor(cursor.clone()), ..TailOptions::default() };
        let followed = block_on(async {
            let mut tailer = self.bench.db().tailer(options).await?;
            let mut changes = Vec::new();
            while let Some(change) = tailer.try_next().await? {
                let ChangeOp::Put { value, .. } = change.op else { panic!("nothing is deleted") };
                changes.push((change.key[0], value));
            }
            Ok((changes, tailer.cursor()))
        });
        match followed {
            Ok((changes, cursor)) => {
                assert_eq!(changes, self.history[place..], "the feed from {cursor} on");
                self.tailers[n] = (cursor, self.history.len());
            }
            Err(Error::CursorExpired { .. }) => {
                assert!(cursor.slot() < floor, "{cursor} expired, the floor is {floor}");
                self.tailers[n] = (self.now(), self.history.len());
            }
            Err(error) => panic!("a cursor at {}, floor {floor}: {error}", cursor.slot()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn nothing_that_is_needed_is_deleted_and_nothing_else_is_left(steps in steps()) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        let before = run.bench.content();
        run.owner = run.bench.owner();
        run.owner.collect_for(&run.bench, 4);
        prop_assert_eq!(run.bench.content(), before);
        run.bench.check_no_orphan();
    }
}
