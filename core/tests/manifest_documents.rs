//! The JSON documents: what is written is read again, what others wrote is read as the original reads it, and what is
//! damaged or hostile gives an error or the right answer.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop where it fails")]

use std::sync::Arc;

use bytes::Bytes;
use isledb_core::Error;
use isledb_core::format::blob::BlobId;
use isledb_core::format::gc::{
    DoomedBlob, DoomedBlobs, GcCheckpoint, Mark, PendingMarks, Sighting, UnnamedSnapshot,
};
use isledb_core::format::ksuid::Ksuid;
use isledb_core::format::manifest::{
    BloomMeta, Compaction, Current, Effect, Effects, FenceToken, InlineEntry, LogEntry, Op, Role, Snapshot,
    SortedRun, SstMeta, SstSignature,
};
use isledb_core::format::time::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[ -~<>&\u{2028}\u{e9}\u{1f600}\\\\\"\u{1}]{0,12}"
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(Timestamp::ZERO), any::<u64>().prop_map(Timestamp::from_unix_ns)]
}

fn fence() -> impl Strategy<Value = FenceToken> {
    (any::<u64>(), text(), time()).prop_map(|(epoch, owner, claimed_at)| FenceToken {
        epoch,
        owner,
        claimed_at,
    })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Writer), Just(Role::Maintenance)]
}

fn sst() -> impl Strategy<Value = Arc<SstMeta>> {
    let signature = (text(), text(), text(), bytes())
        .prop_map(|(algorithm, key_id, hash, signature)| SstSignature { algorithm, key_id, hash, signature });
    let what = ("[a-z0-9-]{1,20}\\.sst", any::<u64>(), 1..1_u64 << 56, bytes(), bytes(), 1..1_u64 << 50);
    let more = (text(), option::of(signature), time(), 0..3_i32, any::<bool>(), any::<[u32; 3]>());
    let extensions = vec(option::of(any::<u64>()), 6);
    (what, more, extensions).prop_map(|((id, epoch, seq_hi, a, b, size), more, extensions)| {
        let (checksum, signature, created_at, level, has_blob_refs, [seq_lo, k, length]) = more;
        Arc::new(SstMeta {
            id,
            epoch,
            seq_lo: u64::from(seq_lo).min(seq_hi),
            seq_hi,
            min_key: a.clone().min(b.clone()),
            max_key: a.max(b),
            size,
            checksum,
            signature,
            bloom: BloomMeta {
                bits_per_key: i64::from(k) - 1,
                k: i64::from(k),
                offset: size,
                length: u64::from(length >> 8),
            },
            created_at,
            level,
            has_blob_refs,
            meta_offset: extensions[0].map(|offset| offset % size),
            entry_count: extensions[1],
            delete_count: extensions[2],
            min_expire_at: extensions[3],
            max_expire_at: extensions[4],
            max_data_time: extensions[5],
        })
    })
}

