//! The adapter itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use isledb_core::host::{
    Body, GetOptions, GetResult, ListPage, MAX_LIST_PAGE, MultipartUpload, ObjectMeta, ObjectStore,
    PutCondition, Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::{Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    ClientOptions, GetRange, ObjectStoreExt, PutMode, PutMultipartOptions, PutPayload, RetryConfig,
    UpdateVersion,
};

use super::etag::EtagStyle;
use super::parts::PartRetry;
use super::refusal::RefusalConnector;
use super::translate::{Request, translate};
use crate::Presigner;

/// Keys in one delete request: what S3 takes.
const MAX_DELETE: usize = 1000;

/// A bucket of S3 (or of whatever speaks it), Google Cloud Storage or Azure.
///
/// Versions are ETags; on Google Cloud Storage they carry the generation too, which its conditions want. One request a call;
/// deletes are one for 1,000 keys where the store takes so many, else one a key.
pub struct CloudStore {
    client: Arc<dyn Client>,
    versions: Versions,
    etags: EtagStyle,
    /// The client leaves an object whose whole name is the prefix out of a listing.
    listing_hides_prefix: bool,
}

trait Client: object_store::ObjectStore + PaginatedListStore + Signer {}
impl<T: object_store::ObjectStore + PaginatedListStore + Signer> Client for T {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    ETag,
    /// `<generation> <ETag>`: puts compare the generation, gets the ETag.
    GenerationAndETag,
}

impl Versions {
    fn version(self, key: &str, etag: Option<String>, generation: Option<String>) -> Result<Version> {
        match (self, etag, generation) {
            (Versions::ETag, Some(etag), _) => Ok(Version::new(etag)),
            (Versions::GenerationAndETag, Some(etag), Some(generation)) => {
                Ok(Version::new(format!("{generation} {etag}")))
            }
            _ => {
                let what = "the store gives an object without a version (ETag, generation)".to_owned();
                Err(Error::Unsupported { object: key.to_owned(), what })
            }
        }
    }
}

impl CloudStore {
    /// S3, as configured; retries and timeouts are ours.
    ///
    /// Errors: `InvalidArgument` where the configuration is incomplete.
    pub fn s3(builder: AmazonS3Builder) -> Result<CloudStore> {
        install_tls();
        let builder = builder.with_retry(no_retries()).with_http_connector(RefusalConnector::default());
        // AWS itself needs no finding out.
        let elsewhere = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
        let etags = match elsewhere.iter().any(|key| builder.get_config_value(key).is_some()) {
            true => EtagStyle::unknown(),
            false => EtagStyle::as_given(),
        };
        let client = builder.build().map_err(|error| misconfigured(&error))?;
        Ok(CloudStore {
            client: Arc::new(client),
            versions: Versions::ETag,
            etags,
            listing_hides_prefix: false,
        })
    }

    /// Google Cloud Storage, as configured; retries and timeouts are ours.
    ///
    /// Errors: `InvalidArgument` where the configuration is incomplete.
    pub fn gcs(builder: GoogleCloudStorageBuilder) -> Result<CloudStore> {
        install_tls();
        let builder = builder.with_retry(no_retries()).with_http_connector(RefusalConnector::default());
        let client = builder.build().map_err(|error| misconfigured(&error))?;
        Ok(CloudStore {
            client: Arc::new(client),
            versions: Versions::GenerationAndETag,
            etags: EtagStyle::as_given(),
            listing_hides_prefix: false,
        })
    }

    /// Azure Blob Storage, as configured; retries and timeouts are ours.
    ///
    /// Errors: `InvalidArgument` where the configuration is incomplete.
    pub fn azure(builder: MicrosoftAzureBuilder) -> Result<CloudStore> {
        install_tls();
        let builder = builder.with_retry(no_retries()).with_http_connector(RefusalConnector::default());
        let client = builder.build().map_err(|error| misconfigured(&error))?;
        Ok(CloudStore {
            client: Arc::new(client),
            versions: Versions::ETag,
            etags: EtagStyle::as_given(),
            listing_hides_prefix: true,
        })
    }

