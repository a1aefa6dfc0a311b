//! The store.

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
use crate::{TokioHost, cloud};

/// The objects of one view ticket.
///
/// CURRENT is what the ticket carries, without a request; every other object is one GET of its URL. There is nothing else:
/// no HEAD, no listing, no writing, no suffix ranges, no redirects, and nothing at all once the ticket has expired.
pub struct TicketStore {
    ticket: Arc<Ticket>,
    current: String,
    urls: HashMap<String, String>,
    client: reqwest::Client,
    host: TokioHost,
}

impl TicketStore {
    /// No request yet. Plain HTTP to another machine has to be permitted by `allow_http`.
    ///
    /// Errors: `InvalidArgument` for a URL in the clear that is not permitted.
    pub fn new(ticket: Ticket, allow_http: bool) -> Result<TicketStore> {
        cloud::install_tls();
        let layout = ticket.layout()?;
        if !allow_http && let Some(url) = ticket.objects.values().find(|url| is_in_the_clear(url)) {
            let host = url.split('/').nth(2).unwrap_or_default();
            return Err(Error::InvalidArgument {
                what: format!(
                    "the ticket's objects are at http://{host}, plain HTTP, on which anybody may read and change the data; \
                     permit it by allow_http (--allow-http)"
                ),
            });
        }
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(60))
            .timeout(Duration::from_secs(15 * 60))
            .build()
            .map_err(|error| Error::InvalidArgument { what: format!("an HTTP client: {error}") })?;
        let urls = ticket.objects.iter().map(|(key, url)| (layout.full(key), url.clone())).collect();
        let current = layout.current();
        Ok(TicketStore { ticket: Arc::new(ticket), current, urls, client, host: TokioHost::new() })
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

    async fn fetch(&self, key: &str, options: GetOptions) -> Result<GetResult> {
        let Some(url) = self.urls.get(key) else {
            return Err(Error::Permission { object: key.to_owned(), message: self.left_out() });
        };
        let mut request = self.client.get(url);
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
            self.ticket.check_time(self.host.now_unix_ns() / 1_000_000)?;
            if key == self.current { self.carried(&options) } else { self.fetch(key, options).await }
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
