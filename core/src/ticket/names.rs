//! What may stand in a ticket as a key, and as a URL.

use super::document::MAX_URL_BYTES;
use crate::error::{Error, Result};
use crate::format::layout::{Layout, ObjectKind};

/// `Corrupt` unless `key`, relative to the prefix, names an object that readers get besides CURRENT.
///
/// Only names that the layout makes: so no key leaves the prefix, and no object has a second one.
pub(super) fn check_key(layout: &Layout, key: &str) -> Result<()> {
    match layout.kind_of(&layout.full(key)) {
        Some(kind) if kind.is_read() && kind != ObjectKind::Current => Ok(()),
        _ => Err(refuse("the name of a table, a blob, a log entry or a snapshot", shorten(key))),
    }
}

/// `Corrupt` unless `url` is one that may be fetched; `of` says what it is for.
pub(super) fn check_url(url: &str, of: &str) -> Result<()> {
    if is_url(url) {
        return Ok(());
    }
    let expected = format!("an http or https URL of at most {MAX_URL_BYTES} bytes for {}", shorten(of));
    Err(refuse(expected, shorten(url)))
}

/// True for an absolute `https` or `http` URL in plain ASCII, with a host and without user, password or fragment, of at most
/// [`MAX_URL_BYTES`].
pub fn is_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    url.len() <= MAX_URL_BYTES
        && !host.is_empty()
        && !authority.contains(['@', '\\', '%'])
        && !rest.contains('#')
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn refuse(expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::corrupt("ticket", None, expected, found)
}

/// Text from outside, for a message.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN: usize = 100;
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown:?}...") } else { format!("{shown:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_the_layout_makes() {
        let layout = Layout::new("db").unwrap();
        for key in ["sstable/1-1-7-1.sst", "manifest/log/00000000000000000001.json"] {
            check_key(&layout, key).unwrap();
        }
        for bad in [
            "",
            "/",
            "manifest/CURRENT",
            "manifest/gc/checkpoint.json",
            "manifest/probe/0ujsszwN8NRY24YaXiTIE2VWDTS",
            "../other/sstable/1.sst",
            "sstable/../../other/x",
            "/sstable/1.sst",
            "db/sstable/1.sst",
            "sstable//1.sst",
            "sstable/%2e%2e/x",
            "elsewhere",
            "__proto__",
        ] {
            let error = check_key(&layout, bad).unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn urls_are_http_with_a_host_and_nothing_that_hides_it() {
        for url in [
            "https://bucket.s3.amazonaws.com/db/sstable/1.sst?X-Amz-Signature=00",
            "http://127.0.0.1:7070/b/x",
            "https://[::1]:1/x",
        ] {
            assert!(is_url(url), "{url}");
        }
        let long = format!("https://h/{}", "a".repeat(MAX_URL_BYTES));
        for bad in [
            "",
            "https://",
            "https:///x",
            "https://:80/x",
            "HTTPS://h/x",
            "ftp://h/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,x",
            "//h/x",
            "/x",
            "https://user:secret@h/x",
            "https://h\\@evil/x",
            "https://h%2f/x",
            "https://h/x y",
            "https://h/x\n",
            "https://h/é",
            "https://h/x#f",
            &long,
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
