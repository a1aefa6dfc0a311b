//! `/v1/sign`, `/v1/ticket`, and the objects behind our own links.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use isledb::format::layout::ObjectKind;
use isledb::host::Version;
use isledb::ticket::{self, Follow, TicketRange};
use isledb::{Error, PresignedMethod, Presigner};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::databases::Database;
use super::refusal::Refusal;
use super::{Signer, object};
use crate::duration::now_ms;
use crate::json::Line;

/// Most URLs of one call.
const MAX_REQUESTS: usize = 1_000;

/// A URL to write with lives no longer, so that no write lands after the protocol has given it up.
const MAX_PUT_TTL: Duration = Duration::from_secs(600);

/// A ticket lives so long where nothing else is asked for.
const TICKET_TTL_MS: u64 = 3_600_000;

#[derive(Deserialize)]
struct SignCall {
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    path: String,
    #[serde(default)]
    query: String,
}

/// `POST /v1/sign`: a URL for each request, or a refusal for all.
pub(super) async fn sign(
    State(signer): State<Arc<Signer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let token = signer.access.check(&headers)?;
    let SignCall { requests } = parse(&body)?;
    if requests.is_empty() || requests.len() > MAX_REQUESTS {
        return Err(Refusal::wrong(format!("1 to {MAX_REQUESTS} requests a call")));
    }
    let allowed = requests.iter().map(|asked| allow(&signer, asked)).collect::<Result<Vec<_>, _>>()?;
    let now_ms = now_ms();
    let mut lines = Vec::with_capacity(requests.len());
    // Those that follow one another with the same database and method are signed together: Azure asks for a key each time.
    let mut rest = allowed.as_slice();
    while let Some(first) = rest.first() {
        let same = rest
            .iter()
            .take_while(|one| one.method == first.method && one.database.number == first.database.number);
        let (these, others) = rest.split_at(same.count());
        let keys: Vec<String> = these.iter().map(|one| one.key.clone()).collect();
        let ttl = if first.method == PresignedMethod::Put { signer.ttl.min(MAX_PUT_TTL) } else { signer.ttl };
        let urls =
            first.database.urls(&signer.links, &signer.public_url, first.method, &keys, now_ms, ttl).await?;
        let expires_at_ms = now_ms.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        lines.extend(
            urls.iter().map(|url| Line::new().field("url", url).field("expires_at_ms", expires_at_ms).end()),
        );
        rest = others;
    }
    tracing::info!(token, urls = lines.len(), "signed");
    Ok(json(Line::new().raw("urls", &format!("[{}]", lines.join(","))).end()))
}

/// A request that may be signed.
struct Allowed<'a> {
    database: &'a Database,
    method: PresignedMethod,
    key: String,
}

fn allow<'a>(signer: &'a Signer, asked: &Asked) -> Result<Allowed<'a>, Refusal> {
    let refuse = |why: &str| {
        Err(Refusal::forbidden()
            .because(format!("{why}: {} {:?} {:?}", asked.method, asked.path, asked.query)))
    };
    // Nothing that readers and writers send has a query; one would make another request of it: a listing, an upload, a policy.
    if !asked.query.is_empty() {
        return refuse("a query");
    }
    let Some((database, kind)) = signer.databases.of_key(&asked.path) else {
        return refuse("no object of a database that is served");
    };
    let method = match asked.method.as_str() {
        "GET" if kind.is_read() || signer.write => PresignedMethod::Get,
        // Marks decide what is deleted: who may write does not maintain.
        "PUT" if signer.write && kind != ObjectKind::Maintenance => PresignedMethod::Put,
        _ => return refuse("a method that is not served on this object"),
    };
    Ok(Allowed { database, method, key: asked.path.clone() })
}

#[derive(Deserialize)]
struct TicketCall {
    prefix: String,
    ttl_ms: Option<u64>,
    #[serde(default, deserialize_with = "range")]
    range: TicketRange,
}

/// A range as tickets have it: its bounds in base64, each missing where there is none.
fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TicketRange, D::Error> {
    #[derive(Deserialize)]
    struct Bounds {
        start_b64: Option<String>,
        end_b64: Option<String>,
    }
    let Bounds { start_b64, end_b64 } = Bounds::deserialize(deserializer)?;
    let bound = |text: Option<String>| {
        STANDARD.decode(text.unwrap_or_default()).map(Bytes::from).map_err(D::Error::custom)
    };
    Ok(TicketRange { start: bound(start_b64)?, end: bound(end_b64)? })
}

