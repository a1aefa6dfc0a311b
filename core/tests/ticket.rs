//! A ticket's version: what is drafted is what reading it asks for, no more and no less, on every fixture and on databases of
//! our own; and what that costs.

#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

mod bucket;
mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::executor::block_on;
use isledb_core::host::{
    Body, Cost, GetOptions, GetResult, ListPage, MemoryStore, Metered, MultipartUpload, ObjectMeta,
    ObjectStore, PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::read::ScanOptions;
use isledb_core::ticket::{Ticket, TicketDraft, TicketRange, decode, draft, encode};
use isledb_core::write::WriterOptions;
use isledb_core::{Db, DbOptions, Error, ErrorKind, Result};

use bucket::{NOW_MS, TestClock, collect, fixtures, load, names, open, source};
use host::TestHost;

/// What the holder of a ticket can get.
#[derive(Clone)]
struct Holder {
    bucket: MemoryStore,
    ticket: Arc<Ticket>,
    touched: Arc<Mutex<BTreeSet<String>>>,
}

impl Holder {
    fn new(bucket: &MemoryStore, ticket: Ticket) -> Holder {
        Holder { bucket: bucket.clone(), ticket: Arc::new(ticket), touched: Arc::default() }
    }

    fn touched(&self) -> BTreeSet<String> {
        self.touched.lock().unwrap().clone()
    }
}

fn refused<T>(key: &str) -> Result<T> {
    Err(Error::Permission { object: key.to_owned(), message: "not in this ticket".to_owned() })
}

impl ObjectStore for Holder {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            let layout = self.ticket.layout()?;
            let current = &self.ticket.current;
            if key == layout.current() {
                let version = Version::new(current.version.as_str());
                if options.if_none_match.as_ref() == Some(&version) {
                    return Err(Error::NotModified { object: key.to_owned() });
                }
                let size = current.body.len() as u64;
                let meta =
                    ObjectMeta { key: key.to_owned(), size, version: Some(version), last_modified_ms: None };
                return Ok(GetResult { meta, range: 0..size, body: Body::once(current.body.clone()) });
            }
            if !self.ticket.objects.contains_key(layout.relative(key).unwrap_or(key)) {
                return refused(key);
            }
            self.touched.lock().unwrap().insert(key.to_owned());
            self.bucket.get(key, options).await
        })
    }
    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { refused(key) })
    }
    fn put<'a>(&'a self, key: &'a str, _: Bytes, _: PutCondition) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move { refused(key) })
    }
    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move { refused(key) })
    }
    fn list<'a>(&'a self, prefix: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move { refused(prefix) })
    }
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move { refused(&keys.join(" ")) })
    }
}

/// As a signer makes it, and as its holder reads it.
fn signed(draft: TicketDraft) -> Ticket {
    let urls = draft.keys().iter().map(|key| format!("https://bucket.example/{key}?signature=0")).collect();
    let (now_ms, until_ms) = (draft.read_at_ms(), draft.good_until_ms());
    let ticket = draft.ticket(now_ms, until_ms, urls, None).unwrap();
    let text = encode(&ticket).unwrap();
    assert_eq!(decode(&text, now_ms).unwrap(), ticket);
    ticket
}

async fn everything(store: Arc<dyn ObjectStore>, clock: Arc<TestClock>, prefix: &str) -> Vec<(Bytes, Bytes)> {
    let reader = open(store, clock, prefix).await.unwrap();
    collect(reader.scan(ScanOptions::default()).await.unwrap()).await.unwrap()
}