    /// Client options to begin a builder with. The engine bounds its own waiting; these bound what it gave up on: no
    /// request lives longer than the 15 minutes for which a signature is good.
    pub fn client_options() -> ClientOptions {
        ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(5))
            .with_read_timeout(Duration::from_secs(60))
            .with_timeout(Duration::from_secs(15 * 60))
    }

    /// What signs URLs of this store's objects. No request.
    pub fn presigner(&self) -> Presigner {
        Presigner::new(self.client.clone())
    }

    fn etag(&self, version: &Version) -> String {
        let text = version.as_str();
        match self.versions {
            Versions::ETag => text,
            Versions::GenerationAndETag => text.split_once(' ').map_or(text, |(_, etag)| etag),
        }
        .to_owned()
    }

    fn update(&self, version: &Version) -> UpdateVersion {
        let generation = match self.versions {
            Versions::ETag => None,
            Versions::GenerationAndETag => {
                version.as_str().split_once(' ').map(|(generation, _)| generation.to_owned())
            }
        };
        UpdateVersion { e_tag: Some(self.etags.to_send(&self.etag(version)).to_owned()), version: generation }
    }

    fn meta(&self, key: &str, meta: object_store::ObjectMeta) -> Result<ObjectMeta> {
        Ok(ObjectMeta {
            key: key.to_owned(),
            size: meta.size,
            last_modified_ms: u64::try_from(meta.last_modified.timestamp_millis()).ok(),
            version: Some(self.versions.version(key, meta.e_tag, meta.version)?),
        })
    }

    async fn read(&self, key: &str, options: GetOptions) -> Result<GetResult> {
        let path = path(key)?;
        let asked = options.range.clone();
        if asked.as_ref().is_some_and(|range| range.start >= range.end) {
            // No store has a request for nothing, so this costs a head where there is anything to know.
            return self.read_nothing(key, &path, options).await;
        }
        let request = object_store::GetOptions {
            range: options.range.map(GetRange::Bounded),
            if_none_match: options.if_none_match.as_ref().map(|version| self.etag(version)),
            ..object_store::GetOptions::default()
        };
        let got = self.client.get_opts(&path, request).await.map_err(|error| {
            // Azurite answers a range behind the object by none of its bytes, which only the client notices.
            match (&asked, size_before_range(&error)) {
                (Some(asked), Some(size)) => beyond(key, asked, size),
                _ => translate(key, Request::Other, &error),
            }
        })?;
        let (meta, range) = (self.meta(key, got.meta.clone())?, got.range.clone());
        if let Some(asked) = asked.filter(|asked| *asked != range) {
            return Err(beyond(key, &asked, meta.size));
        }
        Ok(GetResult { meta, body: body(key, range.end - range.start, got), range })
    }

    async fn read_nothing(&self, key: &str, path: &Path, options: GetOptions) -> Result<GetResult> {
        let meta = self.client.head(path).await.map_err(|e| translate(key, Request::Other, &e))?;
        let meta = self.meta(key, meta)?;
        let range = options.range.unwrap_or(0..0);
        if range.start != range.end || range.end > meta.size {
            return Err(beyond(key, &range, meta.size));
        }
        if options.if_none_match.is_some() && options.if_none_match == meta.version {
            return Err(Error::NotModified { object: key.to_owned() });
        }
        Ok(GetResult { meta, range, body: Body::once(Bytes::new()) })
    }

    async fn write(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<Version> {
        let path = path(key)?;
        let (mode, request) = match &condition {
            PutCondition::None => (PutMode::Overwrite, Request::Other),
            PutCondition::IfAbsent => (PutMode::Create, Request::ConditionalPut),
            PutCondition::IfMatch(version) => {
                (PutMode::Update(self.update(version)), Request::ConditionalPut)
            }
        };
        let mut put = self.client.put_opts(&path, PutPayload::from_bytes(body.clone()), mode.into()).await;
        if let PutCondition::IfMatch(version) = &condition {
            put = self.settle_etag_style(&path, body, version, put).await;
        }
        let put = put.map_err(|error| match translate(key, request, &error) {
            // Some stores answer so where the object to be replaced is gone.
            Error::NotFound { object } if request == Request::ConditionalPut => {
                Error::Precondition { object }
            }
            error => error,
        })?;
        self.versions.version(key, put.e_tag, put.version)
    }

    /// What to make of the answer to a put under `IfMatch`, as long as it is not known how the store wants its ETags: one that
    /// refuses the very ETag that the object has is asked again with the bare one. That decides nothing by itself, since the
    /// condition goes with it. Up to two requests more, once.
    async fn settle_etag_style(
        &self,
        path: &Path,
        body: Bytes,
        version: &Version,
        put: object_store::Result<object_store::PutResult>,
    ) -> object_store::Result<object_store::PutResult> {
        match &put {
            Ok(_) => {
                self.etags.learn_from_success();
                return put;
            }
            Err(object_store::Error::Precondition { .. }) => {}
            Err(_) => return put,
        }
        let Some(bare) = self.etags.bare(version.as_str()) else { return put };
        // Another ETag by now: the refusal was right, and tells nothing of the store.
        if !self.client.head(path).await.is_ok_and(|now| now.e_tag.as_deref() == Some(version.as_str())) {
            return put;
        }
        let update = UpdateVersion { e_tag: Some(bare.to_owned()), version: None };
        let again =
            self.client.put_opts(path, PutPayload::from_bytes(body), PutMode::Update(update).into()).await;
        if again.is_ok() {
            self.etags.learn_bare();
        }
        again
    }

    /// One page; more requests only where a store ignores where to start.
    async fn page(&self, prefix: &str, start_after: Option<&str>) -> Result<ListPage> {
        let mut options = PaginatedListOptions {
            offset: start_after.map(str::to_owned),
            max_keys: Some(MAX_LIST_PAGE),
            ..PaginatedListOptions::default()
        };
        // A letter less then; no name ends with a slash.
        let asked = match prefix.char_indices().next_back() {
            Some((last, letter)) if self.listing_hides_prefix && letter != '/' => &prefix[..last],
            _ => prefix,
        };
        loop {
            let listed = self.client.list_paginated(Some(asked), options.clone()).await;
            let listed = listed.map_err(|error| translate(prefix, Request::Other, &error))?;
            let objects = listed.result.objects.into_iter();
            let objects = objects.filter(|object| object.location.as_ref().starts_with(prefix));
            let objects =
                objects.filter(|object| start_after.is_none_or(|after| object.location.as_ref() > after));
            let objects: Vec<ObjectMeta> = objects
                .map(|object| ObjectMeta {
                    key: object.location.to_string(),
                    size: object.size,
                    version: None,
                    last_modified_ms: u64::try_from(object.last_modified.timestamp_millis()).ok(),
                })
                .collect();
            if !objects.is_empty() || listed.page_token.is_none() {
                return Ok(ListPage { objects, more: listed.page_token.is_some() });
            }
            options.page_token = listed.page_token;
        }
    }

    async fn remove(&self, keys: &[String]) -> Result<Vec<Result<()>>> {
        let paths = keys.iter().map(|key| path(key)).collect::<Result<Vec<_>>>()?;
        let answers: Vec<_> = self.client.delete_stream(stream::iter(paths).map(Ok).boxed()).collect().await;
        let decided = |key: &String, answer: object_store::Result<Path>| match answer {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(translate(key, Request::Other, &error)),
        };
        if answers.len() == keys.len() {
            return Ok(keys.iter().zip(answers).map(|(key, answer)| decided(key, answer)).collect());
        }
        // The request as a whole failed, so there is one answer for all.
        let error = answers.into_iter().find_map(Result::err);
        Err(match (error, keys.first()) {
            (Some(error), Some(key)) => translate(key, Request::Other, &error),
            (_, key) => Error::Unavailable {
                object: key.cloned().unwrap_or_default(),
                message: "the store did not answer for every key of a delete".to_owned(),
            },
        })
    }
}

