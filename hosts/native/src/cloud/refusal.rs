//! Answers that are no success, kept whole.
//!
//! `object_store` tells "not found", "not modified", "precondition" and "conflict" apart and prints all other answers into
//! one message. What to do about a redirect, a 400 or a 503 is the caller's decision though, so this connector turns them
//! into an error of their own, which travels inside the crate's error and is found there again.

use async_trait::async_trait;
use futures::StreamExt;
use isledb_core::Error;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};

/// How much of a refusal's body is read: enough for the code and the message of any store.
const MAX_BODY: usize = 16 << 10;

/// An answer that is no success, and not one that `object_store` tells apart by itself.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {body}")]
pub(super) struct Refusal {
    status: u16,
    /// `x-amz-bucket-region`, where S3 says so.
    region: Option<String>,
    body: String,
}

impl Refusal {
    pub(super) fn new(status: u16, region: Option<String>, body: String) -> Refusal {
        Refusal { status, region, body }
    }

    /// The decision that it leaves to the caller.
    pub(super) fn to_error(&self, key: &str) -> Error {
        let object = key.to_owned();
        let message = self.message();
        match (self.status, self.code().unwrap_or_default()) {
            (301 | 302 | 307 | 308, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
                let place = match self.region.as_deref().or_else(|| element(&self.body, "Region")) {
                    Some(region) => format!("wrong region: the bucket is in {region}"),
                    None => "wrong region or endpoint: the store sends us elsewhere".to_owned(),
                };
                Error::Permission { object, message: format!("{place} ({message})") }
            }
            (401 | 403, _) | (400, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
                Error::Permission { object, message }
            }
            (416, _) => Error::Corrupt {
                object,
                offset: None,
                expected: "an object that has the bytes asked for".to_owned(),
                found: message,
            },
            (405 | 501, _) => {
                Error::Unsupported { object, what: format!("the store does not do this: {message}") }
            }
            (408 | 425 | 429 | 500.., _) | (400, "RequestTimeout" | "OperationAborted") | (..=399, _) => {
                Error::Unavailable { object, message }
            }
            _ => {
                Error::InvalidArgument { what: format!("{object}: the store refuses the request: {message}") }
            }
        }
    }

    fn code(&self) -> Option<&str> {
        element(&self.body, "Code")
    }

    fn message(&self) -> String {
        super::translate::summary(&format!("{} {}", self.status, self.body))
    }
}

/// The text of the first `<name>` in an XML document, without parsing the rest of it.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

/// Makes clients that report a [`Refusal`].
#[derive(Debug, Default)]
pub(super) struct RefusalConnector(ReqwestConnector);

impl HttpConnector for RefusalConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(RefusalService(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct RefusalService(HttpClient);

#[async_trait]
impl HttpService for RefusalService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.execute(request).await?;
        let status = response.status();
        // Those that object_store tells apart also come from its credential endpoints, where they mean something else.
        if status.is_success() || matches!(status.as_u16(), 304 | 404 | 409 | 412) {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let region = parts.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let region = region.map(str::to_owned);
        let refusal = Refusal { status: status.as_u16(), region, body: text(body).await };
        Err(HttpError::new(HttpErrorKind::Unknown, refusal))
    }
}

async fn text(body: HttpResponseBody) -> String {
    let mut pieces = body.bytes_stream();
    let mut text = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        let room = MAX_BODY - text.len();
        text.extend_from_slice(&piece[..piece.len().min(room)]);
        if text.len() == MAX_BODY {
            break;
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use isledb_core::ErrorKind;

    use super::*;

    fn refusal(status: u16, body: &str) -> Error {
        Refusal { status, region: None, body: body.to_owned() }.to_error("k")
    }

    fn s3(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why &amp; how</Message></Error>")
    }

    #[test]
    fn refusals_become_decisions() {
        for (status, body, kind) in [
            (301, String::new(), ErrorKind::Permission),
            (400, s3("AuthorizationHeaderMalformed"), ErrorKind::Permission),
            (400, s3("ExpiredToken"), ErrorKind::Permission),
            (400, s3("InvalidBucketName"), ErrorKind::InvalidArgument),
            (400, s3("RequestTimeout"), ErrorKind::Retry),
            (401, String::new(), ErrorKind::Permission),
            (403, s3("SignatureDoesNotMatch"), ErrorKind::Permission),
            (408, String::new(), ErrorKind::Retry),
            (416, s3("InvalidRange"), ErrorKind::Corrupt),
            (429, String::new(), ErrorKind::Retry),
            (500, s3("InternalError"), ErrorKind::Retry),
            (501, s3("NotImplemented"), ErrorKind::Unsupported),
            (503, s3("SlowDown"), ErrorKind::Retry),
        ] {
            let error = refusal(status, &body);
            assert_eq!(error.kind(), kind, "{status} {body}: {error}");
        }
    }

    #[test]
    fn a_wrong_region_names_the_right_one() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-1</Region></Error>";
        assert!(refusal(400, body).to_string().contains("wrong region: the bucket is in eu-west-1"));
        let moved = Refusal { status: 301, region: Some("ap-south-1".into()), body: String::new() };
        assert!(moved.to_error("k").to_string().contains("the bucket is in ap-south-1"));
    }

    #[test]
    fn messages_are_short() {
        let error = refusal(503, &s3("SlowDown")).to_string();
        assert!(error.ends_with("503 SlowDown: why & how"), "{error}");
    }
}
