//! View tickets, natively: every fixture bucket and one of our own, read through presigned URLs of a real S3 server, by GETs alone.

#![allow(clippy::unwrap_used, reason = "what a test cannot unwrap fails it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use isledb::host::{Cost, GetOptions, Metered, ObjectStore, PutCondition};
use isledb::read::{ReaderOptions, ScanOptions};
use isledb::ticket::{Ticket, TicketRange, decode, encode};
use isledb::write::WriterOptions;
use isledb::{
    CloudStore, Db, DbOptions, Error, ErrorKind, PresignedMethod, Presigner, TicketStore, TokioHost,
    open_store,
};
use isledb_test_servers::{BUCKET, Kind, NoServer, Server, in_ci};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;

fn server(kind: Kind) -> Option<Server> {
    match Server::start(kind) {
        Ok(server) => Some(server),
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: {kind:?} is not on this machine: {reason}");
            None
        }
        Err(missing) => panic!("{kind:?}: {missing}"),
    }
}

fn cloud(server: &Server) -> CloudStore {
    let builder = AmazonS3Builder::new()
        .with_client_options(CloudStore::client_options())
        .with_allow_http(true)
        .with_endpoint(server.variable("AWS_ENDPOINT"))
        .with_region(server.variable("AWS_REGION"))
        .with_access_key_id(server.variable("AWS_ACCESS_KEY_ID"))
        .with_secret_access_key(server.variable("AWS_SECRET_ACCESS_KEY"))
        .with_bucket_name(BUCKET);
    CloudStore::s3(builder).unwrap()
}

fn db(store: Arc<dyn ObjectStore>, prefix: &str) -> Db {
    Db::open(store, Arc::new(TokioHost::new()), prefix, DbOptions::default()).unwrap()
}

async fn signed(db: &Db, presigner: &Presigner, ttl_ms: u64) -> Ticket {
    let draft = db.ticket_draft(&TicketRange::default()).await.unwrap();
    let ttl = Duration::from_secs(60);
    let urls = presigner.urls(PresignedMethod::Get, draft.keys(), ttl).await.unwrap();
    let now_ms = draft.read_at_ms();
    let ticket = draft.ticket(now_ms, now_ms + ttl_ms, urls, None).unwrap();
    // As it travels.
    decode(&encode(&ticket).unwrap(), now_ms).unwrap()
}

async fn everything(db: &Db) -> Vec<(Bytes, Bytes)> {
    let reader = db.reader(ReaderOptions::default()).await.unwrap();
    let mut scan = reader.scan(ScanOptions::default()).await.unwrap();
    let mut all = Vec::new();
    while let Some(entry) = scan.next().await.unwrap() {
        all.push((entry.key, entry.value));
    }
    all
}

/// The objects of a fixture bucket, without the sidecars of the original's file store.
fn objects(folder: &Path) -> Vec<(String, PathBuf)> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "attrs") {
                found.push((path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), path));
            }
        }
    }
    found
}

/// Those whose layouts differ most; core reads all of them through tickets in memory.
const FIXTURES: [&str; 6] =
    ["blobs-default", "everything", "two-level-snappy", "several-runs-and-l0", "prefix-nested", "flush-zstd"];

