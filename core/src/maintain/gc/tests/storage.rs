//! What a mark storage must do, of those that core has; and documents that must not be understood halfway.

use bytes::Bytes;
use futures::executor::block_on;

use super::*;
use crate::error::Error;
use crate::format::layout::Layout;
use crate::host::testing::VirtualClock;
use crate::host::{MemoryStore, Requests};
use crate::maintain::gc::documents;
use crate::maintain::gc::{MarkDocument, MarkStorage, MemoryMarks, ObjectMarks};

fn storages() -> Vec<Box<dyn MarkStorage>> {
    let clock = VirtualClock::at_unix_ms(NOW_MS);
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let requests = Requests::new(Arc::new(store), Arc::new(clock));
    let layout = Layout::new("elsewhere/marks").unwrap();
    vec![Box::new(MemoryMarks::new(layout.clone())), Box::new(ObjectMarks::new(requests, layout))]
}

#[test]
fn a_document_is_replaced_only_in_the_version_that_is_known() {
    for storage in storages() {
        block_on(async {
            for document in MarkDocument::ALL {
                assert!(storage.load(document).await.unwrap().is_none());
                let first = storage.store(document, Bytes::from_static(b"1"), None).await.unwrap();
                for stale in [None, Some(crate::host::Version::new("other"))] {
                    let error = storage.store(document, Bytes::from_static(b"x"), stale).await.unwrap_err();
                    assert_eq!(error, Error::Precondition { object: storage.name(document) });
                }
                let second =
                    storage.store(document, Bytes::from_static(b"2"), Some(first.clone())).await.unwrap();
                assert_ne!(first, second);
                let loaded = storage.load(document).await.unwrap().unwrap();
                assert_eq!((loaded.bytes, loaded.version), (Bytes::from_static(b"2"), second));
                assert!(storage.store(document, Bytes::from_static(b"x"), Some(first)).await.is_err());
            }
        });
    }
}

#[test]
fn a_document_that_is_not_understood_is_an_error_with_its_name() {
    let seal = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    for storage in storages() {
        block_on(async {
            let pending = storage.name(MarkDocument::Pending);
            let mut version = None;
            for (body, unsupported) in [
                (r#"{"version":2}"#, true),
                (r#"{"version":1,"marks":[{"version":7,"sst_id":"a.sst"}]}"#, true),
                (r#"{"version":1,"marks":[{"version":1,"sst_id":"../CURRENT"}]}"#, false),
                (r#"{"version":1,"marks":[{"version":1}]}"#, false),
                (r#"{"version":1,"marks":[{"version":1,"sst_id":"a.sst"}"#, false),
                ("", false),
            ] {
                version = Some(storage.store(MarkDocument::Pending, seal(body), version).await.unwrap());
                let error = documents::load_marks(storage.as_ref()).await.unwrap_err();
                assert_eq!(error.object(), Some(pending.as_str()), "{body}: {error}");
                assert_eq!(matches!(error, Error::Unsupported { .. }), unsupported, "{body}: {error}");
            }
            let body = seal(r#"{"version":3,"last_applied_seq":5}"#);
            storage.store(MarkDocument::Checkpoint, body, None).await.unwrap();
            let error = documents::load_checkpoint(storage.as_ref()).await.unwrap_err();
            assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        });
    }
}

#[test]
fn documents_are_equal_in_form_to_the_originals() {
    let theirs = r#"{"version":1,"marks":[{"version":1,"sst_id":"1-1-120-7.sst","first_seen_unreferenced_at":"2027-01-15T08:00:01Z","last_seen_unreferenced_at":"2027-01-15T08:00:01Z","first_seen_seq":18,"last_seen_seq":18,"first_reason":"log_compaction_remove","last_reason":"log_compaction_remove","due_at":"0001-01-01T00:00:00Z"}]}"#;
    let plan = Look { entries: vec![merges(18, &["1-1-120-7.sst"], &[])], ..Look::new() }.plan();
    let mut marks = plan.marks.clone();
    let ours = String::from_utf8(marks.encode_plain()).unwrap();
    assert!(ours.starts_with(theirs.strip_suffix("}]}").unwrap()), "ours only adds fields behind: {ours}");
    (marks.marks[0].add_seq, marks.marks[0].size) = (None, None);
    assert_eq!(String::from_utf8(marks.encode_plain()).unwrap(), theirs);
    let checkpoint = String::from_utf8(plan.checkpoint.encode_plain()).unwrap();
    let theirs = r#"{"version":1,"last_applied_seq":20,"last_seen_log_seq_start":10,"updated_at":"2027-01-15T08:00:00Z""#;
    assert!(checkpoint.starts_with(theirs), "{checkpoint}");
}
