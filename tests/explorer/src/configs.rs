//! The configurations, by name.

use bytes::Bytes;
use isledb_core::format::blob::BlobId;
use isledb_core::format::layout::Layout;

use crate::bucket::Bug;
use crate::config::{Actor, Config, MINUTE_MS, UNBOUNDED};
use crate::names::{BLOB, PREFIX};
use crate::scripts::blobs::blob_writer;
use crate::scripts::maintain::{Job, maintainer};
use crate::scripts::original::{Manner, original};
use crate::scripts::read::{careless_reader, reader};
use crate::scripts::tail::tailer;
use crate::scripts::write::{Plan, writer};
use crate::watch::Protocol;

const W1: Plan = Plan { first: 0, flushes: 1, snapshots: false };
const W2: Plan = Plan { first: 8, flushes: 1, snapshots: false };

fn two_writers() -> Vec<Actor> {
    vec![writer("w1", W1), writer("w2", W2)]
}

fn one_writer() -> Vec<Actor> {
    vec![writer("w1", Plan { first: 0, flushes: 2, snapshots: true })]
}

fn two_roles() -> Vec<Actor> {
    vec![writer("w1", W1), maintainer("m1", &[Job::Merge, Job::Snapshot])]
}

fn two_owners() -> Vec<Actor> {
    vec![writer("w1", W1), maintainer("m1", &[Job::Merge]), maintainer("m2", &[Job::Retire])]
}

/// Writer, merge, snapshot, reader.
fn merge_and_reader() -> Vec<Actor> {
    vec![writer("w1", W1), maintainer("m1", &[Job::Merge, Job::Snapshot]), reader("r1", 2)]
}

fn merge_and_tailer() -> Vec<Actor> {
    vec![writer("w1", W1), maintainer("m1", &[Job::Merge, Job::Snapshot]), tailer("t1", 2, false)]
}

/// Two writers, maintenance, reader, tailer.
fn everybody() -> Vec<Actor> {
    vec![
        writer("w1", W1),
        writer("w2", W2),
        maintainer("m1", &[Job::Merge, Job::Snapshot]),
        reader("r1", 1),
        tailer("t1", 1, true),
    ]
}

fn base(name: &'static str, about: &'static str, actors: fn() -> Vec<Actor>) -> Config {
    Config { name, about, actors, ..Config::default() }
}

/// A store that breaks its contract.
fn broken(name: &'static str, about: &'static str, bug: Bug, finds: &'static str) -> Config {
    Config { bug, finds: Some(finds), quick: true, ..base(name, about, two_writers) }
}

/// Every configuration.
pub fn all() -> Vec<Config> {
    let mut all = commits();
    all.extend(readers());
    all.extend(collections());
    all.extend(originals());
    all.extend([
        broken(
            "bug-overwrite",
            "a store that overwrites log entries",
            Bug::LogPutsOverwrite,
            "a slot was written twice",
        ),
        broken(
            "bug-match",
            "a store that replaces CURRENT blindly",
            Bug::CurrentIgnoresMatch,
            "CURRENT goes back",
        ),
    ]);
    all
}

/// Two writers on the publisher.
fn commits() -> Vec<Config> {
    let two = |name, about| base(name, about, two_writers);
    vec![
        Config { quick: true, ..two("writers", "2 writers x 1 flush") },
        Config { faults: 1, delayed: 1, quick: true, ..two("writers-1", "2 writers x 1 flush") },
        Config { crashes: 1, faults: 1, delayed: 1, ..two("writers-crash", "2 writers x 1 flush") },
        Config { crashes: 1, faults: 2, delayed: 1, ..two("writers-2", "2 writers x 1 flush") },
        Config { faults: UNBOUNDED, delayed: 1, ..two("writers-any", "2 writers x 1 flush") },
        Config {
            faults: UNBOUNDED,
            delayed: 1,
            ..base("writer-any", "writer x 2 flushes with snapshots", one_writer)
        },
        Config {
            faults: UNBOUNDED,
            delayed: 1,
            crashes: 1,
            ..base("writer-any-crash", "writer x 2 flushes with snapshots", one_writer)
        },
        Config {
            faults: UNBOUNDED,
            delayed: 1,
            ..base("roles-any", "writer x 1 flush, merge, snapshot", two_roles)
        },
        Config {
            faults: 2,
            delayed: 2,
            crashes: 1,
            ..base("roles-2", "writer x 1 flush, merge, snapshot", two_roles)
        },
        Config {
            faults: 1,
            delayed: 1,
            crashes: 1,
            ..base("owners-1", "writer x 1 flush, 2 owners: merge; remove a table", two_owners)
        },
    ]
}

