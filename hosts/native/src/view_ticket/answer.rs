//! From an HTTP answer to an object, or to the decision that it leaves.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use isledb_core::host::{Body, GetResult, ObjectMeta, Version};
use isledb_core::{Error, Result};
use reqwest::header::{CONTENT_RANGE, ETAG};
use reqwest::{Response, StatusCode};

use crate::cloud;

/// A whole object that comes in place of a range is cut while it has at most so many bytes.
const MAX_CUT_BYTES: u64 = 1 << 20;

/// How much of a refusal's body is read.
const MAX_REFUSAL_BYTES: usize = 16 << 10;

/// The answer to a GET of `asked` (`None`: of everything).
pub(super) async fn object(key: &str, asked: Option<Range<u64>>, response: Response) -> Result<GetResult> {
    match (response.status(), asked) {
        (StatusCode::PARTIAL_CONTENT, Some(asked)) => part(key, asked, response),
        (StatusCode::OK, None) => {
            let size = length(key, &response)?;
            Ok(GetResult {
                meta: meta(key, size, &response),
                range: 0..size,
                body: body(key, size, response),
            })
        }
        (StatusCode::OK, Some(asked)) => cut(key, asked, response).await,
        (StatusCode::NOT_MODIFIED, _) => Err(Error::NotModified { object: key.to_owned() }),
        (StatusCode::NOT_FOUND, _) => Err(Error::NotFound { object: key.to_owned() }),
        (status, _) => Err(refusal(key, status, response).await),
    }
}

fn part(key: &str, asked: Range<u64>, response: Response) -> Result<GetResult> {
    let given = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let given = given.map(str::to_owned).unwrap_or_default();
    let Some((range, size)) = content_range(&given) else {
        return Err(unsupported(key, format!("a part of an object without saying which: {given:?}")));
    };
    if range != asked {
        return Err(Error::Corrupt {
            object: key.to_owned(),
            offset: Some(asked.start),
            expected: format!("bytes {asked:?}"),
            found: format!("bytes {range:?} of {size}"),
        });
    }
    let expected = range.end - range.start;
    Ok(GetResult { meta: meta(key, size, &response), range, body: body(key, expected, response) })
}

/// `bytes 0-9/100` as `0..10` and `100`.
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let size = size.parse().ok()?;
    (first <= last && last < size).then_some((first..last + 1, size))
}

/// The store ignores ranges: a small object is taken whole.
async fn cut(key: &str, asked: Range<u64>, response: Response) -> Result<GetResult> {
    let size = length(key, &response)?;
    if size > MAX_CUT_BYTES {
        return Err(unsupported(key, format!("all {size} bytes in place of a range")));
    }
    if asked.end > size {
        return Err(Error::Corrupt {
            object: key.to_owned(),
            offset: Some(asked.start),
            expected: format!("bytes {asked:?}"),
            found: format!("an object of {size} bytes"),
        });
    }
    let meta = meta(key, size, &response);
    let whole = body(key, size, response).collect(key, size).await?;
    // Both ends lie within a mebibyte.
    let bytes = whole.slice(asked.start as usize..asked.end as usize);
    Ok(GetResult { meta, range: asked, body: Body::once(bytes) })
}

fn length(key: &str, response: &Response) -> Result<u64> {
    response.content_length().ok_or_else(|| unsupported(key, "an object without its length".to_owned()))
}

fn meta(key: &str, size: u64, response: &Response) -> ObjectMeta {
    let etag = response.headers().get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // What a ticket names is written once, so any version will do where the server gives none.
    ObjectMeta { key: key.to_owned(), size, version: Some(Version::new(etag)), last_modified_ms: None }
}

/// The body as it comes; one that ends early ends with an error.
fn body(key: &str, expected: u64, response: Response) -> Body {
    let key: Arc<str> = key.into();
    let failed = {
        let key = key.clone();
        move |error: reqwest::Error| unavailable(&key, &error)
    };
    let pieces = response.bytes_stream().map_err(failed);
    let counted = stream::try_unfold((pieces, 0_u64), move |(mut pieces, seen)| {
        let key = key.clone();
        async move {
            let piece: Option<Bytes> = pieces.next().await.transpose()?;
            match piece {
                Some(piece) => {
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

/// Nobody answered. The URL stays out of the message: who reads it could use it.
pub(super) fn unavailable(key: &str, error: &reqwest::Error) -> Error {
    let mut message = error.to_string();
    if let Some(url) = error.url() {
        message = message.replace(url.as_str(), url.host_str().unwrap_or("the store"));
    }
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Error::Unavailable { object: key.to_owned(), message }
}

async fn refusal(key: &str, status: StatusCode, response: Response) -> Error {
    let region = response.headers().get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let region = region.map(str::to_owned);
    let mut text = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        let room = MAX_REFUSAL_BYTES - text.len();
        text.extend_from_slice(&piece[..piece.len().min(room)]);
        if text.len() == MAX_REFUSAL_BYTES {
            break;
        }
    }
    cloud::refused(key, status.as_u16(), region, &String::from_utf8_lossy(&text))
}

fn unsupported(key: &str, what: String) -> Error {
    Error::Unsupported { object: key.to_owned(), what: format!("the store answers with {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        assert_eq!(content_range("bytes 0-9/100"), Some((0..10, 100)));
        for bad in ["", "bytes */100", "bytes 0-9/*", "bytes 9-0/100", "bytes 0-100/100", "items 0-9/100"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
