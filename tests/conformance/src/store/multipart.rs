//! Uploads in parts.

use bytes::Bytes;
use isledb_core::Error;

use crate::Place;
use crate::place::body_of;

const PART: usize = 5 << 20;

fn part(number: u8, bytes: usize) -> Bytes {
    Bytes::from((0..bytes).map(|i| (i % 253) as u8 ^ number).collect::<Vec<u8>>())
}

/// The last, small part is polled first and all beside one another: arrival says nothing about order.
pub(super) async fn parts_in_the_order_of_their_calls(at: Place) {
    let key = at.key("dir/object");
    let parts = [part(1, PART), part(2, PART), part(3, PART + 1), part(4, 777)];
    let mut upload = at.store.put_multipart(&key).await.unwrap();
    let mut uploads: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone())).collect();
    uploads.reverse();
    for answer in futures::future::join_all(uploads).await {
        answer.unwrap();
    }
    let version = upload.complete().await.unwrap();
    let (found, found_version) = at.read(&key).await;
    assert!(found == parts.concat(), "{} bytes, or in another order", found.len());
    assert_eq!(found_version, version, "the version that complete gave");
    let got = at.get(&key, Some(PART as u64 - 1..PART as u64 + 1)).await.unwrap();
    assert_eq!(body_of(&key, got).await[..], [parts[0][PART - 1], parts[1][0]]);
    assert!(matches!(at.get_unless(&key, &version).await, Err(Error::NotModified { .. })));
    assert_eq!(at.keys(&at.prefix, None).await, [key]);
}

pub(super) async fn nothing_is_visible_before_complete(at: Place) {
    let key = at.key("object");
    let mut upload = at.store.put_multipart(&key).await.unwrap();
    upload.put_part(part(1, PART)).await.unwrap();
    upload.put_part(part(2, 10)).await.unwrap();
    assert!(matches!(at.get(&key, None).await, Err(Error::NotFound { .. })));
    assert!(matches!(at.store.head(&key).await, Err(Error::NotFound { .. })));
    assert!(at.keys(&at.prefix, None).await.is_empty(), "parts are listed");
    upload.complete().await.unwrap();
    assert_eq!(at.store.head(&key).await.unwrap().size, PART as u64 + 10);
}

pub(super) async fn one_small_part(at: Place) {
    let key = at.key("object");
    let mut upload = at.store.put_multipart(&key).await.unwrap();
    upload.put_part(Bytes::from_static(b"small")).await.unwrap();
    let version = upload.complete().await.unwrap();
    assert_eq!(at.read(&key).await, (Bytes::from_static(b"small"), version));
}

pub(super) async fn complete_is_unconditional(at: Place) {
    let key = at.key("object");
    let old = at.put(&key, "old").await;
    let mut upload = at.store.put_multipart(&key).await.unwrap();
    upload.put_part(part(9, PART)).await.unwrap();
    upload.put_part(part(8, 1)).await.unwrap();
    assert_eq!(at.read(&key).await.0, "old", "the old object stays until then");
    let new = upload.complete().await.unwrap();
    assert_ne!(old, new);
    assert_eq!(at.store.head(&key).await.unwrap().size, PART as u64 + 1);
}

pub(super) async fn aborted_upload_leaves_nothing(at: Place) {
    let (fresh, present) = (at.key("fresh"), at.key("present"));
    at.put(&present, "old").await;
    for key in [&fresh, &present] {
        let mut upload = at.store.put_multipart(key).await.unwrap();
        upload.put_part(part(1, PART)).await.unwrap();
        upload.abort().await.unwrap();
    }
    assert!(matches!(at.get(&fresh, None).await, Err(Error::NotFound { .. })));
    assert_eq!(at.read(&present).await.0, "old");
    assert_eq!(at.keys(&at.prefix, None).await, [present]);
}
