//! What leads on from a ticket's version: CURRENT by its URL, and URLs from the signer for what the ticket does not name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use isledb_core::ticket::{Follow, is_url};
use isledb_core::{Error, Result};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::answer;

/// A URL of the signer is used until so long before it expires: the request must arrive in time.
const MARGIN_MS: u64 = 5_000;

/// Longest answer of a signer that is read, in bytes: it holds one URL.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// What a signer knows its caller by. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignerToken(String);

impl<T: Into<String>> From<T> for SignerToken {
    fn from(token: T) -> SignerToken {
        SignerToken(token.into())
    }
}

impl std::fmt::Debug for SignerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignerToken(..)")
    }
}

/// A signer, and what it has signed so far.
pub(super) struct Following {
    current: String,
    sign: String,
    token: SignerToken,
    allow_http: bool,
    urls: Mutex<HashMap<String, Signed>>,
}

struct Signed {
    url: String,
    expires_at_ms: u64,
}

impl Following {
    /// Sends no request. Errors: `InvalidArgument` for an address in the clear that is not permitted.
    pub(super) fn new(follow: &Follow, token: SignerToken, allow_http: bool) -> Result<Following> {
        for url in [&follow.current, &follow.signer] {
            super::permit(url, allow_http)?;
        }
        let sign = format!("{}/v1/sign", follow.signer.trim_end_matches('/'));
        Ok(Following { current: follow.current.clone(), sign, token, allow_http, urls: Mutex::default() })
    }

    /// The URL of CURRENT that the ticket carries; it is good for as long as the ticket.
    pub(super) fn current(&self) -> &str {
        &self.current
    }

    /// A URL of `key` from the signer, kept for as long as it is good. Cost: one call of the signer, or none.
    ///
    /// Errors: `Unavailable` where the signer is not reached, is busy or answers with something else; `Permission` where it
    /// refuses.
    pub(super) async fn url(&self, client: &Client, key: &str, now_ms: u64) -> Result<String> {
        if let Some(url) = self.kept(key, now_ms) {
            return Ok(url);
        }
        let asked = json!({ "requests": [{ "method": "GET", "path": key, "query": "" }] });
        let request = client.post(&self.sign).bearer_auth(&self.token.0);
        let request = request.header(CONTENT_TYPE, "application/json").body(asked.to_string());
        let response = request.send().await.map_err(|error| answer::unavailable(key, &error))?;
        let signed = self.read(key, response).await?;
        let url = signed.url.clone();
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        urls.retain(|_, kept| now_ms + MARGIN_MS < kept.expires_at_ms);
        urls.insert(key.to_owned(), signed);
        Ok(url)
    }

    fn kept(&self, key: &str, now_ms: u64) -> Option<String> {
        let urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        urls.get(key).filter(|kept| now_ms + MARGIN_MS < kept.expires_at_ms).map(|kept| kept.url.clone())
    }

    async fn read(&self, key: &str, mut response: Response) -> Result<Signed> {
        let status = response.status();
        let object = key.to_owned();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Error::Unavailable {
                object,
                message: format!("the signer answered {}", status.as_u16()),
            });
        }
        if status != StatusCode::OK {
            let message = format!(
                "the signer answered {}; check the token, and that it serves this prefix",
                status.as_u16()
            );
            return Err(Error::Permission { object, message });
        }
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| answer::unavailable(key, &error))? {
            text.extend_from_slice(&piece);
            if text.len() > MAX_ANSWER_BYTES {
                break;
            }
        }
        let Some(signed) = signed(&text) else {
            let message = "the signer answered with something else than a URL".to_owned();
            return Err(Error::Unavailable { object, message });
        };
        super::permit(&signed.url, self.allow_http)?;
        Ok(signed)
    }
}

/// The one URL of an answer. An answer that was too long was cut, and is no JSON.
fn signed(text: &[u8]) -> Option<Signed> {
    let answer: Value = serde_json::from_slice(text).ok()?;
    let one = answer.get("urls")?.get(0)?;
    let url = one.get("url")?.as_str().filter(|url| is_url(url))?.to_owned();
    Some(Signed { url, expires_at_ms: one.get("expires_at_ms")?.as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_url_with_its_time() {
        let signed = |text: &str| signed(text.as_bytes()).map(|signed| (signed.url, signed.expires_at_ms));
        let right = r#"{"urls": [{"url": "https://h/x?s=1", "expires_at_ms": 7}]}"#;
        assert_eq!(signed(right), Some(("https://h/x?s=1".to_owned(), 7)));
        for wrong in [
            "",
            "[]",
            r#"{"urls": []}"#,
            r#"{"urls": [{"url": "file:///etc/passwd", "expires_at_ms": 7}]}"#,
            r#"{"urls": [{"url": "https://h/x"}]}"#,
            r#"{"urls": [{"url": "https://h/x", "expires_at_ms": -1}]}"#,
        ] {
            assert_eq!(signed(wrong), None, "{wrong}");
        }
    }
}
