//! Objects over HTTP: GET with ranges and If-None-Match, PUT with conditions.

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use isledb::Error;
use isledb::format::layout::ObjectKind;
use isledb::host::{GetOptions, GetResult, ObjectStore, PutCondition, Version};

use super::refusal::Refusal;

/// Answers a GET of an object.
///
/// Cost: one GET of the store; a HEAD before it for a range without an end, and one between two of them for a range that
/// reaches beyond the object.
pub(crate) async fn get(
    store: &dyn ObjectStore,
    key: &str,
    kind: ObjectKind,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let if_none_match = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).and_then(version);
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(asked);
    let failed = |error: Error| Refusal::of(&error);
    let got = match asked {
        None => store.get(key, GetOptions { range: None, if_none_match }).await.map_err(failed)?,
        Some((start, end)) => {
            let end = match end {
                Some(end) => end,
                None => store.head(key).await.map_err(failed)?.size,
            };
            if start >= end {
                return beyond(store, key).await;
            }
            let options = GetOptions { range: Some(start..end), if_none_match: if_none_match.clone() };
            match store.get(key, options).await {
                Err(Error::Corrupt { .. }) => {
                    let size = store.head(key).await.map_err(failed)?.size;
                    if start >= size {
                        return beyond(store, key).await;
                    }
                    let options = GetOptions { range: Some(start..size.min(end)), if_none_match };
                    store.get(key, options).await.map_err(failed)?
                }
                got => got.map_err(failed)?,
            }
        }
    };
    Ok(answer(kind, asked.is_some(), got))
}

fn answer(kind: ObjectKind, partial: bool, got: GetResult) -> Response {
    let GetResult { meta, range, body } = got;
    let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, Body::from_stream(body.into_stream())).into_response();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_LENGTH, &(range.end - range.start).to_string());
    if partial {
        set(CONTENT_RANGE, &format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size));
    }
    if let Some(version) = &meta.version {
        set(ETAG, &etag(version));
    }
    if let Some(at_ms) = meta.last_modified_ms
        && let Some(at) = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(at_ms))
    {
        set(LAST_MODIFIED, &http_date(at));
    }
    set(ACCEPT_RANGES, "bytes");
    // Whoever put the bytes there: a browser is to show none of them as a page of this server.
    set(CONTENT_TYPE, "application/octet-stream");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(CONTENT_DISPOSITION, "attachment");
    set(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    let written_once = kind.is_read() && kind != ObjectKind::Current;
    set(CACHE_CONTROL, if written_once { "private, max-age=86400, immutable" } else { "no-store" });
    response
}

async fn beyond(store: &dyn ObjectStore, key: &str) -> Result<Response, Refusal> {
    let size = store.head(key).await.map_err(|error| Refusal::of(&error))?.size;
    let what = format!("the object has {size} bytes");
    let mut response = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", what).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    Ok(response)
}

/// Writes an object, under the condition of the headers.
pub(super) async fn put(
    store: &dyn ObjectStore,
    key: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let condition = match (text(IF_NONE_MATCH), text(IF_MATCH)) {
        (None, None) => PutCondition::None,
        (Some("*"), None) => PutCondition::IfAbsent,
        (None, Some(etag)) => {
            PutCondition::IfMatch(version(etag).ok_or_else(|| Refusal::wrong("If-Match names one ETag"))?)
        }
        _ => return Err(Refusal::wrong("a put has If-None-Match: * or If-Match, or neither")),
    };
    let written = store.put(key, body, condition).await.map_err(|error| Refusal::of(&error))?;
    Ok((StatusCode::OK, [(ETAG, etag(&written))]).into_response())
}

/// `bytes=5-9` as `(5, Some(10))`, `bytes=5-` as `(5, None)`. Anything else, a suffix too, is answered with the whole object, as
/// HTTP allows.
fn asked(text: &str) -> Option<(u64, Option<u64>)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    match last {
        "" => Some((first, None)),
        last => Some((first, Some(last.parse::<u64>().ok().filter(|last| *last >= first)?.checked_add(1)?))),
    }
}

/// A version as an ETag: what is one already stays as it is, anything else is put into one that can be read back.
pub(super) fn etag(version: &Version) -> String {
    let text = version.as_str();
    match plain(text) {
        Some(inside) if !inside.starts_with(ENCODED) => text.to_owned(),
        _ => format!("\"{ENCODED}{}\"", hex::encode(text)),
    }
}

/// The ETag by which a store's own URLs know a version: Google's carries a generation in front.
pub(crate) fn etag_of_store(version: &str) -> &str {
    version.split_once(' ').map_or(version, |(_, etag)| etag)
}

/// The version behind an ETag; `None` for a list, a star, or what no ETag is.
fn version(etag: &str) -> Option<Version> {
    let inside = plain(etag.trim())?;
    match inside.strip_prefix(ENCODED) {
        Some(encoded) => Some(Version::new(String::from_utf8(hex::decode(encoded).ok()?).ok()?)),
        None => Some(Version::new(etag.trim())),
    }
}

const ENCODED: &str = "x-";

/// What stands between the quotes of a strong ETag.
fn plain(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('"') && inside.bytes().all(|byte| byte.is_ascii_graphic())).then_some(inside)
}

/// As HTTP writes times: `Thu, 01 Jan 1970 00:00:00 GMT`.
fn http_date(at: std::time::SystemTime) -> String {
    let seconds = at.duration_since(std::time::UNIX_EPOCH).map(|age| age.as_secs()).unwrap_or(0);
    let days = seconds / 86_400;
    // RFC 3339 has year, month, day and time; the name of the day is all that is missing.
    let rfc3339 = humantime::format_rfc3339_seconds(at).to_string();
    let day = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |range: std::ops::Range<usize>| rfc3339.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| months.get(month.wrapping_sub(1)));
    format!("{day}, {} {} {} {} GMT", part(8..10), month.unwrap_or(&"Jan"), part(0..4), part(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_others_mean_everything() {
        assert_eq!(asked("bytes=5-9"), Some((5, Some(10))));
        assert_eq!(asked("bytes=5-"), Some((5, None)));
        for whole in [
            "bytes=-5",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=0-18446744073709551615",
        ] {
            assert_eq!(asked(whole), None, "{whole}");
        }
    }

    #[test]
    fn versions_come_back_from_their_etags() {
        for text in ["\"abc\"", "abc", "17 \"abc\"", "\"x-1\"", "12-34-56"] {
            let given = Version::new(text);
            let etag = etag(&given);
            assert!(plain(&etag).is_some(), "{etag}");
            assert_eq!(version(&etag), Some(given), "{etag}");
        }
        for none in ["", "*", "W/\"a\"", "\"a\", \"b\"", "\"x-zz\""] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    #[test]
    fn a_generation_is_no_part_of_an_etag() {
        for version in ["\"abc\"", "17 \"abc\""] {
            assert_eq!(etag_of_store(version), "\"abc\"");
        }
    }

    #[test]
    fn dates_are_those_of_http() {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777);
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(std::time::UNIX_EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