impl ObjectStore for CloudStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(self.read(key, options))
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move {
            let meta = self.client.head(&path(key)?).await.map_err(|e| translate(key, Request::Other, &e))?;
            self.meta(key, meta)
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        condition: PutCondition,
    ) -> BoxFuture<'a, Result<Version>> {
        Box::pin(self.write(key, body, condition))
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move {
            let options = PutMultipartOptions::default().with_retry_policy(Arc::new(PartRetry));
            let path = path(key)?;
            let upload = self.client.put_multipart_opts(&path, options).await;
            let inner = upload.map_err(|error| translate(key, Request::Other, &error))?;
            let client = self.client.clone();
            let upload = Upload { inner, client, path, key: key.into(), versions: self.versions };
            Ok(Box::new(upload) as Box<dyn MultipartUpload>)
        })
    }

    fn list<'a>(&'a self, prefix: &'a str, start_after: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(self.page(prefix, start_after))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(keys.len());
            for request in keys.chunks(MAX_DELETE) {
                match self.remove(request).await {
                    Ok(these) => answers.extend(these),
                    Err(error) => answers.extend(vec![Err(error); request.len()]),
                }
            }
            Ok(answers)
        })
    }
}

struct Upload {
    inner: Box<dyn object_store::MultipartUpload>,
    client: Arc<dyn Client>,
    path: Path,
    key: Arc<str>,
    versions: Versions,
}