#[test]
fn every_fixture_reads_through_its_ticket_as_it_reads_without() {
    let clock = TestClock::new();
    let mut read = 0;
    for name in names() {
        let folder = fixtures().join(&name);
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let prefix = expected["prefix"].as_str().unwrap_or_default();
        let bucket = load(&folder.join("bucket"), clock.clone());
        block_on(async {
            let source = source(Arc::new(bucket.clone()), clock.clone(), prefix);
            let draft = match draft(&source, &TicketRange::default()).await {
                Err(Error::NoDatabase { .. }) => return,
                drafted => drafted.unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            let keys: BTreeSet<String> = draft.keys().iter().cloned().collect();
            let holder = Holder::new(&bucket, signed(draft));
            let plain = everything(Arc::new(bucket.clone()), clock.clone(), source.layout.prefix()).await;
            let through = everything(Arc::new(holder.clone()), clock.clone(), source.layout.prefix()).await;
            assert_eq!(plain, through, "{name}");
            // A scan needs every object but the blobs of values that are overwritten, deleted or expired by now.
            for key in keys.difference(&holder.touched()) {
                assert!(key.contains("/blobs/") || key.starts_with("blobs/"), "{name}: {key} is not needed");
            }
            read += 1;
        });
    }
    assert!(read > 35, "{read} fixtures hold a database");
}

/// Three flushed tables of two keys, `a0 a1`, `b0 b1`, `c0 c1`; the second of each lies in a blob.
async fn three_tables() -> (Metered, MemoryStore, Db) {
    let host = Arc::new(TestHost::new());
    let bucket = MemoryStore::new(host.clone());
    let metered = Metered::new(Arc::new(bucket.clone()));

    let db =
        Db::open(Arc::new(bucket.clone()), host, "db", DbOptions { probe: false, ..DbOptions::default() })
            .unwrap();
    let options = WriterOptions { blob_threshold: 1024, ..WriterOptions::default() };
    let writer = db.writer(options).await.unwrap();
    for letter in ["a", "b", "c"] {
        writer.put(format!("{letter}0").as_bytes(), b"small").await.unwrap();
        writer.put(format!("{letter}1").as_bytes(), letter.repeat(2000).as_bytes()).await.unwrap();
        writer.flush().await.unwrap();
    }
    writer.close().await.unwrap();
    (metered, bucket, db)
}

#[test]
fn blobs_take_two_gets_a_table_in_two_rounds_and_the_rest_is_one_get() {
    block_on(async {
        let (metered, _, db) = three_tables().await;
        let meter = metered.meter();
        let host = db.requests().host.clone();
        let db = Db::open(Arc::new(metered), host, "db", DbOptions::default()).unwrap();
        let draft = db.ticket_draft(&TicketRange::default()).await.unwrap();
        assert_eq!(draft.keys().len(), 3 + 3);
        let Cost { get, head, list, put, round_trips, .. } = meter.cost();
        assert_eq!((get, head, list, put, round_trips), (1 + 3 * 2, 0, 0, 0, 3));
    });
}

#[test]
fn a_range_selects_whole_tables_and_the_rest_is_refused() {
    block_on(async {
        let (_, bucket, db) = three_tables().await;
        let range = TicketRange { start: "b".into(), end: "b1".into() };
        let draft = db.ticket_draft(&range).await.unwrap();
        assert_eq!(draft.keys().len(), 2, "one table and its blob: {:?}", draft.keys());
        let holder = Holder::new(&bucket, signed(draft));
        let db = Db::open(Arc::new(holder), db.requests().host.clone(), "db", DbOptions::default()).unwrap();
        let reader = db.reader(Default::default()).await.unwrap();
        assert_eq!(reader.get(b"b0").await.unwrap().as_deref(), Some(&b"small"[..]));
        // As documented: the other keys of a selected table are there as well.
        assert_eq!(reader.get(b"b1").await.unwrap().unwrap().len(), 2000);
        assert_eq!(reader.get(b"a0").await.unwrap_err().kind(), ErrorKind::Permission);
        let (start, end) = (Bytes::from_static(b"b"), Bytes::from_static(b"b1"));
        let backwards = TicketRange { start: end, end: start };
        assert!(matches!(db.ticket_draft(&backwards).await, Err(Error::InvalidArgument { .. })));
    });
}

#[test]
fn a_ticket_of_nothing_and_of_too_much_is_refused() {
    block_on(async {
        let host = Arc::new(TestHost::new());
        let store = MemoryStore::new(host.clone());
        let db = Db::open(Arc::new(store), host, "db", DbOptions::default()).unwrap();
        let error = db.ticket_draft(&TicketRange::default()).await.unwrap_err();
        assert!(matches!(error, Error::NoDatabase { .. }), "{error}");

        let clock = TestClock::new();
        let store = MemoryStore::new(clock.clone());
        // A window whose entries nobody could fetch: refused by what CURRENT says alone.
        let long = br#"{"snapshot":"","log_seq_start":1,"next_seq":2002,"next_epoch":1}"#;
        store.put("db/manifest/CURRENT", Bytes::from_static(long), PutCondition::None).await.unwrap();
        let metered = Metered::new(Arc::new(store));
        let meter = metered.meter();
        let error =
            draft(&source(Arc::new(metered), clock, "db"), &TicketRange::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("at least 2001") && error.to_string().contains("isledb serve"),
            "{error}"
        );
        assert_eq!(meter.cost().get, 1);
    });
}

#[test]
fn a_missing_object_is_read_again_and_then_named() {
    block_on(async {
        let (_, bucket, db) = three_tables().await;
        let draft = db.ticket_draft(&TicketRange::default()).await.unwrap();
        let table = draft.keys().iter().find(|key| key.ends_with(".sst")).unwrap().clone();
        bucket.delete(std::slice::from_ref(&table)).await.unwrap();
        let cold =
            Db::open(Arc::new(bucket), db.requests().host.clone(), "db", DbOptions::default()).unwrap();
        let error = cold.ticket_draft(&TicketRange::default()).await.unwrap_err();
        assert!(matches!(&error, Error::Corrupt { object, .. } if *object == table), "{error}");
    });
}

/// A valid ticket as JSON, to be spoiled.
fn sample() -> serde_json::Value {
    let body = br#"{"snapshot":"","next_seq":1,"next_epoch":1,"max_view_age_ms":3600000}"#;
    let current = isledb_core::ticket::TicketCurrent {
        version: "\"etag\"".to_owned(),
        body: Bytes::from_static(body),
        read_at_ms: NOW_MS,
        last_modified_ms: Some(NOW_MS - 1000),
    };
    let ticket = Ticket {
        prefix: "some/db".to_owned(),
        issued_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 600_000,
        current,
        max_view_age_ms: 3_600_000,
        range: TicketRange { start: Bytes::from_static(b"a"), end: Bytes::new() },
        objects: BTreeMap::from([("sstable/1-1-7-1.sst".to_owned(), "https://h/some/db/x?s=1".to_owned())]),
        follow: Some(isledb_core::ticket::Follow {
            current: "https://h/some/db/manifest/CURRENT?s=2".to_owned(),
            signer: "http://127.0.0.1:8787".to_owned(),
        }),
    };
    serde_json::from_str(&encode(&ticket).unwrap()).unwrap()
}

#[test]
fn the_document_is_as_documented() {
    let document = sample();
    assert_eq!(document["isledb_ticket"], 1);
    assert_eq!(document["range"], serde_json::json!({"start_b64": "YQ=="}));
    assert_eq!(document["objects"]["sstable/1-1-7-1.sst"], "https://h/some/db/x?s=1");
    assert!(document["current"]["body_b64"].as_str().unwrap().starts_with("eyJzbmFwc2hvdCI6"));
    let ticket = decode(&document.to_string(), NOW_MS).unwrap();
    assert_eq!(decode(&encode(&ticket).unwrap(), NOW_MS).unwrap(), ticket);
    // Without what is optional, and with what a later version may add.
    let mut plain = document;
    for name in ["range", "follow"] {
        plain.as_object_mut().unwrap().remove(name);
    }
    plain["later"] = serde_json::json!({"x": [1]});
    let ticket = decode(&plain.to_string(), NOW_MS).unwrap();
    assert!(ticket.range.is_everything() && ticket.follow.is_none());
}

#[test]
fn a_ticket_ends_at_its_time() {
    let text = sample().to_string();
    decode(&text, NOW_MS + 599_999).unwrap();
    let error = decode(&text, NOW_MS + 600_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    let expected = Error::TicketExpired { expires_at_ms: NOW_MS + 600_000, now_ms: NOW_MS + 600_000 };
    assert_eq!(error, expected);
}

#[test]
fn hostile_tickets_are_refused_with_a_reason() {
    let spoil = |at: &str, value: serde_json::Value| {
        let mut document = sample();
        *document.pointer_mut(at).unwrap() = value;
        decode(&document.to_string(), NOW_MS).unwrap_err()
    };
    let text = |s: &str| serde_json::Value::from(s);
    for (at, value, reason) in [
        ("/prefix", text("../x"), "clean prefix"),
        ("/prefix", text("a//b"), "clean prefix"),
        ("/prefix", text(&"p".repeat(2000)), "prefix of at most"),
        ("/expires_at_ms", (NOW_MS + 3_600_001).into(), "ends with its view"),
        ("/issued_at_ms", (NOW_MS + 600_001).into(), "a life of"),
        ("/max_view_age_ms", u64::MAX.into(), "as CURRENT says"),
        ("/current/version", text(""), "a version of"),
        ("/current/version", text("a\nb"), "a version of"),
        ("/current/body_b64", text("e30="), "as CURRENT says"),
        ("/current/body_b64", text("bm8="), "CURRENT"),
        ("/current/body_b64", text("!"), "a view ticket"),
        ("/objects", serde_json::json!({"../x": "https://h/"}), "the name of a table"),
        ("/objects", serde_json::json!({"manifest/CURRENT": "https://h/"}), "the name of a table"),
        ("/objects", serde_json::json!({"sstable/1.sst": "javascript:alert(1)"}), "http or https"),
        ("/objects", serde_json::json!({"sstable/1.sst": 7}), "a view ticket"),
        ("/follow/signer", text("ftp://h"), "http or https"),
        ("/follow/current", text("https://u:p@h/"), "http or https"),
        ("/range", serde_json::json!({"start_b64": "Yg==", "end_b64": "YQ=="}), "a range"),
    ] {
        let error = spoil(at, value.clone());
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{at} {value}: {error}");
        assert!(error.to_string().contains(reason), "{at} {value}: {error}");
    }
    assert_eq!(spoil("/isledb_ticket", 2.into()).kind(), ErrorKind::Unsupported);

    // What selects nothing is no selection of everything.
    assert_eq!(spoil("/range", serde_json::Value::Null).kind(), ErrorKind::Corrupt);

    let many: BTreeMap<String, &str> =
        (0..2_001).map(|i| (format!("sstable/{i}.sst"), "https://h/")).collect();
    let error = spoil("/objects", serde_json::to_value(many).unwrap());
    assert!(error.to_string().contains("at most 2000 objects"), "{error}");
    let twice = sample().to_string().replacen(
        "\"objects\":{",
        "\"objects\":{\"sstable/1-1-7-1.sst\":\"https://h/\",",
        1,
    );
    assert!(decode(&twice, NOW_MS).unwrap_err().to_string().contains("comes twice"));
    let deep = format!("{{\"isledb_ticket\":1,\"x\":{}", "[".repeat(1 << 20));
    for bad in ["", "{", "[]", "null", "7", "{\"isledb_ticket\":null}", "{\"next_seq\":1}", deep.as_str()] {
        assert_eq!(decode(bad, NOW_MS).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let long = " ".repeat((16 << 20) + 1);
    assert!(decode(&long, NOW_MS).unwrap_err().to_string().contains("at most 16777216 bytes"));
}

#[test]
fn every_byte_that_is_cut_or_changed_is_read_or_refused() {
    let text = sample().to_string();
    for end in 0..text.len() {
        let _ = decode(&text[..end], NOW_MS).unwrap_err();
    }
    for at in 0..text.len() {
        for byte in [b'"', b'{', b'0', b'/', b'\\'] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            if let Ok(ticket) = decode(std::str::from_utf8(&bytes).unwrap(), NOW_MS) {
                assert!(encode(&ticket).is_ok(), "at {at}");
            }
        }
    }
}
