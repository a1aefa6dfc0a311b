//! Get, ranges, head.

use bytes::Bytes;
use futures::StreamExt;
use isledb_core::Error;

use crate::Place;
use crate::place::body_of;

pub(super) async fn whole_object_with_its_meta_data(at: Place) {
    let key = at.key("dir/object");
    let version = at.put(&key, "some bytes").await;
    let got = at.get(&key, None).await.unwrap();
    assert_eq!(got.meta.key, key);
    assert_eq!(got.meta.size, 10);
    assert_eq!(got.meta.version.as_ref(), Some(&version), "the version of the put");
    assert_eq!(got.range, 0..10);
    if let Some(ms) = got.meta.last_modified_ms {
        assert!(ms < 1 << 43, "last_modified_ms {ms} is not in milliseconds");
    }
    assert_eq!(body_of(&key, got).await, "some bytes");
}

pub(super) async fn missing_object_is_not_found(at: Place) {
    let other = at.put(&at.key("dir/object"), "x").await;
    // A folder and a longer name are no objects either.
    for name in ["absent", "dir", "dir/object2", "dir/object/below"] {
        let key = at.key(name);
        let not_found = |error: Error| {
            assert!(matches!(&error, Error::NotFound { object } if *object == key), "{name}: {error:?}");
        };
        not_found(at.get(&key, None).await.unwrap_err());
        not_found(at.get(&key, Some(0..1)).await.unwrap_err());
        not_found(at.get_unless(&key, &other).await.unwrap_err());
        not_found(at.store.head(&key).await.unwrap_err());
    }
}

pub(super) async fn ranges_are_exact(at: Place) {
    let key = at.key("object");
    let body: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    let version = at.put(&key, body.clone()).await;
    for range in [0..1, 0..100_000, 1..2, 4_096..8_192, 65_535..65_537, 50_000..100_000, 99_999..100_000] {
        let got =
            at.get(&key, Some(range.clone())).await.unwrap_or_else(|error| panic!("{range:?}: {error}"));
        assert_eq!(got.range, range);
        assert_eq!(got.meta.size, 100_000, "{range:?}: the size is that of the whole object");
        assert_eq!(got.meta.version.as_ref(), Some(&version), "{range:?}");
        let expected = &body[range.start as usize..range.end as usize];
        assert!(body_of(&key, got).await == expected, "{range:?}: other bytes");
    }
}

