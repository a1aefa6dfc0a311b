//! Conditional puts, one after the other.

use bytes::Bytes;
use futures::future::{Either, select};
use isledb_core::host::{PutCondition, Version};
use isledb_core::{Error, Result};

use crate::Place;

#[track_caller]
fn does_not_hold(put: Result<Version>, key: &str) {
    let error = put.expect_err("the condition does not hold");
    assert!(matches!(&error, Error::Precondition { object } if object == key), "{error:?}");
}

pub(super) async fn if_absent_creates_once(at: Place) {
    let key = at.key("object");
    let first = at.put_if(&key, "first", PutCondition::IfAbsent).await.unwrap();
    does_not_hold(at.put_if(&key, "second", PutCondition::IfAbsent).await, &key);
    // Not even for the same content.
    does_not_hold(at.put_if(&key, "first", PutCondition::IfAbsent).await, &key);
    assert_eq!(at.read(&key).await, (Bytes::from("first"), first));
}

pub(super) async fn if_match_replaces_only_its_version(at: Place) {
    let key = at.key("object");
    let first = at.put(&key, "first").await;
    let second = at.put_if(&key, "second", PutCondition::IfMatch(first.clone())).await.unwrap();
    assert_eq!(at.read(&key).await, (Bytes::from("second"), second.clone()));
    does_not_hold(at.put_if(&key, "third", PutCondition::IfMatch(first)).await, &key);
    assert_eq!(at.read(&key).await, (Bytes::from("second"), second.clone()));
    // The version that a get gives serves as well as that of a put.
    let (_, read) = at.read(&key).await;
    let third = at.put_if(&key, "third", PutCondition::IfMatch(read)).await.unwrap();
    does_not_hold(at.put_if(&key, "fourth", PutCondition::IfMatch(second)).await, &key);
    assert_eq!(at.read(&key).await, (Bytes::from("third"), third));
}

pub(super) async fn if_match_on_an_absent_object_does_not_hold(at: Place) {
    let version = at.put(&at.key("other"), "first").await;
    let key = at.key("absent");
    does_not_hold(at.put_if(&key, "second", PutCondition::IfMatch(version)).await, &key);
    assert!(matches!(at.get(&key, None).await, Err(Error::NotFound { .. })), "and nothing is created");
}

pub(super) async fn deleted_object_is_absent_to_conditions(at: Place) {
    let key = at.key("object");
    let first = at.put(&key, "first").await;
    at.store.delete(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
    does_not_hold(at.put_if(&key, "second", PutCondition::IfMatch(first.clone())).await, &key);
    at.put_if(&key, "second", PutCondition::IfAbsent).await.unwrap();
    does_not_hold(at.put_if(&key, "third", PutCondition::IfMatch(first)).await, &key);
    assert_eq!(at.read(&key).await.0, "second");
}

/// A request is cancelled by dropping its future. It is then applied or not; nothing after it suffers.
pub(super) async fn dropped_put_leaves_the_store_usable(at: Place) {
    for round in 0..10 {
        let key = at.key(&format!("object-{round}"));
        let body = Bytes::from(vec![round as u8; 200_000]);
        let put = at.put_if(&key, body.clone(), PutCondition::IfAbsent);
        match select(Box::pin(put), Box::pin(polls(round))).await {
            Either::Left((put, _)) => assert!(put.is_ok(), "{put:?}"),
            Either::Right(_) => match at.get(&key, None).await {
                Ok(got) => assert!(got.meta.size == body.len() as u64, "a part of an object is visible"),
                Err(error) => assert!(matches!(error, Error::NotFound { .. }), "{error:?}"),
            },
        }
        let other = at.key(&format!("other-{round}"));
        at.put_if(&other, "x", PutCondition::IfAbsent).await.unwrap();
        assert_eq!(at.read(&other).await.0, "x");
    }
}

/// Resolves when it was polled that often. It wakes itself, so what it runs beside gets as many polls.
async fn polls(times: usize) {
    for _ in 0..times {
        let mut polled = false;
        futures::future::poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}