/// `POST /v1/ticket`: a ticket of the present version.
pub(super) async fn ticket(
    State(signer): State<Arc<Signer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let token = signer.access.check(&headers)?;
    let TicketCall { prefix, ttl_ms, range } = parse(&body)?;
    let Some(database) = signer.databases.of_prefix(&prefix) else {
        return Err(Refusal::forbidden().because(format!("no database that is served: {prefix:?}")));
    };
    range.validate().map_err(|error| Refusal::wrong(error.to_string()))?;
    let draft = database.connection.ticket_draft(&range).await.map_err(|error| match error {
        Error::InvalidArgument { what } => {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_objects", what)
        }
        error => Refusal::of(&error),
    })?;
    let allowed_ms = draft.max_view_age_ms().min(ticket::MAX_TTL_MS);
    let ttl_ms = ttl_ms.unwrap_or_else(|| TICKET_TTL_MS.min(allowed_ms));
    if ttl_ms == 0 || ttl_ms > allowed_ms {
        let what = format!("ttl_ms {ttl_ms}: a view of this database may be used for {allowed_ms}");
        return Err(Refusal::wrong(what));
    }
    let (now_ms, expires_at_ms) = (now_ms(), draft.read_at_ms().saturating_add(ttl_ms));
    let left_ms = expires_at_ms.saturating_sub(now_ms).max(1);
    let left = Duration::from_secs(left_ms.div_ceil(1000)).min(*Presigner::TTL.end());
    let get = PresignedMethod::Get;
    let mut keys = draft.keys().to_vec();
    keys.push(database.layout().current());
    let mut urls = database.urls(&signer.links, &signer.public_url, get, &keys, now_ms, left).await?;
    let follow = urls.pop().map(|current| Follow { current, signer: signer.public_url.clone() });
    let made = draft.ticket(now_ms.min(expires_at_ms), expires_at_ms, urls, follow);
    let made = made.and_then(|mut ticket| {
        // As the URL of CURRENT will say it: who follows asks whether it is still the same.
        ticket.current.version = match database.presigner() {
            Some(_) => object::etag_of_store(&ticket.current.version).to_owned(),
            None => object::etag(&Version::new(ticket.current.version.as_str())),
        };
        Ok((ticket.objects.len(), ticket::encode(&ticket)?))
    });
    let (objects, text) = made.map_err(|error| Refusal::of(&error))?;
    tracing::info!(token, ?prefix, objects, "made a ticket");
    Ok(json(text))
}

/// The query of our own links.
#[derive(Deserialize)]
pub(super) struct Signed {
    method: String,
    expires: u64,
    signature: String,
}

/// `GET` and `PUT /o/<database>/<key>`: what a link of ours names.
pub(super) async fn object(
    State(signer): State<Arc<Signer>>,
    Path((number, key)): Path<(usize, String)>,
    Query(signed): Query<Signed>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let Signed { method: permitted, expires, signature } = signed;
    let good = method.as_str() == permitted
        && signer.links.check(&permitted, number, &key, expires, &signature, now_ms());
    let database = signer.databases.get(number).filter(|_| good);
    let database = database.filter(|database| database.presigner().is_none());
    let named = database.and_then(|database| Some((database, database.layout().kind_of(&key)?)));
    let Some((database, kind)) = named else {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this link is not good, or not any more",
        ));
    };
    match method {
        Method::PUT => object::put(&**database.store(), &key, &headers, body).await,
        _ => object::get(&**database.store(), &key, kind, &headers).await,
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::wrong(format!("not the JSON that is wanted: {error}")))
}

fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(json: &str) -> Option<TicketRange> {
        let call = format!(r#"{{"prefix":"db"{json}}}"#);
        parse::<TicketCall>(call.as_bytes()).ok().map(|call| call.range)
    }

    #[test]
    fn the_range_of_a_ticket_has_bounds_in_base64_and_what_is_none_is_refused() {
        let of = |start: &'static str, end: &'static str| {
            Some(TicketRange { start: start.into(), end: end.into() })
        };
        assert_eq!(range(""), of("", ""));
        assert_eq!(range(r#","range":{}"#), of("", ""));
        assert_eq!(range(r#","range":{"start_b64":"Yg=="}"#), of("b", ""));
        assert_eq!(range(r#","range":{"end_b64":"YmM=","start_b64":""}"#), of("", "bc"));
        assert_eq!(range(r#","range":{"start_b64":null,"end_b64":"YmM="}"#), of("", "bc"));
        for wrong in
            ["null", "[]", r#""b""#, r#"{"start_b64":"b"}"#, r#"{"start_b64":"Yg"}"#, r#"{"end_b64":98}"#]
        {
            assert_eq!(range(&format!(r#","range":{wrong}"#)), None, "{wrong}");
        }
    }
}
