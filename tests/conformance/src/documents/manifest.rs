//! The contract of [`ManifestStorage`], sentence by sentence.

use bytes::Bytes;
use isledb_core::Error;
use isledb_core::format::ksuid::Ksuid;
use isledb_core::host::Version;
use isledb_core::manifest::ManifestStorage;

/// Panics where the storage, in which nothing is yet, does not do what it must. `tick` lets so much time pass that the
/// storage's clock shows it.
pub async fn keeps_a_manifest(storage: &dyn ManifestStorage, tick: impl Fn()) {
    storage.prove().await.unwrap();
    current(storage).await;
    log(storage).await;
    snapshots(storage, tick).await;
    races(storage).await;
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn current(storage: &dyn ManifestStorage) {
    let object = storage.layout().current();
    assert_eq!(storage.read_current(None).await.unwrap_err(), Error::NotFound { object: object.clone() });
    let refused = Error::Precondition { object: object.clone() };
    let unknown = Some(Version::new("unknown"));
    assert_eq!(storage.write_current(body("x"), unknown.clone()).await.unwrap_err(), refused);
    let first = storage.write_current(body("first"), None).await.unwrap();
    for stale in [None, unknown] {
        assert_eq!(storage.write_current(body("x"), stale).await.unwrap_err(), refused);
    }
    let read = storage.read_current(None).await.unwrap();
    assert_eq!((read.bytes, &read.version), (body("first"), &first));
    let unchanged = storage.read_current(Some(first.clone())).await.unwrap_err();
    assert_eq!(unchanged, Error::NotModified { object });
    let second = storage.write_current(body("second"), Some(first.clone())).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(storage.write_current(body("x"), Some(first.clone())).await.unwrap_err(), refused);
    let read = storage.read_current(Some(first)).await.unwrap();
    assert_eq!((read.bytes, read.version), (body("second"), second));
}

async fn log(storage: &dyn ManifestStorage) {
    let missing = storage.read_log(7).await.unwrap_err();
    assert_eq!(missing, Error::NotFound { object: storage.layout().log(7) });
    assert!(storage.list_log(0).await.unwrap().is_empty());
    for slot in [3, 1, 20, u64::MAX] {
        storage.write_log(slot, body(&slot.to_string())).await.unwrap();
        let again = storage.write_log(slot, body("again")).await.unwrap_err();
        assert!(matches!(again, Error::Precondition { .. }), "{again}");
        assert_eq!(storage.read_log(slot).await.unwrap(), body(&slot.to_string()));
    }
    assert_eq!(storage.list_log(0).await.unwrap(), [1, 3, 20, u64::MAX], "ascending, as numbers");
    assert_eq!(storage.list_log(3).await.unwrap(), [20, u64::MAX]);
    assert!(storage.list_log(u64::MAX).await.unwrap().is_empty());
    storage.delete_log(&[1, 2, 20]).await.unwrap();
    storage.delete_log(&[]).await.unwrap();
    assert_eq!(storage.list_log(0).await.unwrap(), [3, u64::MAX]);
    assert!(storage.read_log(20).await.is_err());
}

async fn snapshots(storage: &dyn ManifestStorage, tick: impl Fn()) {
    let [first, second] = [1, 2].map(|n| Ksuid::new(1_790_000_000_000_000_000, [n; 16]).to_string());
    let missing = storage.read_snapshot(&first).await.unwrap_err();
    assert_eq!(missing, Error::NotFound { object: storage.layout().snapshot(&first) });
    for text in ["first", "first, once more"] {
        storage.write_snapshot(&first, body(text)).await.unwrap();
        assert_eq!(storage.read_snapshot(&first).await.unwrap(), body(text));
    }
    tick();
    assert!(storage.superseded_snapshots().await.unwrap().is_empty(), "CURRENT is older");
    let version = storage.read_current(None).await.unwrap().version;
    storage.write_current(body("third"), Some(version)).await.unwrap();
    tick();
    storage.write_snapshot(&second, body("second")).await.unwrap();
    assert_eq!(storage.superseded_snapshots().await.unwrap(), [first.as_str()]);
    storage.delete_snapshots(&[first.clone(), "missing".to_owned()]).await.unwrap();
    assert!(storage.read_snapshot(&first).await.is_err());
    assert_eq!(storage.read_snapshot(&second).await.unwrap(), body("second"));
}

/// Of writes that are made together exactly one holds.
async fn races(storage: &dyn ManifestStorage) {
    let won = |results: Vec<bool>| assert_eq!(results.into_iter().filter(|won| *won).count(), 1);
    let slot = (0..8).map(|n| async move { storage.write_log(100, body(&n.to_string())).await.is_ok() });
    won(futures::future::join_all(slot).await);
    let version = storage.read_current(None).await.unwrap().version;
    let current = (0..8).map(|n| {
        let (bytes, version) = (body(&format!("race {n}")), version.clone());
        async move { storage.write_current(bytes, Some(version)).await.is_ok() }
    });
    won(futures::future::join_all(current).await);
}