fn run() -> impl Strategy<Value = SortedRun> {
    (any::<u32>(), vec(sst(), 0..3)).prop_map(|(id, ssts)| SortedRun { id, ssts })
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let numbers = (1..3_i64, any::<u64>(), any::<u64>(), any::<u32>());
    (numbers, option::of(fence()), option::of(fence()), vec(sst(), 0..3), vec(run(), 0..3)).prop_map(
        |((version, next_epoch, log_seq, next_run), writer, compactor, l0, runs)| {
            let mut snapshot = Snapshot::default();
            (snapshot.version, snapshot.next_epoch, snapshot.log_seq) = (version, next_epoch, log_seq);
            (snapshot.writer_fence, snapshot.compactor_fence) = (writer, compactor);
            (snapshot.l0, snapshot.runs, snapshot.next_sorted_run_id) = (l0, runs, next_run);
            snapshot
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let ids = || vec("[a-z0-9.]{1,9}", 0..3);
    let compaction = (ids(), vec(any::<u32>(), 0..3), vec(sst(), 0..2), option::of(run())).prop_map(
        |(remove_sstable_ids, remove_sorted_run_ids, add_sstables, add_sorted_run)| {
            Op::Compaction(Compaction {
                remove_sstable_ids,
                remove_sorted_run_ids,
                add_sstables,
                add_sorted_run,
            })
        },
    );
    let claim = (role(), fence()).prop_map(|(role, fence)| Op::FenceClaim {
        role,
        epoch: fence.epoch,
        owner: fence.owner,
        claimed_at: fence.claimed_at,
    });
    prop_oneof![
        sst().prop_map(Op::AddSstable),
        ids().prop_map(Op::RemoveSstables),
        compaction,
        claim,
        snapshot().prop_map(|snapshot| Op::Checkpoint(Box::new(snapshot))),
        "[xyz_]{0,9}".prop_map(Op::Unknown),
    ]
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![Just(Effect::Unchanged), Just(Effect::Remove), any::<u64>().prop_map(Effect::Set)]
}

fn effects() -> impl Strategy<Value = Effects> {
    (effect(), effect(), option::of(any::<u64>()), effect(), effect()).prop_map(
        |(max_committed_lsn, low_watermark_lsn, next_sequence, max_view_age_ms, change_retention_ms)| {
            Effects {
                max_committed_lsn,
                low_watermark_lsn,
                next_sequence,
                max_view_age_ms,
                change_retention_ms,
            }
        },
    )
}

fn ksuid() -> impl Strategy<Value = Ksuid> {
    any::<(u64, [u8; 16])>().prop_map(|(time, random)| Ksuid::new(time, random))
}

fn entry() -> impl Strategy<Value = LogEntry> {
    (ksuid(), any::<u64>(), role(), any::<u64>(), time(), op(), option::of(effects())).prop_map(
        |(id, seq, role, epoch, ts, op, effects)| LogEntry { id, seq, role, epoch, ts, op, effects },
    )
}

fn current() -> impl Strategy<Value = Current> {
    let window = any::<(u64, u64)>().prop_map(|(a, b)| (a.min(b), a.max(b)));
    let fences = (option::of(fence()), option::of(fence()));
    (text(), window, any::<u64>(), fences, vec(option::of(any::<u64>()), 6), vec(entry(), 0..3)).prop_map(
        |(snapshot, (log_seq_start, next_seq), next_epoch, (writer, compactor), optional, mut entries)| {
            // In slot order, and each slot once, as every writer has them.
            entries.sort_by_key(|entry| entry.seq);
            entries.dedup_by_key(|entry| entry.seq);
            Current {
                snapshot,
                log_seq_start,
                next_seq,
                next_epoch,
                max_committed_lsn: optional[0],
                low_watermark_lsn: optional[1],
                writer_fence: writer,
                compactor_fence: compactor,
                next_sequence: optional[2],
                feed_floor_seq: optional[3],
                max_view_age_ms: optional[4],
                change_retention_ms: optional[5],
                inline_log: entries
                    .iter()
                    .map(|entry| InlineEntry { seq: entry.seq, bytes: entry.encode() })
                    .collect(),
            }
        },
    )
}

#[test]
fn inlined_entries_out_of_order_and_a_log_without_room_are_refused() {
    let decode = |bytes: &Bytes| Current::decode("CURRENT", bytes);
    let entry = |seq| InlineEntry { seq, bytes: Bytes::from(format!("{{\"seq\":{seq}}}")) };
    let with = |slots: &[u64]| Current {
        log_seq_start: 1,
        next_seq: 9,
        inline_log: slots.iter().map(|slot| entry(*slot)).collect(),
        ..Current::default()
    };
    let sound = with(&[2, 3, 7]);
    assert_eq!(decode(&sound.encode()).unwrap().inline(7), Some(&entry(7).bytes));
    assert_eq!(decode(&sound.encode()).unwrap().inline(4), None);
    for slots in [&[3, 2][..], &[2, 2]] {
        assert!(matches!(decode(&with(slots).encode()), Err(Error::Corrupt { .. })), "{slots:?}");
    }
    let full = Current { next_seq: u64::MAX, ..Current::default() };
    assert!(matches!(decode(&full.encode()), Err(Error::Corrupt { .. })), "no slot is left behind it");
    let last = Current { next_seq: u64::MAX - 1, ..Current::default() };
    assert_eq!(decode(&last.encode()).unwrap(), last);
}

fn marks() -> impl Strategy<Value = PendingMarks> {
    let ours = (option::of(any::<u64>()), option::of(any::<u64>()));
    let mark = ("[0-9a-z<>&-]{1,20}\\.sst", time(), time(), any::<(u64, u64, bool)>(), text(), ours)
        .prop_map(|(sst_id, first, last, (first_seq, last_seq, has_blob_refs), reason, (add_seq, size))| {
            Mark {
                version: 1,
                sst_id,
                first_seen_unreferenced_at: first,
                last_seen_unreferenced_at: last,
                first_seen_seq: first_seq,
                last_seen_seq: last_seq,
                first_reason: reason.clone(),
                last_reason: reason,
                has_blob_refs,
                due_at: Timestamp::ZERO,
                add_seq,
                size,
            }
        });
    (0..2_i64, vec(mark, 0..3)).prop_map(|(version, marks)| PendingMarks { version, marks })
}

fn checkpoint() -> impl Strategy<Value = GcCheckpoint> {
    let sighting = (time(), any::<(u64, u64)>(), option::of(any::<u64>()), option::of(any::<u64>()))
        .prop_map(|(seen_at, (next_seq, log_seq_start), feed_floor_seq, max_view_age_ms)| Sighting {
            seen_at,
            next_seq,
            log_seq_start,
            feed_floor_seq,
            max_view_age_ms,
        });
    let unnamed = (text(), time()).prop_map(|(id, seen_at)| UnnamedSnapshot { id, seen_at });
    (any::<(u64, u64)>(), time(), vec(sighting, 0..3), vec(unnamed, 0..3)).prop_map(
        |((last_applied_seq, last_seen_log_seq_start), updated_at, mut sightings, unnamed_snapshots)| {
            sightings.sort_by_key(|seen| seen.seen_at);
            let blobs_scanned_to = unnamed_snapshots.first().map(|s| s.id.clone()).unwrap_or_default();
            GcCheckpoint {
                version: 1,
                last_applied_seq,
                last_seen_log_seq_start,
                updated_at,
                sightings,
                unnamed_snapshots,
                scanned_at: updated_at,
                blobs_scanned_to,
            }
        },
    )
}

fn doomed() -> impl Strategy<Value = DoomedBlobs> {
    vec((any::<u64>(), time(), option::of(time())), 0..4).prop_map(|lines| {
        let blob = |(content, named_at, condemned_at): (u64, _, _)| DoomedBlob {
            id: BlobId::of(&content.to_be_bytes()),
            named_at,
            condemned_at,
            size: Some(content),
        };
        let mut blobs: Vec<DoomedBlob> = lines.into_iter().map(blob).collect();
        blobs.sort_by_key(|blob| blob.id);
        blobs.dedup_by_key(|blob| blob.id);
        DoomedBlobs { version: 1, blobs }
    })
}

/// Any flip of one byte, and any truncation: an error, or what was written.
fn survives_damage<T: PartialEq + std::fmt::Debug>(
    sealed: &Bytes,
    written: &T,
    flip: u8,
    decode: impl Fn(&Bytes) -> Result<T, Error>,
) {
    assert_eq!(&decode(sealed).unwrap(), written);
    for at in 0..sealed.len() {
        let mut damaged = sealed.to_vec();
        damaged[at] ^= flip;
        if let Ok(read) = decode(&damaged.into()) {
            assert_eq!(&read, written, "byte {at}");
        }
        assert!(decode(&sealed.slice(..at)).is_err(), "cut at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn current_round_trips_and_survives_damage(current in current(), flip in 1_u8..) {
        let sealed = current.encode();
        prop_assert_eq!(&Current::decode("CURRENT", &sealed).unwrap(), &current);
        // Where a flip takes the checksum's name away, the entries are left out and read from their objects.
        let without = Current { inline_log: Vec::new(), ..current };
        survives_damage(&sealed, &without, flip, |bytes| {
            Current::decode("CURRENT", bytes).map(|read| Current { inline_log: Vec::new(), ..read })
        });
    }

    #[test]
    fn log_entry_round_trips_and_survives_damage(entry in entry(), flip in 1_u8..) {
        survives_damage(&entry.encode(), &entry, flip, |bytes| LogEntry::decode("log", entry.seq, bytes));
        prop_assert_eq!(LogEntry::decode("log", entry.seq, &entry.encode_plain()).unwrap(), entry);
    }

    #[test]
    fn snapshot_round_trips_and_survives_damage(snapshot in snapshot(), flip in 1_u8..) {
        survives_damage(&snapshot.encode(), &snapshot, flip, |bytes| Snapshot::decode("snapshot", bytes));
        prop_assert_eq!(Snapshot::decode("snapshot", &snapshot.encode_plain()).unwrap(), snapshot);
    }

    #[test]
    fn gc_documents_round_trip(marks in marks(), checkpoint in checkpoint(), doomed in doomed()) {
        prop_assume!(marks != PendingMarks { version: 0, marks: Vec::new() });
        survives_damage(&marks.encode(), &marks, 1, |bytes| PendingMarks::decode("pending", bytes));
        survives_damage(&checkpoint.encode(), &checkpoint, 1, |bytes| GcCheckpoint::decode("checkpoint", bytes));
        survives_damage(&doomed.encode(), &doomed, 1, |bytes| DoomedBlobs::decode("blobs", bytes));
        prop_assert!(doomed.blobs.iter().all(|blob| doomed.get(&blob.id) == Some(blob)));
        prop_assert_eq!(doomed.get(&BlobId::of(b"no such blob")), None);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}\":,a-zA-Z0-9 \\\\.e+-]{0,80}") {
        let bytes = Bytes::from(text);
        let _ = Current::decode("CURRENT", &bytes);
        let _ = LogEntry::decode("log", 1, &bytes);
        let _ = Snapshot::decode("snapshot", &bytes);
    }
}

fn read_current(text: &str) -> Result<Current, Error> {
    Current::decode("db/manifest/CURRENT", &Bytes::copy_from_slice(text.as_bytes()))
}

fn read_entry(text: &str) -> Result<LogEntry, Error> {
    LogEntry::decode("db/manifest/log/1", 1, text.as_bytes())
}

#[test]
fn keys_are_matched_as_go_does() {
    let current = read_current(
        r#"{"NEXT_SEQ":7,"Next_Epoch":1,"next_epoch":2,"next_epoch":null,"Writer_Fence":{"EPOCH":3,"owner":"a","OWNER":"b"},
        "ma\u017f":1,"max_committed_l\u017fn":9,"unknown":{"next_seq":1},"snapshot":null}"#,
    )
    .unwrap();
    let fence = FenceToken { epoch: 3, owner: "b".into(), claimed_at: Timestamp::ZERO };
    let expected = Current {
        next_seq: 7,
        next_epoch: 2,
        max_committed_lsn: Some(9),
        writer_fence: Some(fence),
        ..Current::default()
    };
    assert_eq!(current, expected);
    let entry = read_entry(
        r#"{"SEQ":1,"op":"add_sstable","SSTable":{"id":"a.sst","SEQLO":1,"seqhi":2,"minKEY":"YQ==","MAXkey":"Yg==","size":3,
        "BLOOM":{"bitsperkey":-1,"LENGTH":0},"signature":null,"createdat":"2026-04-15T12:12:01+02:00"}}"#,
    )
    .unwrap();
    let Op::AddSstable(sst) = entry.op else { panic!("{entry:?}") };
    assert_eq!((sst.seq_lo, sst.seq_hi, sst.size, sst.bloom.bits_per_key), (1, 2, 3, -1));
    assert_eq!((&sst.min_key[..], &sst.max_key[..]), (&b"a"[..], &b"b"[..]));
    assert_eq!(sst.created_at.to_string(), "2026-04-15T10:12:01Z");
}