/// Reader and tailer beside a writer and maintenance.
fn readers() -> Vec<Config> {
    let (reader, tailer) = ("writer, merge and snapshot, reader", "writer, merge and snapshot, tailer");
    let all = "2 writers, merge and snapshot, reader, tailer";
    vec![
        Config { quick: true, ..base("reader", reader, merge_and_reader) },
        Config { faults: 1, delayed: 1, ..base("reader-1", reader, merge_and_reader) },
        Config { switches: Some(2), quick: true, ..base("tailer", tailer, merge_and_tailer) },
        Config { faults: 1, delayed: 1, ..base("tailer-1", tailer, merge_and_tailer) },
        Config { switches: Some(2), ..base("everybody-2", all, everybody) },
        Config {
            switches: Some(1),
            crashes: 1,
            faults: 1,
            delayed: 1,
            ..base("everybody-1", all, everybody)
        },
    ]
}

const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Twice the longest wait of garbage collection, with a minute for rounding.
const HOURS: &[u64] = &[61 * MINUTE_MS, 61 * MINUTE_MS];
/// After a day: below the age of a base or a blob, and above the life of a request, and once below that.
const HALF_HOURS: &[u64] = &[25 * HOUR_MS, 29 * MINUTE_MS, 29 * MINUTE_MS, 14 * MINUTE_MS];

/// After a day and an hour: below the age of a blob or a delete, and above the life of a request.
const ONE_JUMP: &[u64] = &[25 * HOUR_MS, 61 * MINUTE_MS, 29 * MINUTE_MS];

const COLLECTS: &[Job] = &[Job::Merge, Job::Snapshot, Job::Collect, Job::Collect, Job::Collect];

/// A database with one flush.
fn one_flush() -> Vec<Actor> {
    vec![writer("w0", Plan { first: 16, flushes: 1, snapshots: false })]
}

fn new_database() -> Vec<Actor> {
    vec![writer("w0", Plan { first: 16, flushes: 0, snapshots: false })]
}

fn collector_and_writer() -> Vec<Actor> {
    vec![writer("w1", W1), maintainer("m1", COLLECTS)]
}

fn collector_and_reader() -> Vec<Actor> {
    vec![reader("r1", 2), maintainer("m1", COLLECTS)]
}

fn collector_and_tailer() -> Vec<Actor> {
    vec![tailer("t1", 1, true), maintainer("m1", COLLECTS)]
}

fn collector_and_careless_reader() -> Vec<Actor> {
    vec![careless_reader("r1"), maintainer("m1", COLLECTS)]
}

fn two_collectors() -> Vec<Actor> {
    const SECOND: &[Job] = &[Job::Collect, Job::Collect];
    vec![maintainer("m1", COLLECTS), maintainer("m2", SECOND)]
}

fn a_blob() -> Vec<(String, Bytes)> {
    let name = Layout::new(PREFIX).map(|layout| layout.blob(&BlobId::of(BLOB)));
    name.into_iter().map(|name| (name, Bytes::from_static(BLOB))).collect()
}

fn blob_and_collectors() -> Vec<Actor> {
    const TWICE: &[Job] = &[Job::Collect, Job::Collect];
    vec![blob_writer("w1", 0, 1), maintainer("m1", TWICE), maintainer("m2", TWICE)]
}

/// One flush, merged away and marked.
fn a_marked_table() -> Vec<Actor> {
    let mut before = one_flush();
    before.push(maintainer("m0", &[Job::Merge, Job::Snapshot, Job::Collect]));
    before
}

fn marks_in_contention() -> Vec<Actor> {
    const TWICE: &[Job] = &[Job::Collect, Job::Collect];
    vec![maintainer("m1", TWICE), maintainer("m2", TWICE)]
}

/// A blob that nothing refers to, and that an owner has named.
fn a_named_blob() -> Vec<Actor> {
    let mut before = new_database();
    before.push(maintainer("m0", &[Job::Collect]));
    before
}

fn doomed_blob() -> Vec<Actor> {
    const ONCE: &[Job] = &[Job::Collect];
    vec![blob_writer("w1", 0, 1), maintainer("m1", ONCE), maintainer("m2", ONCE)]
}

