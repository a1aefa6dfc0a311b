//! S3 in this process, with the peculiarities of Ceph's gateway (16.2), as far as a client with conditional writes meets them:
//!
//! - `If-Match` of a put is compared with the bare ETag, so that the quoted one which the server gives never matches;
//! - `If-Match` on an absent object is 412, not 404;
//! - the answer to a completed upload in parts has an empty ETag;
//! - of puts at the same time on one condition one wins, and of the others some are answered by 500, applied or not: not.
//!
//! Signatures are not checked. The real one is started by `ceph.sh`; this one is for every run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::BUCKET;
use crate::http::{Request, Response, http_date, rfc3339};

/// How long a put under a condition takes, so that two at the same time meet.
const WRITE: Duration = Duration::from_millis(2);
const MAX_PAGE: usize = 1000;

/// A running server with the empty bucket [`BUCKET`].
pub struct Gateway {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Gateway {
    /// Starts it on a free port.
    pub fn start() -> io::Result<Gateway> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, stopped) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let bucket = Arc::new(Bucket::default());
        let (stop, requests) = (stopped.clone(), Arc::new(AtomicU64::new(0)));
        let count = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (bucket, count) = (bucket.clone(), count.clone());
                // Ends with its connection. One that breaks off is the client's affair.
                std::thread::spawn(move || {
                    let answer = |request: &Request| {
                        count.fetch_add(1, Ordering::Relaxed);
                        bucket.answer(request)
                    };
                    drop(crate::http::serve(&stream, answer));
                });
            }
        });
        Ok(Gateway { address, requests, stopped })
    }

    /// What a client needs, by the names of the environment variables that carry it. Any keys will do.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let of = [
            ("AWS_ACCESS_KEY_ID", "AKTEST"),
            ("AWS_SECRET_ACCESS_KEY", "SKTESTSKTEST"),
            ("AWS_REGION", "us-east-1"),
        ];
        of.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees.
        drop(TcpStream::connect(self.address));
    }
}

#[derive(Clone)]
struct Object {
    body: Arc<Vec<u8>>,
    /// Bare.
    etag: String,
    modified: SystemTime,
}

#[derive(Default)]
struct Bucket(Mutex<State>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, BTreeMap<u32, Vec<u8>>>,
    /// Names that are being written under a condition.
    writing: HashSet<String>,
    named: u64,
}

impl Bucket {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Response {
        let Some(name) = request.path.strip_prefix(&format!("/{BUCKET}")) else {
            return error(404, "NoSuchBucket");
        };
        let key = name.strip_prefix('/').unwrap_or(name);
        let query = |name: &str| request.query.get(name).map(String::as_str);
        match (request.method.as_str(), key) {
            ("GET", "") => self.list(request),
            ("POST", "") if query("delete").is_some() => self.delete_all(&request.body),
            ("GET" | "HEAD", key) => self.get(key, request),
            ("POST", _) if query("uploads").is_some() => self.begin_upload(),
            ("POST", key) => self.end_upload(key, query("uploadId").unwrap_or_default()),
            ("PUT", key) => match (query("partNumber").and_then(|n| n.parse().ok()), query("uploadId")) {
                (Some(number), Some(upload)) => self.put_part(upload, number, &request.body),
                _ => self.put(key, request),
            },
            ("DELETE", key) => {
                match query("uploadId") {
                    Some(upload) => drop(self.state().uploads.remove(upload)),
                    None => drop(self.state().objects.remove(key)),
                }
                Response::new(204)
            }
            _ => error(405, "MethodNotAllowed"),
        }
    }

    fn get(&self, key: &str, request: &Request) -> Response {
        let Some(object) = self.state().objects.get(key).cloned() else { return error(404, "NoSuchKey") };
        let size = object.body.len();
        let meta = |status| {
            Response::new(status)
                .header("etag", format!("\"{}\"", object.etag))
                .header("last-modified", http_date(object.modified))
        };
        // Of a get both ways to write an ETag are understood.
        if request.header("if-none-match").is_some_and(|etag| etag.trim_matches('"') == object.etag) {
            return meta(304);
        }
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let Some((start, end)) = range else { return meta(200).body(object.body.to_vec()) };
        let (start, end) =
            (start.parse().unwrap_or(0), end.parse::<usize>().map_or(size, |end| end + 1).min(size));
        if start >= end {
            return error(416, "InvalidRange");
        }
        meta(206)
            .header("content-range", format!("bytes {start}-{}/{size}", end - 1))
            .body(object.body[start..end].to_vec())
    }