#[test]
fn missing_and_null_lists_are_empty() {
    let entry =
        read_entry(r#"{"seq":1,"op":"compaction","compaction":{"remove_sstable_ids":null}}"#).unwrap();
    assert_eq!(entry.op, Op::Compaction(Compaction::default()));
    let docs_style = r#"{"version":1,"next_epoch":9,"log_seq":8,"writer_fence":{"epoch":1,"owner":"w"},"l0_ssts":null,
        "sorted_runs":[{"id":4,"ssts":null}],"next_sorted_run_id":5,"compaction_config":{"min_sources":4}}"#;
    let snapshot = Snapshot::decode("snapshot", docs_style.as_bytes()).unwrap();
    assert_eq!((snapshot.version, snapshot.next_epoch, snapshot.log_seq), (1, 9, 8));
    assert_eq!((snapshot.l0.len(), snapshot.runs.len(), snapshot.next_sorted_run_id), (0, 1, 5));
}

#[test]
fn later_layouts_are_refused_by_the_field_that_tells() {
    for field in
        ["layout_version", "format", "active_entries", "index_frontier", "change_feed_head", "Format"]
    {
        let error = read_current(&format!(r#"{{"next_seq":1,"{field}":null}}"#)).unwrap_err();
        assert!(matches!(&error, Error::Unsupported { what, .. } if what.contains(field)), "{error}");
    }
    assert_eq!(read_current(r#"{"change_retention_ms":5}"#).unwrap().change_retention_ms, Some(5));
}

#[test]
fn a_wrong_checksum_names_object_and_offset() {
    let sealed = Current::default().encode();
    let damaged = String::from_utf8(sealed.to_vec()).unwrap().replace("\"next_epoch\":1", "\"next_epoch\":3");
    let error = read_current(&damaged).unwrap_err();
    assert_eq!(
        (error.object(), error.offset()),
        (Some("db/manifest/CURRENT"), Some(sealed.len() as u64 - 21))
    );
}

#[test]
fn an_entry_that_rides_in_current_is_the_object_byte_for_byte() {
    let entry = LogEntry {
        id: Ksuid::new(1, [7; 16]),
        seq: 3,
        role: Role::Writer,
        epoch: 1,
        ts: Timestamp::ZERO,
        op: Op::RemoveSstables(vec!["<a>.sst".into()]),
        effects: None,
    };
    let go = Bytes::from_static(br#"{ "seq" : 4, "op":"x" }"#);
    let mut current = Current { next_seq: 5, ..Current::default() };
    current.inline_log.push(InlineEntry { seq: 3, bytes: entry.encode() });
    current.inline_log.push(InlineEntry { seq: 4, bytes: go.clone() });
    current.inline_log.push(InlineEntry { seq: 5, bytes: Bytes::from_static(b"{no json") });
    current.inline_log.push(InlineEntry { seq: 6, bytes: Bytes::from_static(b"{\"seq\":6}\n") });
    let read = Current::decode("CURRENT", &current.encode()).unwrap();
    assert_eq!((read.inline(3), read.inline(4)), (Some(&entry.encode()), Some(&go)));
    assert_eq!((read.inline(5), read.inline(6)), (None, None));
    // Rewritten by the original: nothing vouches for the entries any more.
    let rewritten = String::from_utf8(current.encode().to_vec()).unwrap().replace("crc32c", "crc");
    assert!(read_current(&rewritten).unwrap().inline_log.is_empty());
}

#[test]
fn hostile_documents_are_refused() {
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"snapshot":{}}}"#, "{\"a\":".repeat(5_000));
    for bad in [
        "",
        "null",
        "[]",
        "7",
        r#"{"next_seq":-1}"#,
        r#"{"next_seq":1.5}"#,
        r#"{"next_seq":1e3}"#,
        r#"{"next_seq":18446744073709551616}"#,
        r#"{"next_seq":"1"}"#,
        r#"{"next_seq":1}{}"#,
        r#"{"next_seq":1,}"#,
        r#"{"log_seq_start":2,"next_seq":1}"#,
        r#"{"writer_fence":{"claimed_at":""}}"#,
        "{\"snapshot\":\"\u{0}\"}",
        &deep,
        &nested,
    ] {
        let error = read_current(bad).unwrap_err();
        assert_eq!(error.object(), Some("db/manifest/CURRENT"), "{}", &bad[..bad.len().min(50)]);
    }
    let sst = |fields: &str| {
        format!(r#"{{"seq":1,"op":"add_sstable","sstable":{{"ID":"a.sst","Size":9{fields}}}}}"#)
    };
    assert!(read_entry(&sst("")).is_ok());
    for bad in [
        r#"{"seq":2,"op":"x"}"#,
        r#"{"seq":1,"op":"add_sstable"}"#,
        r#"{"seq":1,"op":"compaction"}"#,
        r#"{"seq":1,"op":"checkpoint"}"#,
        r#"{"seq":1,"op":"fence_claim"}"#,
        r#"{"seq":1,"op":"x","role":2}"#,
        r#"{"seq":1,"op":"x","id":""}"#,
        r#"{"seq":1,"op":"add_sstable","sstable":{"ID":"a.sst"}}"#,
        &sst(r#","Size":0"#),
        &sst(r#","Size":-1"#),
        &sst(r#","ID":"""#),
        &sst(r#","ID":"..""#),
        &sst(r#","ID":"../manifest/CURRENT""#),
        &sst(r#","ID":"a\u0000b""#),
        &sst(&format!(r#","ID":"{}""#, "a".repeat(300))),
        &sst(r#","MinKey":"Yg==","MaxKey":"YQ==""#),
        &sst(r#","MinKey":"Y"#),
        &sst(r#","MinKey":"Y""#),
        &sst(r#","MinKey":"YQ""#),
        &sst(r#","SeqLo":3,"SeqHi":2"#),
        &sst(r#","SeqHi":72057594037927936"#),
        &sst(r#","MetaOffset":9"#),
        &sst(r#","Bloom":{"Offset":8,"Length":1}"#),
        &sst(r#","Bloom":{"Offset":9,"Length":18446744073709551615}"#),
    ] {
        let error = read_entry(bad).unwrap_err();
        assert_eq!(error.object(), Some("db/manifest/log/1"), "{bad}");
    }
    let unsorted = r#"{"version":1,"blobs":[{"id":"bb","named_at":"2026-01-01T00:00:00Z"}]}"#;
    for bad in [unsorted.to_owned(), unsorted.replace("bb", &"0".repeat(64)), r#"{"version":2}"#.into()] {
        assert!(DoomedBlobs::decode("blobs", bad.as_bytes()).is_err(), "{bad}");
    }
}
