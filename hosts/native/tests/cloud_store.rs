//! What the cloud adapter makes of answers, and that it asks once: against a server that answers as it is told.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use isledb::host::{GetOptions, ObjectStore, PutCondition, Version};
use isledb::{CloudStore, Error, ErrorKind, Result};
use object_store::aws::AmazonS3Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A store whose server gives every request the same answer, and the first lines of the requests that came.
struct Told {
    store: CloudStore,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn told(answer: impl Into<String>) -> Told {
    let answer: Arc<str> = answer.into().into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone(), seen.clone()));
        }
    });
    let builder = AmazonS3Builder::new()
        .with_client_options(CloudStore::client_options())
        .with_allow_http(true)
        .with_endpoint(endpoint)
        .with_region("us-east-1")
        .with_bucket_name("bucket")
        .with_access_key_id("id")
        .with_secret_access_key("secret");
    Told { store: CloudStore::s3(builder).unwrap(), requests }
}

async fn serve(mut stream: TcpStream, answer: Arc<str>, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let head_end = loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8_lossy(&request[..head_end]).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    while request.len() < head_end + length.unwrap_or(0) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    seen.lock().unwrap().push(head);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An answer; it says that the connection ends with it.
fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn s3_error(status: &str, code: &str) -> String {
    answer(status, "", &format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>"))
}

const META: &str = "etag: \"v1\"\r\nlast-modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n";

impl Told {
    async fn put(&self, condition: PutCondition) -> Result<Version> {
        self.store.put("k", Bytes::from_static(b"body"), condition).await
    }

    async fn get(&self, options: GetOptions) -> Result<Bytes> {
        let got = self.store.get("k", options).await?;
        got.body.collect("k", got.range.end - got.range.start).await
    }

    /// Requests since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn if_match() -> PutCondition {
    PutCondition::IfMatch(Version::new("\"v0\""))
}

#[tokio::test]
async fn every_refusal_is_a_decision_and_nothing_is_sent_twice() {
    use ErrorKind::{Conflict, InvalidArgument, NotFound, Permission, Retry, Unsupported};
    // The answer, and what it means to a get, a plain put, and a put under a condition.
    for (answer, get, put, conditional) in [
        (s3_error("404 Not Found", "NoSuchKey"), NotFound, NotFound, Conflict),
        (s3_error("404 Not Found", "NoSuchBucket"), Permission, Permission, Permission),
        (s3_error("412 Precondition Failed", "PreconditionFailed"), Retry, Retry, Conflict),
        (s3_error("409 Conflict", "ConditionalRequestConflict"), Retry, Retry, Conflict),
        (s3_error("403 Forbidden", "AccessDenied"), Permission, Permission, Permission),
        (s3_error("401 Unauthorized", "Unauthorized"), Permission, Permission, Permission),
        (s3_error("400 Bad Request", "ExpiredToken"), Permission, Permission, Permission),
        (s3_error("400 Bad Request", "InvalidRequest"), InvalidArgument, InvalidArgument, InvalidArgument),
        (s3_error("301 Moved Permanently", "PermanentRedirect"), Permission, Permission, Permission),
        (s3_error("429 Too Many Requests", "SlowDown"), Retry, Retry, Retry),
        (s3_error("500 Internal Server Error", "InternalError"), Retry, Retry, Retry),
        (s3_error("501 Not Implemented", "NotImplemented"), Unsupported, Unsupported, Unsupported),
        (s3_error("503 Service Unavailable", "SlowDown"), Retry, Retry, Retry),
    ] {
        let server = told(answer.clone()).await;
        let errors = [
            (server.get(GetOptions::default()).await.unwrap_err(), get),
            (server.put(PutCondition::None).await.unwrap_err(), put),
            (server.put(PutCondition::IfAbsent).await.unwrap_err(), conditional),
            (server.put(if_match()).await.unwrap_err(), conditional),
        ];
        for (error, expected) in errors {
            assert_eq!(error.kind(), expected, "{answer}: {error}");
        }
        // A refused If-Match is looked into, but not sent again.
        let sent = server.requests().iter().filter(|request| !request.starts_with("head ")).count();
        assert_eq!(sent, 4, "{answer}");
    }
}

#[tokio::test]
async fn a_wrong_region_names_the_right_one() {
    let server = told(answer("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", "")).await;
    let error = server.get(GetOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("wrong region: the bucket is in eu-west-1"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_or_is_not_there_did_not_serve() {
    let server = told("").await;
    assert_eq!(server.put(PutCondition::IfAbsent).await.unwrap_err().kind(), ErrorKind::Retry);
    assert_eq!(server.requests().len(), 1);
    let broken = format!("HTTP/1.1 200 OK\r\n{META}content-length: 10\r\nconnection: close\r\n\r\nhalf");
    let error = told(broken).await.get(GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry, "half a body is no body: {error}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let builder = AmazonS3Builder::new()
        .with_allow_http(true)
        .with_endpoint(format!("http://{nobody}"))
        .with_bucket_name("b")
        .with_access_key_id("id")
        .with_secret_access_key("secret");
    let error = CloudStore::s3(builder).unwrap().head("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
}

#[tokio::test]
async fn conditions_and_versions_travel_as_etags() {
    let server = told(answer("200 OK", META, "")).await;
    assert_eq!(server.put(PutCondition::IfAbsent).await.unwrap().as_str(), "\"v1\"");
    assert_eq!(server.put(if_match()).await.unwrap().as_str(), "\"v1\"");
    let requests = server.requests();
    assert!(
        requests[0].starts_with("put /bucket/k ") && requests[0].contains("if-none-match: *"),
        "{requests:?}"
    );
    assert!(requests[1].contains("if-match: \"v0\""), "{requests:?}");

    let unchanged = told(answer("304 Not Modified", META, "")).await;
    let known = GetOptions { if_none_match: Some(Version::new("\"v1\"")), range: None };
    let error = unchanged.get(known).await.unwrap_err();
    assert_eq!(error, Error::NotModified { object: "k".into() });
    assert!(unchanged.requests()[0].contains("if-none-match: \"v1\""));
}

#[tokio::test]
async fn a_range_is_answered_whole_or_not_at_all() {
    let part =
        |range| answer("206 Partial Content", &format!("{META}content-range: bytes {range}/6\r\n"), "cdef");
    let asked = |range| GetOptions { range: Some(range), if_none_match: None };
    assert_eq!(told(part("2-5")).await.get(asked(2..6)).await.unwrap(), "cdef");
    let error = told(part("2-5")).await.get(asked(2..9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let error =
        told(s3_error("416 Range Not Satisfiable", "InvalidRange")).await.get(asked(7..9)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    let ignored = answer("200 OK", META, "abcdef");
    let error = told(ignored).await.get(asked(2..6)).await.unwrap_err();
    assert_ne!(error.kind(), ErrorKind::NotFound, "a server that ignores ranges: {error}");
}

#[tokio::test]
async fn a_page_is_one_request() {
    let contents = "<Contents><Key>p/a</Key><Size>3</Size><LastModified>2015-10-21T07:28:00.000Z</LastModified>\
                    <ETag>\"v\"</ETag></Contents>";
    let page = format!(
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{contents}\
         </ListBucketResult>"
    );
    let server = told(answer("200 OK", "", &page)).await;
    let page = server.store.list("p/", Some("p/0")).await.unwrap();
    assert!(page.more);
    assert_eq!((page.objects[0].key.as_str(), page.objects[0].size), ("p/a", 3));
    assert_eq!(page.objects[0].last_modified_ms, Some(1_445_412_480_000));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].contains("prefix=p%2f") && requests[0].contains("start-after=p%2f0"), "{requests:?}");
}

#[tokio::test]
async fn a_delete_answers_for_every_key() {
    let body = "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code>\
                <Message>no</Message></Error></DeleteResult>";
    let server = told(answer("200 OK", "", body)).await;
    let keys = ["a".to_owned(), "b".to_owned()];
    let answers = server.store.delete(&keys).await.unwrap();
    assert_eq!(answers[0], Ok(()));
    assert_eq!(answers[1].as_ref().unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!(server.requests().len(), 1);

    let server = told(s3_error("503 Service Unavailable", "SlowDown")).await;
    let answers = server.store.delete(&keys).await.unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap_err().kind() == ErrorKind::Retry));
    assert_eq!(server.requests().len(), 1, "a delete is never sent twice");
}
