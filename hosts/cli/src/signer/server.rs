//! The service around the signer: its routes, who may call it from a page, and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use super::refusal::{Refusal, log};
use super::{Signer, api};
use crate::exit::{Failure, Outcome};

/// The longest call.
const MAX_CALL_BYTES: usize = 1 << 20;

/// The largest object that is written through a link.
const MAX_PUT_BYTES: usize = 256 << 20;

/// How long a call may take until its answer begins, its body included.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a browser need not ask again whether it may call.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7200);

/// The pages that may call, by their origins.
#[derive(Debug, Clone)]
pub(crate) enum Origins {
    /// Any.
    All,
    /// These.
    Some(Vec<HeaderValue>),
}

impl Origins {
    /// `*`, or `https://host[:port]` each.
    pub(crate) fn of(texts: &[String]) -> Outcome<Origins> {
        if texts.iter().any(|text| text == "*") {
            return Ok(Origins::All);
        }
        let origin = |text: &String| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let plain =
                host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*']));
            let value = HeaderValue::from_str(text).ok().filter(|_| plain);
            value.ok_or_else(|| {
                Failure::usage(format!("--allow-origin {text:?}"))
                    .advise("write it as https://host or https://host:port, or * for all")
            })
        };
        texts.iter().map(origin).collect::<Outcome<Vec<_>>>().map(Origins::Some)
    }

    fn layer(&self, write: bool) -> CorsLayer {
        let origin = match self {
            Origins::All => AllowOrigin::any(),
            Origins::Some(list) => AllowOrigin::list(list.clone()),
        };
        let methods = [Method::GET, Method::POST, Method::PUT];
        let methods = if write { &methods[..] } else { &methods[..2] };
        let headers = [
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::RANGE,
            header::IF_NONE_MATCH,
            header::IF_MATCH,
        ];
        let cache = [header::CACHE_CONTROL, HeaderName::from_static("pragma")];
        CorsLayer::new()
            .allow_origin(origin)
            .allow_methods(methods.to_vec())
            .allow_headers(headers.into_iter().chain(cache).collect::<Vec<_>>())
            .expose_headers([
                header::ETAG,
                header::CONTENT_RANGE,
                header::CONTENT_LENGTH,
                header::LAST_MODIFIED,
            ])
            .max_age(PREFLIGHT_AGE)
    }
}

/// The signer's routes.
pub(crate) fn router(signer: Arc<Signer>, origins: &Origins) -> Router {
    let refuse = || async { Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this is not done here") };
    let mut object = get(api::object);
    if signer.write {
        object = object.put(api::object).layer(DefaultBodyLimit::max(MAX_PUT_BYTES));
    }
    let cors = origins.layer(signer.write);
    Router::new()
        .route("/v1/sign", post(api::sign).fallback(refuse))
        .route("/v1/ticket", post(api::ticket).fallback(refuse))
        .route("/o/{database}/{*key}", object.fallback(refuse))
        .fallback(|| async { Refusal::not_found() })
        .layer(DefaultBodyLimit::max(MAX_CALL_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, CALL_TIMEOUT))
        .layer(axum::middleware::from_fn(log))
        .layer(cors)
        .with_state(signer)
}

/// A place to listen at. Port 0 is a free one.
pub(crate) async fn listen(address: SocketAddr) -> Outcome<(TcpListener, SocketAddr)> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("cannot listen at {address}: {error}"))
            .advise("give --listen an address of this machine and a port that is free")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
