//! What is not done: an answer for the client, and a line for whoever runs the server.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use isledb::Error;

use crate::json::Line;

/// An answer that is no success: `{"error": {kind, message}}`.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
    /// For the log alone.
    detail: Option<String>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, kind, message: message.into(), detail: None }
    }

    /// Nothing is said about why: who asks for what is not served need not learn what there is.
    pub(crate) fn forbidden() -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "forbidden", "this signer does not give that out")
    }

    /// The same, with what the log should say.
    pub(crate) fn because(mut self, detail: impl Into<String>) -> Refusal {
        self.detail = Some(detail.into());
        self
    }

    /// No such object, or nothing at all at this path.
    pub(crate) fn not_found() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    pub(crate) fn wrong(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_argument", message)
    }

    /// What a failure of the store or the engine comes to. Its text stays in the log: it may name folders and hosts.
    pub(crate) fn of(error: &Error) -> Refusal {
        let refusal = match error {
            Error::NotFound { .. } => Refusal::not_found(),
            Error::NoDatabase { .. } => {
                Refusal::new(StatusCode::NOT_FOUND, "no_database", "there is no database at this prefix")
            }
            Error::NotModified { .. } => Refusal::new(StatusCode::NOT_MODIFIED, "not_modified", ""),
            Error::Precondition { .. } => {
                Refusal::new(StatusCode::PRECONDITION_FAILED, "precondition", "the condition does not hold")
            }
            Error::InvalidArgument { .. } => Refusal::wrong("the store refuses this request"),
            Error::Unavailable { .. } | Error::Timeout { .. } => Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the store does not answer: try again",
            ),
            Error::Corrupt { .. } => Refusal::new(
                StatusCode::BAD_GATEWAY,
                "corrupt",
                "the database is damaged: see the signer's log",
            ),
            _ => Refusal::new(
                StatusCode::BAD_GATEWAY,
                "store",
                "the store does not serve this signer: see its log",
            ),
        };
        refusal.because(error.to_string())
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let inner = Line::new().field("kind", self.kind).field("message", &self.message).end();
        let body = Line::new().raw("error", &inner).end();
        let mut response = match self.status {
            StatusCode::NOT_MODIFIED => self.status.into_response(),
            status => (status, body).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// One line for each request: what was refused is a warning. Queries are left out, since signatures stand there.
pub(crate) async fn log(
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match response.extensions().get::<Refusal>() {
        // A missing object and an unchanged one are ordinary answers.
        Some(refusal) if !matches!(status, 304 | 404 | 412) => {
            let detail = refusal.detail.as_deref().unwrap_or(&refusal.message);
            tracing::warn!(%client, %method, ?path, status, kind = refusal.kind, ?detail, "refused");
        }
        _ => tracing::debug!(%client, %method, ?path, status, "answered"),
    }
    response
}