    fn put(&self, key: &str, request: &Request) -> Response {
        let (if_match, if_none_match) = (request.header("if-match"), request.header("if-none-match"));
        let holds = |state: &State| {
            let now = state.objects.get(key);
            let matches = if_match.is_none_or(|etag| now.is_some_and(|object| object.etag == etag));
            matches && (if_none_match != Some("*") || now.is_none())
        };
        if if_match.is_some() || if_none_match.is_some() {
            let mut state = self.state();
            if !holds(&state) {
                return error(412, "PreconditionFailed");
            }
            if !state.writing.insert(key.to_owned()) {
                return error(500, "UnknownError");
            }
            drop(state);
            std::thread::sleep(WRITE);
            let mut state = self.state();
            state.writing.remove(key);
            if !holds(&state) {
                return error(500, "UnknownError");
            }
            return state.insert(key, request.body.clone(), "");
        }
        self.state().insert(key, request.body.clone(), "")
    }

    fn list(&self, request: &Request) -> Response {
        let query = |name: &str| request.query.get(name).map_or("", String::as_str);
        let (prefix, after) = (query("prefix"), query("start-after").max(query("continuation-token")));
        let limit = query("max-keys").parse().unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let state = self.state();
        let objects = state.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let mut page: Vec<_> = objects.take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let mut xml = format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>");
        if let Some((last, _)) = page.last().filter(|_| more) {
            xml += &format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(last));
        }
        for (key, object) in page {
            xml += &format!(
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>",
                escaped(key),
                rfc3339(object.modified),
                object.etag,
                object.body.len()
            );
        }
        Response::new(200).body((xml + "</ListBucketResult>").into_bytes())
    }

    fn delete_all(&self, body: &[u8]) -> Response {
        let body = String::from_utf8_lossy(body);
        let mut xml = "<DeleteResult>".to_owned();
        for key in body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")) {
            self.state().objects.remove(&unescaped(key.0));
            xml += &format!("<Deleted><Key>{}</Key></Deleted>", key.0);
        }
        Response::new(200).body((xml + "</DeleteResult>").into_bytes())
    }

    fn begin_upload(&self) -> Response {
        let mut state = self.state();
        state.named += 1;
        let id = format!("upload-{}", state.named);
        state.uploads.insert(id.clone(), BTreeMap::new());
        let xml = format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        Response::new(200).body(xml.into_bytes())
    }

    fn put_part(&self, upload: &str, number: u32, body: &[u8]) -> Response {
        let mut state = self.state();
        let Some(parts) = state.uploads.get_mut(upload) else { return error(404, "NoSuchUpload") };
        parts.insert(number, body.to_vec());
        Response::new(200).header("etag", format!("\"{}\"", etag(body)))
    }

    fn end_upload(&self, key: &str, upload: &str) -> Response {
        let mut state = self.state();
        let Some(parts) = state.uploads.remove(upload) else { return error(404, "NoSuchUpload") };
        let suffix = format!("-{}", parts.len());
        state.insert(key, parts.into_values().flatten().collect(), &suffix);
        let xml = "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>";
        Response::new(200).body(xml.into())
    }
}

impl State {
    fn insert(&mut self, key: &str, body: Vec<u8>, suffix: &str) -> Response {
        let etag = etag(&body) + suffix;
        let answer = Response::new(200).header("etag", format!("\"{etag}\""));
        self.objects
            .insert(key.to_owned(), Object { body: Arc::new(body), etag, modified: SystemTime::now() });
        answer
    }
}

/// Thirty-two digits that tell the content, as an MD5 would.
fn etag(body: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let digest = |seed: u8| {
        let mut hash = DefaultHasher::new();
        (seed, body).hash(&mut hash);
        hash.finish()
    };
    format!("{:016x}{:016x}", digest(1), digest(2))
}

fn error(status: u16, code: &str) -> Response {
    Response::new(status).body(format!("<Error><Code>{code}</Code></Error>").into_bytes())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    text.replace("&#39;", "'").replace("&#34;", "\"").replace("&amp;", "&")
}
