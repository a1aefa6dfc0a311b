//! The store.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use isledb_core::host::{
    Body, GetOptions, GetResult, Host, ListPage, MultipartUpload, ObjectMeta, ObjectStore, PutCondition,
    Version,
};
use isledb_core::maybe::BoxFuture;
use isledb_core::ticket::Ticket;
use isledb_core::{Error, Result};
use reqwest::header::{IF_NONE_MATCH, RANGE};
use reqwest::redirect::Policy;

use super::answer;
use super::follow::{Following, SignerToken};
use crate::{TokioHost, cloud};

/// The objects of one view ticket.
///
/// CURRENT is what the ticket carries, without a request; every other object is one GET of its URL. There is nothing else:
/// no HEAD, no listing, no writing, no suffix ranges, no redirects, and nothing at all once the ticket has expired, unless it
/// [follows](TicketStore::following).
pub struct TicketStore {
    ticket: Arc<Ticket>,
    current: String,
    urls: HashMap<String, String>,
    client: reqwest::Client,
    host: TokioHost,
    allow_http: bool,
    following: Option<Following>,
}

impl TicketStore {
    /// No request yet. Plain HTTP to another machine has to be permitted by `allow_http`.
    ///
    /// Errors: `InvalidArgument` for a URL in the clear that is not permitted.
    pub fn new(ticket: Ticket, allow_http: bool) -> Result<TicketStore> {
        cloud::install_tls();
        let layout = ticket.layout()?;
        ticket.objects.values().try_for_each(|url| permit(url, allow_http))?;
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(60))
            .timeout(Duration::from_secs(15 * 60))
            .build()
            .map_err(|error| Error::InvalidArgument { what: format!("an HTTP client: {error}") })?;
        let urls = ticket.objects.iter().map(|(key, url)| (layout.full(key), url.clone())).collect();
        let current = layout.current();
        let (ticket, host) = (Arc::new(ticket), TokioHost::new());
        Ok(TicketStore { ticket, current, urls, client, host, allow_http, following: None })
    }

    /// Goes on to newer versions: each GET of CURRENT is a request to the URL that the ticket has for it, with If-None-Match, and
    /// what the ticket does not name, or no longer, is one more call of the signer that it names, which gets `token`.
    /// **So follow tickets of those alone who may have the token**: a ticket can name any address as its signer.
    ///
    /// Errors: `InvalidArgument` for a ticket that does not say how to follow it, and for addresses in the clear that are not
    /// permitted.
    pub fn following(mut self, token: impl Into<SignerToken>) -> Result<TicketStore> {
        let Some(follow) = &self.ticket.follow else {
            let what =
                "this ticket stays at its version: whoever signed it named no signer to follow".to_owned();
            return Err(Error::InvalidArgument { what });
        };
        self.following = Some(Following::new(follow, token.into(), self.allow_http)?);
        Ok(self)
    }

    /// The ticket.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn carried(&self, options: &GetOptions) -> Result<GetResult> {
        let current = &self.ticket.current;
        let version = Version::new(current.version.as_str());
        if options.if_none_match.as_ref() == Some(&version) {
            return Err(Error::NotModified { object: self.current.clone() });
        }
        let size = current.body.len() as u64;
        let range = options.range.clone().unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Error::Corrupt {
                object: self.current.clone(),
                offset: Some(range.start),
                expected: format!("bytes {range:?}"),
                found: format!("an object of {size} bytes"),
            });
        }
        let last_modified_ms = current.last_modified_ms;
        let meta = ObjectMeta { key: self.current.clone(), size, version: Some(version), last_modified_ms };
        // Within a document of a few MiB.
        let body = Body::once(current.body.slice(range.start as usize..range.end as usize));
        Ok(GetResult { meta, range, body })
    }

    /// Where `key` is.
    async fn url(&self, key: &str) -> Result<Cow<'_, str>> {
        let now_ms = self.host.now_unix_ns() / 1_000_000;
        let in_time = self.ticket.check_time(now_ms);
        let named = match &self.following {
            Some(following) if key == self.current => Some(following.current()),
            _ => self.urls.get(key).map(String::as_str),
        };
        match (in_time, named, &self.following) {
            (Ok(()), Some(url), _) => Ok(Cow::Borrowed(url)),
            (_, _, Some(following)) => Ok(Cow::Owned(following.url(&self.client, key, now_ms).await?)),
            (Err(expired), _, None) => Err(expired),
            (Ok(()), None, None) => {
                Err(Error::Permission { object: key.to_owned(), message: self.left_out() })
            }
        }
    }

    async fn fetch(&self, key: &str, options: GetOptions) -> Result<GetResult> {
        let mut request = self.client.get(self.url(key).await?.as_ref());
        if let Some(range) = &options.range {
            if range.start >= range.end {
                let what = format!("{key}: bytes {range:?}: no request asks for none");
                return Err(Error::InvalidArgument { what });
            }
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        if let Some(version) = &options.if_none_match {
            request = request.header(IF_NONE_MATCH, version.as_str());
        }
        let response = request.send().await.map_err(|error| answer::unavailable(key, &error))?;
        answer::object(key, options.range, response).await
    }

    fn left_out(&self) -> String {
        match self.ticket.range.is_everything() {
            true => "it is not in this ticket".to_owned(),
            false => "it is not in this ticket, which is for a range of keys".to_owned(),
        }
    }
}

/// Errors: `InvalidArgument` for an address in the clear, unless it is permitted.
pub(super) fn permit(url: &str, allow_http: bool) -> Result<()> {
    if allow_http || !is_in_the_clear(url) {
        return Ok(());
    }
    // The rest of the URL is a secret.
    let host = url.split('/').nth(2).unwrap_or_default();
    Err(Error::InvalidArgument {
        what: format!(
            "the ticket leads to http://{host}, plain HTTP, on which anybody may read and change the data; \
             permit it by allow_http (--allow-http)"
        ),
    })
}

/// To another machine, without TLS.
fn is_in_the_clear(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn reads_alone<T>(object: &str) -> Result<T> {
    let what = "a view ticket gets the objects of one version, nothing else".to_owned();
    Err(Error::Unsupported { object: object.to_owned(), what })
}

impl ObjectStore for TicketStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        Box::pin(async move {
            if key == self.current && self.following.is_none() {
                self.ticket.check_time(self.host.now_unix_ns() / 1_000_000)?;
                return self.carried(&options);
            }
            self.fetch(key, options).await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<ObjectMeta>> {
        Box::pin(async move { reads_alone(key) })
    }

    fn put<'a>(&'a self, key: &'a str, _: Bytes, _: PutCondition) -> BoxFuture<'a, Result<Version>> {
        Box::pin(async move { reads_alone(key) })
    }

    fn put_multipart<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        Box::pin(async move { reads_alone(key) })
    }

    fn list<'a>(&'a self, prefix: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<ListPage>> {
        Box::pin(async move { reads_alone(prefix) })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<()>>>> {
        Box::pin(async move { reads_alone(keys.first().map_or("", String::as_str)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_reached_in_the_clear() {
        for fine in ["https://h/x", "http://127.0.0.1:1/x", "http://[::1]:1/x", "http://localhost/x"] {
            assert!(!is_in_the_clear(fine), "{fine}");
        }
        for clear in
            ["http://h/x", "http://127.0.0.1.evil/x", "http://10.0.0.1:80/x", "http://localhost.evil/"]
        {
            assert!(is_in_the_clear(clear), "{clear}");
        }
    }
}
