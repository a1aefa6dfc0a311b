//! URLs by which whoever holds them may make one request, on one object, for a while: what view tickets and signers give out.

use std::sync::Arc;
use std::time::Duration;

use isledb_core::ticket::MAX_TTL_MS;
use isledb_core::{Error, Result};
use object_store::path::Path;
use object_store::signer::{Method, Signer, Url};

use crate::cloud;

/// What a presigned URL permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresignedMethod {
    /// To read the object, whole or in ranges.
    Get,
    /// To write it. The store honours conditions (`If-None-Match`, `If-Match`) that the request carries, but nothing makes the
    /// holder send them.
    Put,
}

/// Signs URLs with the credentials of a store. Clones share it.
///
/// Nothing but the host header goes into the signature, so that a browser, which sends what it likes besides, can use the URL.
#[derive(Debug, Clone)]
pub struct Presigner {
    signer: Arc<dyn Signer>,
}

impl Presigner {
    /// The shortest and the longest life of a URL.
    pub const TTL: std::ops::RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_millis(MAX_TTL_MS);

    pub(crate) fn new(signer: Arc<dyn Signer>) -> Presigner {
        Presigner { signer }
    }

    /// One URL for each key, in their order, good for `ttl` from now (to the second).
    ///
    /// The keys are full keys of the store. A URL signed with temporary credentials ends with them, however long its `ttl`.
    ///
    /// Cost: no request with keys from the environment or a profile; one where the machine's role or Azure's active directory
    /// signs.
    ///
    /// Errors: `InvalidArgument` for a `ttl` out of [`Presigner::TTL`], and for a key that no object has; `Permission` without
    /// credentials that can sign; `Unsupported` where the store's settings want headers that a URL cannot carry.
    pub async fn urls(&self, method: PresignedMethod, keys: &[String], ttl: Duration) -> Result<Vec<String>> {
        if !Presigner::TTL.contains(&ttl) {
            return Err(Error::InvalidArgument {
                what: format!("a URL that is good for {ttl:?}: from 1 s to 7 days are possible"),
            });
        }
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let paths = keys.iter().map(|key| path(key)).collect::<Result<Vec<_>>>()?;
        let method = match method {
            PresignedMethod::Get => Method::GET,
            PresignedMethod::Put => Method::PUT,
        };
        let urls =
            self.signer.signed_urls(method, &paths, ttl).await.map_err(|error| refused(first, &error))?;
        urls.iter().zip(keys).map(|(url, key)| host_alone(key, url)).collect()
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| Error::InvalidArgument { what: format!("object name {key:?}: {error}") })
}

/// What signing says where it fails is about credentials, or about what the store cannot do.
fn refused(key: &str, error: &object_store::Error) -> Error {
    match error {
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => {
            Error::Unsupported {
                object: key.to_owned(),
                what: format!("presigned URLs of this store: {}", cloud::message(error)),
            }
        }
        _ => Error::Permission {
            object: key.to_owned(),
            message: format!("these credentials cannot sign a URL: {}", cloud::message(error)),
        },
    }
}

/// `Unsupported` where the signature covers more than the host: the holder would have to know what to send.
fn host_alone(key: &str, url: &Url) -> Result<String> {
    let covered = url
        .query_pairs()
        .find(|(name, _)| matches!(&**name, "X-Amz-SignedHeaders" | "X-Goog-SignedHeaders"))
        .map(|(_, headers)| headers.into_owned());
    match covered {
        Some(headers) if headers != "host" => Err(Error::Unsupported {
            object: key.to_owned(),
            what: format!("a presigned URL that wants the headers {headers:?}"),
        }),
        _ => Ok(url.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CloudStore, StoreOptions, open_store};
    use object_store::aws::AmazonS3Builder;
    use object_store::azure::MicrosoftAzureBuilder;

    fn keys() -> Vec<String> {
        vec!["db/manifest/CURRENT".to_owned(), "db/sstable/1 %2e.sst".to_owned()]
    }

    fn s3() -> CloudStore {
        let builder = AmazonS3Builder::new()
            .with_region("eu-west-1")
            .with_bucket_name("bucket")
            .with_access_key_id("id")
            .with_secret_access_key("secret")
            .with_token("session");
        CloudStore::s3(builder).unwrap()
    }

    #[tokio::test]
    async fn s3_signs_the_host_and_nothing_else() {
        let presigner = s3().presigner();
        let ttl = Duration::from_secs(90);
        let urls = presigner.urls(PresignedMethod::Get, &keys(), ttl).await.unwrap();
        assert_eq!(urls.len(), 2);
        assert!(
            urls[0].starts_with("https://s3.eu-west-1.amazonaws.com/bucket/db/manifest/CURRENT?"),
            "{}",
            urls[0]
        );
        for part in ["X-Amz-SignedHeaders=host&", "X-Amz-Expires=90&", "X-Amz-Security-Token=session"] {
            assert!(urls[0].contains(part), "{}", urls[0]);
        }
        assert!(urls[1].contains("/db/sstable/1%20%252e.sst?"), "{}", urls[1]);
        let put = presigner.urls(PresignedMethod::Put, &keys(), ttl).await.unwrap();
        assert_ne!(put[0], urls[0]);
    }

    #[tokio::test]
    async fn azure_signs_with_the_account_key() {
        let builder = MicrosoftAzureBuilder::new()
            .with_account("account")
            .with_access_key("a2V5")
            .with_container_name("c");
        let presigner = CloudStore::azure(builder).unwrap().presigner();
        let ttl = Duration::from_secs(60);
        let urls = presigner.urls(PresignedMethod::Get, &keys(), ttl).await.unwrap();
        assert!(
            urls[0].starts_with("https://account.blob.core.windows.net/c/db/manifest/CURRENT?"),
            "{}",
            urls[0]
        );
        assert!(urls[0].contains("sp=r&") && urls[0].contains("sr=b&"), "{}", urls[0]);
    }

    #[tokio::test]
    async fn what_cannot_be_signed_is_refused() {
        let presigner = s3().presigner();
        for ttl in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(7 * 86_400 + 1)] {
            let error = presigner.urls(PresignedMethod::Get, &keys(), ttl).await.unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        }
        let bad = ["a//b".to_owned()];
        let error = presigner.urls(PresignedMethod::Get, &bad, Duration::from_secs(1)).await.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        let none = presigner.urls(PresignedMethod::Get, &[], Duration::from_secs(1)).await.unwrap();
        assert!(none.is_empty());
        for url in ["memory:", "./somewhere"] {
            assert!(open_store(url, &StoreOptions::default()).unwrap().presigner.is_none(), "{url}");
        }
    }
}
