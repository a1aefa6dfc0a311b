//! A gateway that gives quoted ETags and wants them back bare: found out once, by the first put that settles it.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

use bytes::Bytes;
use isledb::host::{ObjectStore, PutCondition, Version};
use isledb::{CloudStore, Error, Result};
use isledb_test_servers::{BUCKET, Gateway};
use object_store::aws::AmazonS3Builder;

struct Counted {
    gateway: Gateway,
    store: CloudStore,
}

impl Counted {
    fn new() -> Counted {
        let gateway = Gateway::start().unwrap();
        let builder = AmazonS3Builder::new()
            .with_client_options(CloudStore::client_options())
            .with_allow_http(true)
            .with_endpoint(gateway.endpoint())
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id("id")
            .with_secret_access_key("secret");
        Counted { store: CloudStore::s3(builder).unwrap(), gateway }
    }

    /// The answer to a put, and the requests that it took.
    async fn put(&self, body: &'static str, condition: PutCondition) -> (Result<Version>, u64) {
        let before = self.gateway.requests();
        let answer = self.store.put("k", Bytes::from_static(body.as_bytes()), condition).await;
        (answer, self.gateway.requests() - before)
    }
}

#[tokio::test]
async fn the_bare_etag_is_found_out_once() {
    let at = Counted::new();
    let (first, requests) = at.put("1", PutCondition::IfAbsent).await;
    let first = first.unwrap();
    assert!(first.as_str().starts_with('"') && requests == 1);
    let (second, requests) = at.put("2", PutCondition::IfMatch(first.clone())).await;
    assert_eq!(requests, 3, "refused, looked at, put");
    let (third, requests) = at.put("3", PutCondition::IfMatch(second.unwrap())).await;
    assert_eq!(requests, 1);
    third.unwrap();
    let (stale, requests) = at.put("4", PutCondition::IfMatch(first)).await;
    assert!(matches!(stale, Err(Error::Precondition { .. })) && requests == 1);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_settles_nothing() {
    let at = Counted::new();
    let stale = at.put("1", PutCondition::None).await.0.unwrap();
    let now = at.put("2", PutCondition::None).await.0.unwrap();
    for _ in 0..2 {
        let (refused, requests) = at.put("3", PutCondition::IfMatch(stale.clone())).await;
        assert!(matches!(refused, Err(Error::Precondition { .. })));
        assert_eq!(requests, 2, "refused, looked at");
    }
    at.put("3", PutCondition::IfMatch(now)).await.0.unwrap();
}