/// Garbage collection and the passage of time.
fn collections() -> Vec<Config> {
    let gc = |name, about, actors| Config {
        prelude: one_flush,
        ticks_ms: HOURS,
        any_order: false,
        switches: Some(2),
        ..base(name, about, actors)
    };
    let blobs = |name, about, actors| Config {
        prelude: new_database,
        litter: a_blob,
        ticks_ms: HALF_HOURS,
        past: 1,
        any_order: false,
        switches: Some(1),
        ..base(name, about, actors)
    };
    let marks = Config {
        prelude: a_marked_table,
        ticks_ms: &[MINUTE_MS, 61 * MINUTE_MS],
        past: 2,
        switches: Some(1),
        ..gc("gc-marks", "2 owners x 2 collections of a marked table", marks_in_contention)
    };
    let doomed = Config {
        prelude: a_named_blob,
        ticks_ms: &[25 * HOUR_MS, 61 * MINUTE_MS, 14 * MINUTE_MS, 29 * MINUTE_MS],
        past: 2,
        ..blobs("doomed", "writer of a blob that is about to go, 2 owners x 1 collection", doomed_blob)
    };
    let blobs = |name, about| blobs(name, about, blob_and_collectors);
    let reader = "reader, merge and snapshot and 3 collections";
    let writer = "writer, merge and snapshot and 3 collections";
    let tailer = "tailer, merge and snapshot and 3 collections";
    let two = "2 owners: merge, snapshot, 3 collections; 2 collections";
    let blob = "writer of a blob that lies there unused, 2 owners x 2 collections";
    vec![
        Config { switches: Some(0), ..gc("gc-reader-0", reader, collector_and_reader) },
        gc("gc-reader-2", reader, collector_and_reader),
        Config {
            switches: Some(0),
            quick: true,
            finds: Some("a reader misses"),
            ..gc(
                "bug-old-view",
                "a reader beyond its view's age, 3 collections",
                collector_and_careless_reader,
            )
        },
        Config { switches: Some(0), ..gc("gc-writer-0", writer, collector_and_writer) },
        Config { switches: Some(1), ..gc("gc-writer-1", writer, collector_and_writer) },
        Config { switches: Some(0), ..gc("gc-tailer-0", tailer, collector_and_tailer) },
        Config { switches: Some(1), ..gc("gc-tailer-1", tailer, collector_and_tailer) },
        Config { switches: Some(0), ..gc("gc-two-0", two, two_collectors) },
        Config { switches: Some(1), ..gc("gc-two-1", two, two_collectors) },
        Config { switches: Some(0), faults: 1, delayed: 1, ..gc("gc-two-fault", two, two_collectors) },
        Config { quick: true, ..marks.clone() },
        Config { name: "gc-marks-fault", faults: 1, delayed: 1, ..marks.clone() },
        Config { name: "gc-marks-crash", crashes: 1, ..marks.clone() },
        Config { name: "gc-marks-2", switches: Some(2), ..marks.clone() },
        Config { name: "gc-marks-all", switches: None, ..marks },
        Config { name: "doomed-0", switches: Some(0), ticks_ms: ONE_JUMP, ..doomed.clone() },
        Config { ticks_ms: ONE_JUMP, ..doomed.clone() },
        Config { name: "doomed-fault", faults: 1, delayed: 1, ..doomed.clone() },
        Config { name: "doomed-crash", crashes: 1, ..doomed.clone() },
        Config { name: "doomed-2", switches: Some(2), ..doomed.clone() },
        Config { name: "doomed-all", switches: None, ..doomed },
        Config { switches: Some(0), ..blobs("blobs-0", blob) },
        Config { switches: Some(1), ..blobs("blobs-1", blob) },
        Config { switches: Some(0), faults: 1, delayed: 1, ..blobs("blobs-fault", blob) },
    ]
}

fn plain_originals() -> Vec<Actor> {
    vec![original("o1", 0, 1, Manner::default()), original("o2", 8, 1, Manner::default())]
}

fn one_original() -> Vec<Actor> {
    vec![original("o1", 0, 2, Manner::default())]
}

fn refreshed_originals() -> Vec<Actor> {
    let manner = Manner { seeds_late: true, refreshed: true, ..Manner::default() };
    vec![original("o1", 0, 1, manner), original("o2", 8, 1, manner)]
}

fn originals_with_a_failed_claim() -> Vec<Actor> {
    let manner =
        Manner { seeds_late: true, checks_fence: true, keeps_failed_claim: true, ..Manner::default() };
    vec![original("o1", 0, 1, manner), original("o2", 8, 1, manner)]
}

fn originals_with_a_snapshot() -> Vec<Actor> {
    let manner = Manner { seeds_late: true, checks_fence: true, ..Manner::default() };
    let first = Manner { snapshot: true, ..manner };
    vec![original("o1", 0, 2, first), original("o2", 8, 1, manner)]
}

/// The original's protocol, of which the four known races must be found.
fn originals() -> Vec<Config> {
    let of = |name, about, actors, finds| Config {
        protocol: Protocol::Original,
        quick: true,
        finds: Some(finds),
        own_success: false,
        ..base(name, about, actors)
    };
    let (backwards, missing) = ("sequence numbers go backwards", "an acknowledged flush is missing");
    vec![
        Config {
            protocol: Protocol::OriginalAcknowledged,
            ..of("original-m1", "2 originals, counters seeded before the claim", plain_originals, backwards)
        },
        Config {
            crashes: 1,
            ..of("original-m2", "an original that dies, its entry is swept in later", one_original, backwards)
        },
        of(
            "original-m5",
            "2 originals, CURRENT refreshed by another component",
            refreshed_originals,
            missing,
        ),
        of("original-m7", "2 originals, a claim after a snapshot", originals_with_a_snapshot, missing),
        Config {
            faults: 1,
            ..of(
                "original-m7-claim",
                "2 originals, a claim entry fails",
                originals_with_a_failed_claim,
                missing,
            )
        },
    ]
}
