//! Each kind of plugin, as the SDK's example of it does its work.

#![allow(clippy::unwrap_used, reason = "a test")]

mod plugin;

use bytes::Bytes;
use isledb::format::blob::BlobId;
use isledb::maintain::{CompactionFilter, FilterEntry, FilterValue, Verdict};
use isledb::manifest::LsnExtractor;
use isledb_wasmtime::plugin::{
    CompactionFilterPlugin, Fault, KeyFormatterPlugin, LsnPlugin, Transformed, ValueTransformPlugin,
};

use plugin::{engine, example};

const DAY_MS: u64 = 86_400_000;

#[test]
fn a_compaction_filter_keeps_drops_and_replaces() {
    let plugin = CompactionFilterPlugin::new(engine(), "expire.wasm", &example("expire_by_prefix")).unwrap();
    assert!(
        plugin.name().starts_with("expire.wasm (sha256 ") && plugin.name().len() == 33,
        "{}",
        plugin.name()
    );
    let long = [b'x'; 100];
    let of = |key, value| FilterEntry { key, value, sequence: 1, expires_at_ms: None };
    let batch = [
        of(b"log/1000/a", FilterValue::Inline(&long)),
        of(b"log/1000/b", FilterValue::Inline(b"short")),
        of(b"log/1000/c", FilterValue::Blob(BlobId::of(b"large"))),
        of(b"log/1001/d", FilterValue::Inline(&long)),
        of(b"other", FilterValue::Inline(&long)),
        of(b"session/1000/a", FilterValue::Blob(BlobId::of(b"large"))),
        of(b"session/1001/a", FilterValue::Inline(b"")),
        of(b"session/soon/a", FilterValue::Inline(b"")),
    ];
    let cut = Verdict::Replace(Bytes::copy_from_slice(&long[..64]));
    let (keep, drop) = (Verdict::Keep, Verdict::Drop);
    let expected = [&cut, &keep, &keep, &keep, &keep, &drop, &keep, &keep].map(Verdict::clone);
    assert_eq!(plugin.filter(1000 + DAY_MS, &batch).unwrap(), expected);
    assert_eq!(plugin.filter(1000 + DAY_MS, &batch).unwrap(), expected, "the same again");
    assert_eq!(plugin.filter(0, &batch).unwrap(), vec![Verdict::Keep; 8]);
}

/// As large as a batch can be, and one entry that is larger alone.
#[test]
fn a_full_batch_fits_into_the_default_limits() {
    let plugin = CompactionFilterPlugin::new(engine(), "expire.wasm", &example("expire_by_prefix")).unwrap();
    let keys: Vec<Vec<u8>> = (0..4096).map(|i| format!("session/{i}/{i:040}").into_bytes()).collect();
    let of = |key, value| FilterEntry { key, value, sequence: 1 << 55, expires_at_ms: Some(u64::MAX) };
    let mut batch: Vec<_> = keys.iter().map(|key| of(key, FilterValue::Inline(b"value"))).collect();
    let large = vec![7; 8 << 20];
    batch[4095] = of(b"x", FilterValue::Inline(&large));
    let verdicts = plugin.filter(DAY_MS + 2047, &batch).unwrap();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Drop).count(), 2048);
}

#[test]
fn an_lsn_extractor_reads_numbers_and_says_why_it_cannot() {
    let plugin = LsnPlugin::new(engine(), "lsn.wasm", &example("lsn_of_key")).unwrap();
    let max = [b"wal/".as_slice(), &[0xff; 8]].concat();
    let keys: [&[u8]; 3] = [b"wal/\0\0\0\0\0\0\x01\x02", b"other", &max];
    assert_eq!(plugin.extract(&keys).unwrap(), [Some(258), None, Some(u64::MAX)]);
    assert_eq!(plugin.lsn(keys[0]).unwrap(), Some(258));
    let error = plugin.extract(&[b"wal/1", b"other"]).unwrap_err();
    let message = "wal/ is followed by 1 bytes, and a position has 8".to_owned();
    assert_eq!(error.fault, Fault::Refused { function: "extract", message });
    assert!(error.to_string().starts_with("plugin lsn.wasm (sha256 "), "{error}");
}

#[test]
fn a_value_transform_changes_hides_and_refuses_one_by_one() {
    let plugin = ValueTransformPlugin::new(engine(), "redact.wasm", &example("redact_json")).unwrap();
    let entries: Vec<(&[u8], &[u8])> = vec![
        (b"a", br#"{"v":1,"data":{"name":"Ada","email":"ada@example.org"}}"#),
        (b"b", b"plain"),
        (b"c", br#"{"v":1,"deleted":true}"#),
        (b"d", br#"{"v":2,"data":{}}"#),
        (b"e", b""),
    ];
    let outcomes = plugin.apply(1, &entries).unwrap();
    assert_eq!(outcomes[0], Ok(Transformed::Replaced(Bytes::from_static(br#"{"name":"Ada"}"#))));
    assert_eq!((&outcomes[1], &outcomes[2]), (&Ok(Transformed::Unchanged), &Ok(Transformed::Hidden)));
    let error = outcomes[3].clone().unwrap_err();
    assert!(
        error.to_string().ends_with("`apply` failed: an envelope of version 2, only 1 is known"),
        "{error}"
    );
    assert_eq!(outcomes[4], Ok(Transformed::Unchanged));

    assert!(plugin.apply(1, &[]).unwrap().is_empty());
    let many: Vec<(&[u8], &[u8])> = entries.iter().copied().cycle().take(10_000).collect();
    let repeated: Vec<_> = outcomes.iter().cloned().cycle().take(10_000).collect();
    assert!(plugin.apply(1, &many).unwrap() == repeated, "over several batches");
}

#[test]
fn a_formatter_shows_keys_and_values() {
    let plugin = KeyFormatterPlugin::new(engine(), "keys.wasm", &example("readable_keys")).unwrap();
    let time = |at_ms: u64| [b"t".as_slice(), &at_ms.to_be_bytes()].concat();
    let times = [time(0), time(951_782_400_000), time(1_790_000_000_123), time(u64::MAX)];
    let mut keys: Vec<&[u8]> = times.iter().map(Vec::as_slice).collect();
    keys.push(b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    keys.extend([b"\0\0\0\0\0\0\0\x2a".as_slice(), b"text"]);
    let texts = plugin.keys(&keys).unwrap();
    let texts: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
    assert_eq!(
        texts,
        [
            Some("1970-01-01T00:00:00.000Z"),
            Some("2000-02-29T00:00:00.000Z"),
            Some("2026-09-21T14:13:20.123Z"),
            Some("584556019-04-03T14:25:51.615Z"),
            Some("00010203-0405-0607-0809-0a0b0c0d0e0f"),
            Some("42"),
            None
        ]
    );
    let long = vec![b'v'; 1 << 20];
    let entries: [(&[u8], &[u8]); 3] = [(b"a", b"\0\0\0\0\0\0\0\x07"), (b"b", b"v"), (b"c", &long)];
    assert_eq!(plugin.values(&entries).unwrap(), [Some("7".to_owned()), None, None]);
}