pub(super) async fn range_beyond_the_object_is_corrupt(at: Place) {
    let key = at.key("object");
    at.put(&key, vec![7u8; 1_000]).await;
    for range in [0..1_001, 999..1_001, 1_000..1_001, 5_000..6_000] {
        let ended = match at.get(&key, Some(range.clone())).await {
            Ok(got) => got.body.collect(&key, range.end - range.start).await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = ended.expect_err("bytes beyond the end");
        assert!(matches!(&error, Error::Corrupt { object, .. } if *object == key), "{range:?}: {error:?}");
    }
    let error = at.store.get_ranges(&key, &[0..10, 990..1_010]).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
}

pub(super) async fn ranges_come_in_the_order_asked(at: Place) {
    let key = at.key("object");
    let body = Bytes::from((0..5_000u32).flat_map(|i| i.to_le_bytes()).collect::<Vec<u8>>());
    at.put(&key, body.clone()).await;
    // Unsorted, overlapping, twice the same.
    let ranges = [19_000..20_000, 0..4, 2..6, 0..4, 0..20_000, 7..8];
    let got = at.store.get_ranges(&key, &ranges).await.unwrap();
    assert_eq!(got.len(), ranges.len());
    for (range, bytes) in ranges.iter().zip(got) {
        assert!(bytes == body[range.start as usize..range.end as usize], "{range:?}: other bytes");
    }
    assert!(at.store.get_ranges(&key, &[]).await.unwrap().is_empty());
    let error = at.store.get_ranges(&at.key("absent"), &ranges[1..2]).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

pub(super) async fn latest_completed_write_is_read(at: Place) {
    let key = at.key("object");
    for round in 0..20 {
        let body = format!("round {round}");
        at.put(&key, body.clone()).await;
        assert_eq!(at.read(&key).await.0, body);
        assert_eq!(at.store.head(&key).await.unwrap().size, body.len() as u64);
    }
    at.store.delete(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
    assert!(matches!(at.get(&key, None).await, Err(Error::NotFound { .. })), "deleted, and still there");
}

pub(super) async fn known_version_is_not_modified(at: Place) {
    let key = at.key("object");
    let first = at.put(&key, "first").await;
    let error = at.get_unless(&key, &first).await.unwrap_err();
    assert!(matches!(&error, Error::NotModified { object } if *object == key), "{error:?}");
    let second = at.put(&key, "second").await;
    let got = at.get_unless(&key, &first).await.unwrap();
    assert_eq!(got.meta.version.as_ref(), Some(&second));
    assert_eq!(body_of(&key, got).await, "second");
    assert!(matches!(at.get_unless(&key, &second).await, Err(Error::NotModified { .. })));
}

pub(super) async fn version_is_the_same_by_every_method(at: Place) {
    let key = at.key("object");
    let first = at.put(&key, "first").await;
    let second = at.put(&key, "second").await;
    assert_ne!(first, second, "other content, other version");
    assert_eq!(at.read(&key).await.1, second);
    let head = at.store.head(&key).await.unwrap();
    assert_eq!((head.key, head.size), (key.clone(), 6));
    if let Some(version) = head.version {
        assert_eq!(version, second);
    }
    let (listed, _) = at.list_all(&key, None).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].key.as_str(), listed[0].size), (key.as_str(), 6));
    if let Some(version) = &listed[0].version {
        assert_eq!(*version, second);
    }
}

pub(super) async fn empty_object(at: Place) {
    let key = at.key("empty");
    let version = at.put(&key, Bytes::new()).await;
    let got = at.get(&key, None).await.unwrap();
    assert_eq!((got.meta.size, got.range.clone()), (0, 0..0));
    assert_eq!(got.meta.version.as_ref(), Some(&version));
    assert_eq!(body_of(&key, got).await, "");
    assert_eq!(at.store.head(&key).await.unwrap().size, 0);
    assert_eq!(at.keys(&key, None).await, [key]);
}

pub(super) async fn every_byte_survives(at: Place) {
    let key = at.key("bytes.json");
    // Names and first bytes that invite a store to guess a type, an encoding or a compression.
    for body in [
        (0..=255u8).collect::<Vec<_>>(),
        b"\x1f\x8b\x08\x00\r\n\r\n--\0".to_vec(),
        b"{\"a\":\xff}\r\n".to_vec(),
    ] {
        at.put(&key, body.clone()).await;
        assert_eq!(at.read(&key).await.0, body);
    }
}

pub(super) async fn large_object_streams(at: Place) {
    let key = at.key("large");
    let word = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes();
    let body = Bytes::from((0..3_000_001u64).flat_map(word).collect::<Vec<u8>>());
    at.put(&key, body.clone()).await;
    let got = at.get(&key, None).await.unwrap();
    assert_eq!(got.meta.size, body.len() as u64);
    let (mut stream, mut at_byte) = (got.body.into_stream(), 0);
    while let Some(piece) = stream.next().await {
        let piece = piece.unwrap();
        assert!(at_byte + piece.len() <= body.len(), "more than the object");
        assert!(piece == body[at_byte..at_byte + piece.len()], "other bytes after byte {at_byte}");
        at_byte += piece.len();
    }
    assert_eq!(at_byte, body.len(), "a short body must end in an error");
    // A body that is dropped half read must not harm the next request.
    let mut half = at.get(&key, None).await.unwrap().body.into_stream();
    assert!(half.next().await.is_some());
    drop(half);
    let tail = body.len() as u64 - 9..body.len() as u64;
    let got = at.get(&key, Some(tail)).await.unwrap();
    assert!(body_of(&key, got).await == body[body.len() - 9..]);
}