impl MultipartUpload for Upload {
    fn put_part(&mut self, part: Bytes) -> BoxFuture<'static, Result<()>> {
        let key = self.key.clone();
        let sent = self.inner.put_part(PutPayload::from_bytes(part));
        Box::pin(async move { sent.await.map_err(|error| translate(&key, Request::Other, &error)) })
    }

    fn complete(mut self: Box<Self>) -> BoxFuture<'static, Result<Version>> {
        Box::pin(async move {
            let put = self.inner.complete().await.map_err(|e| translate(&self.key, Request::Other, &e))?;
            // Google may name no generation here. What is uploaded in parts is never put under a condition.
            let generation = put.version.or_else(|| Some("unknown".to_owned()));
            let etag = match put.e_tag.filter(|etag| !etag.is_empty()) {
                Some(etag) => Some(etag),
                // Ceph's gateway leaves it empty here. If this fails, it is a lost answer to the whole.
                None => {
                    let head = self.client.head(&self.path).await;
                    head.map_err(|error| translate(&self.key, Request::Other, &error))?.e_tag
                }
            };
            self.versions.version(&self.key, etag, generation)
        })
    }

    fn abort(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(
            async move { self.inner.abort().await.map_err(|e| translate(&self.key, Request::Other, &e)) },
        )
    }
}

/// The body as it comes; one that ends early ends with an error.
fn body(key: &str, expected: u64, got: object_store::GetResult) -> Body {
    let key: Arc<str> = key.into();
    let pieces = got.into_stream().map_err({
        let key = key.clone();
        move |error| translate(&key, Request::Other, &error)
    });
    let counted = stream::try_unfold((pieces, 0_u64), move |(mut pieces, seen)| {
        let key = key.clone();
        async move {
            match pieces.next().await {
                Some(piece) => {
                    let piece = piece?;
                    let seen = seen + piece.len() as u64;
                    Ok(Some((piece, (pieces, seen))))
                }
                None if seen < expected => Err(Error::Unavailable {
                    object: key.to_string(),
                    message: format!("the answer broke off after {seen} of {expected} bytes"),
                }),
                None => Ok(None),
            }
        }
    });
    Body::stream(Box::pin(counted))
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| Error::InvalidArgument { what: format!("object name {key:?}: {error}") })
}

fn beyond(key: &str, asked: &std::ops::Range<u64>, size: u64) -> Error {
    Error::Corrupt {
        object: key.to_owned(),
        offset: Some(asked.start),
        expected: format!("bytes {asked:?}"),
        found: format!("an object of {size} bytes"),
    }
}

/// The size of the object, where this says that a range begins behind it.
fn size_before_range(error: &object_store::Error) -> Option<u64> {
    let object_store::Error::Generic { source, .. } = error else { return None };
    let text = source.to_string();
    let size = text.strip_prefix("Wanted range starting at ")?.split_once("object was only ")?.1;
    size.split(' ').next()?.parse().ok()
}

fn misconfigured(error: &object_store::Error) -> Error {
    Error::InvalidArgument { what: error.to_string() }
}

fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// TLS by ring, unless the process has chosen a provider already.
pub(crate) fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
