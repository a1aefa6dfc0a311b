//! The contract of [`MarkStorage`], sentence by sentence.

use bytes::Bytes;
use isledb_core::Error;
use isledb_core::host::Version;
use isledb_core::maintain::gc::{MarkDocument, MarkStorage};

/// Panics where the storage, in which nothing is yet, does not do what it must.
pub async fn keeps_marks(storage: &dyn MarkStorage) {
    let body = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    for document in MarkDocument::ALL {
        assert!(storage.load(document).await.unwrap().is_none());
        let refused = Error::Precondition { object: storage.name(document) };
        let unknown = Some(Version::new("unknown"));
        assert_eq!(storage.store(document, body("x"), unknown.clone()).await.unwrap_err(), refused);
        let first = storage.store(document, body("first"), None).await.unwrap();
        for stale in [None, unknown] {
            assert_eq!(storage.store(document, body("x"), stale).await.unwrap_err(), refused);
        }
        let second = storage.store(document, body("second"), Some(first.clone())).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(storage.store(document, body("x"), Some(first)).await.unwrap_err(), refused);
        let loaded = storage.load(document).await.unwrap().unwrap();
        assert_eq!((loaded.bytes, &loaded.version), (body("second"), &second));
        let race = (0..8).map(|n| {
            let (bytes, version) = (body(&format!("race {n}")), second.clone());
            async move { storage.store(document, bytes, Some(version)).await.is_ok() }
        });
        let won = futures::future::join_all(race).await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
    }
    assert_ne!(storage.name(MarkDocument::Pending), storage.name(MarkDocument::Checkpoint));
}