#[tokio::test(flavor = "multi_thread")]
async fn fixtures_and_our_own_read_through_presigned_urls() {
    let Some(server) = server(Kind::Versitygw) else { return };
    let presigner = cloud(&server).presigner();
    let store: Arc<dyn ObjectStore> = Arc::new(cloud(&server));
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/buckets");
    for name in FIXTURES {
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(fixtures.join(name).join("expected.json")).unwrap())
                .unwrap();
        let below = |key: &str| format!("{name}/{key}");
        let bucket = fixtures.join(name).join("bucket");
        for (key, path) in objects(&bucket) {
            let body = Bytes::from(std::fs::read(path).unwrap());
            store.put(&below(&key), body, PutCondition::None).await.unwrap();
        }
        let direct = db(store.clone(), &below(expected["prefix"].as_str().unwrap()));
        let ticket = signed(&direct, &presigner, 60_000).await;
        let through = db(Arc::new(TicketStore::new(ticket.clone(), false).unwrap()), &ticket.prefix);
        assert_eq!(everything(&direct).await, everything(&through).await, "{name}");
    }

    // Our own: the cost of reading it cold, counted beneath the ticket.
    let own = db(store.clone(), "own");
    let writer =
        own.writer(WriterOptions { blob_threshold: 4096, ..WriterOptions::default() }).await.unwrap();
    writer.put(b"a", b"1").await.unwrap();
    writer.put(b"blob", &vec![7; 100_000]).await.unwrap();
    writer.flush().await.unwrap();
    writer.close().await.unwrap();
    let ticket = signed(&own, &presigner, 60_000).await;
    assert_eq!(ticket.objects.len(), 2, "a table and a blob: {:?}", ticket.objects.keys());
    let metered = Metered::new(Arc::new(TicketStore::new(ticket.clone(), false).unwrap()));
    let meter = metered.meter();
    let through = db(Arc::new(metered), "own");
    let reader = through.reader(ReaderOptions::default()).await.unwrap();
    assert_eq!(reader.get(b"blob").await.unwrap().unwrap().len(), 100_000);
    let Cost { get, head, list, put, delete, .. } = meter.cost();
    // CURRENT from the ticket, the tail (all of a small table) and the blob.
    assert_eq!((get, head, list, put, delete), (3, 0, 0, 0, 0));
    // A refresh finds the same version; there is nothing newer in a ticket.
    assert!(!reader.refresh().await.unwrap());

    // What it does not name cannot be had, and nothing can be written.
    let held = TicketStore::new(ticket.clone(), false).unwrap();
    let other = held.get("own/sstable/other.sst", GetOptions::default()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Permission);
    assert_eq!(held.list("own/", None).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let put = held.put("own/x", Bytes::new(), PutCondition::None).await.unwrap_err();
    assert_eq!(put.kind(), ErrorKind::Unsupported);

    // A URL that was changed is refused by the store, and a ticket whose time has come by us.
    let mut spoiled = ticket.clone();
    spoiled.objects.values_mut().for_each(|url| *url = url.replace("X-Amz-Expires=60", "X-Amz-Expires=61"));
    let error = db(Arc::new(TicketStore::new(spoiled, false).unwrap()), "own")
        .reader(ReaderOptions::default())
        .await
        .unwrap()
        .get(b"a")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(!error.to_string().contains("X-Amz-Signature"), "{error}");
    let short = signed(&own, &presigner, 1).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let error =
        TicketStore::new(short, false).unwrap().get("own/manifest/CURRENT", GetOptions::default()).await;
    assert!(matches!(error, Err(Error::TicketExpired { .. })));

    // As an address.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("view.json");
    std::fs::write(&file, encode(&ticket).unwrap()).unwrap();
    let opened = open_store(&format!("ticket:{}", file.display()), &Default::default()).unwrap();
    assert_eq!((opened.prefix.as_str(), opened.presigner.is_none()), ("own", true));
    assert_eq!(everything(&db(opened.store, "own")).await.len(), 2);
    assert!(matches!(
        open_store("ticket:/no/such/file", &Default::default()),
        Err(Error::InvalidArgument { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_reads_through_shared_access_signatures() {
    let Some(server) = server(Kind::Azurite) else { return };
    let builder = MicrosoftAzureBuilder::new()
        .with_client_options(CloudStore::client_options())
        .with_allow_http(true)
        .with_endpoint(server.variable("AZURE_STORAGE_ENDPOINT").to_owned())
        .with_account(server.variable("AZURE_STORAGE_ACCOUNT_NAME"))
        .with_access_key(server.variable("AZURE_STORAGE_ACCOUNT_KEY"))
        .with_container_name(BUCKET);
    let store = CloudStore::azure(builder).unwrap();
    let presigner = store.presigner();
    let direct = db(Arc::new(store), "some/db");
    let writer = direct.writer(WriterOptions::default()).await.unwrap();
    writer.put(b"a", b"1").await.unwrap();
    writer.flush().await.unwrap();
    writer.close().await.unwrap();
    let ticket = signed(&direct, &presigner, 60_000).await;
    let through = db(Arc::new(TicketStore::new(ticket, false).unwrap()), "some/db");
    assert_eq!(everything(&through).await, [(Bytes::from_static(b"a"), Bytes::from_static(b"1"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_serves_small_objects_and_a_redirect_leads_nowhere() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
            let answer = match path.as_str() {
                "/small" => "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789".to_owned(),
                "/large" => "HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n".to_owned(),
                "/short" => {
                    "HTTP/1.1 206 Partial\r\ncontent-range: bytes 0-4/10\r\ncontent-length: 5\r\n\r\n01234"
                        .to_owned()
                }
                "/away" => format!(
                    "HTTP/1.1 302 Found\r\nlocation: http://{address}/small\r\ncontent-length: 0\r\n\r\n"
                ),
                _ => "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let current = br#"{"snapshot":"","next_seq":1,"next_epoch":1}"#;
    let objects = ["small", "large", "short", "away", "gone"]
        .map(|name| (format!("sstable/{name}.sst"), format!("http://{address}/{name}")));
    let ticket = Ticket {
        prefix: String::new(),
        issued_at_ms: 0,
        expires_at_ms: u64::MAX,
        current: isledb::ticket::TicketCurrent {
            version: "v".to_owned(),
            body: Bytes::from_static(current),
            read_at_ms: 0,
            last_modified_ms: None,
        },
        max_view_age_ms: 600_000,
        range: TicketRange::default(),
        objects: objects.into(),
        follow: None,
    };
    let store = TicketStore::new(ticket, false).unwrap();
    let get = async |name: &str| {
        let key = format!("sstable/{name}.sst");
        let got = store.get(&key, GetOptions { range: Some(2..6), if_none_match: None }).await?;
        got.body.collect(&key, 4).await
    };
    assert_eq!(get("small").await.unwrap(), "2345");
    assert_eq!(get("large").await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(get("short").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(get("away").await.unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!(get("gone").await.unwrap_err().kind(), ErrorKind::NotFound);
}
