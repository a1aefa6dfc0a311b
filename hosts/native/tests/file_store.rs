//! The folder as an object store, within one process.

#![allow(clippy::unwrap_used)] // functions of tests, which clippy does not take for tests

use std::fs;
use std::path::Path;

use bytes::Bytes;
use isledb::host::{GetOptions, ObjectStore, PutCondition, Version};
use isledb::{Error, ErrorKind, FileStore, Result};

const CURRENT: &str = "db/manifest/CURRENT";

fn folder() -> (tempfile::TempDir, FileStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path());
    (folder, store)
}

async fn put(store: &FileStore, key: &str, body: &str, condition: PutCondition) -> Result<Version> {
    store.put(key, Bytes::copy_from_slice(body.as_bytes()), condition).await
}

async fn get(store: &FileStore, key: &str, options: GetOptions) -> Result<(Bytes, Version)> {
    let got = store.get(key, options).await?;
    let body = got.body.collect(key, got.range.end - got.range.start).await?;
    Ok((body, got.meta.version.unwrap()))
}

async fn keys(store: &FileStore, prefix: &str, start_after: Option<&str>) -> Vec<String> {
    store.list(prefix, start_after).await.unwrap().objects.into_iter().map(|object| object.key).collect()
}

/// Names of all files below a folder, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn conditions_decide() {
    let (_folder, store) = folder();
    let absent = put(&store, CURRENT, "x", PutCondition::IfMatch(Version::new("1"))).await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::Conflict);
    let first = put(&store, CURRENT, "one", PutCondition::IfAbsent).await.unwrap();
    let again = put(&store, CURRENT, "two", PutCondition::IfAbsent).await;
    assert_eq!(again.unwrap_err(), Error::Precondition { object: CURRENT.into() });
    assert_eq!(get(&store, CURRENT, GetOptions::default()).await.unwrap(), ("one".into(), first.clone()));
    let second = put(&store, CURRENT, "two", PutCondition::IfMatch(first.clone())).await.unwrap();
    let stale = put(&store, CURRENT, "three", PutCondition::IfMatch(first)).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::Conflict);
    let unchanged = GetOptions { if_none_match: Some(second.clone()), range: None };
    assert_eq!(get(&store, CURRENT, unchanged).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(store.head(CURRENT).await.unwrap().version, Some(second));
}

#[tokio::test]
async fn versions_of_large_objects_come_without_reading_them() {
    let (_folder, store) = folder();
    let large = "y".repeat(100_000);
    let version = put(&store, "db/sstable/a.sst", &large, PutCondition::None).await.unwrap();
    let range = GetOptions { range: Some(99_990..100_000), if_none_match: None };
    assert_eq!(
        get(&store, "db/sstable/a.sst", range).await.unwrap(),
        ("y".repeat(10).into(), version.clone())
    );
    let other =
        put(&store, "db/sstable/a.sst", &large, PutCondition::IfMatch(version.clone())).await.unwrap();
    assert_ne!(version, other, "another file");
    let manifest = put(&store, "db/manifest/snapshots/s", &large, PutCondition::None).await.unwrap();
    let same = put(&store, "db/manifest/snapshots/s", &large, PutCondition::None).await.unwrap();
    assert_eq!(manifest, same, "a hash of the content, whatever its size");
}

#[tokio::test]
async fn ranges_lie_within_the_object() {
    let (_folder, store) = folder();
    for (key, size) in [("small", 10_u64), ("large", 5 << 20)] {
        put(&store, key, &"0123456789".repeat(size as usize / 10 + 1)[..size as usize], PutCondition::None)
            .await
            .unwrap();
        let range = |range| get(&store, key, GetOptions { range: Some(range), if_none_match: None });
        assert_eq!(range(2..5).await.unwrap().0, "234");
        assert_eq!(range(size..size).await.unwrap().0, "");
        assert_eq!(range(2..size + 1).await.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(range(u64::MAX - 1..u64::MAX).await.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(get(&store, key, GetOptions::default()).await.unwrap().0.len() as u64, size);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let (folder, store) = folder();
    put(&store, "a/b", "x", PutCondition::None).await.unwrap();
    for key in ["missing", "missing/below", "a", "a/b/below"] {
        assert_eq!(store.head(key).await.unwrap_err(), Error::NotFound { object: key.into() });
        assert_eq!(get(&store, key, GetOptions::default()).await.unwrap_err().kind(), ErrorKind::NotFound);
        store.delete(&[key.into()]).await.unwrap()[0].clone().unwrap();
    }
    assert!(folder.path().join("a/b").exists());
    let elsewhere = FileStore::new(folder.path().join("none"));
    assert_eq!(keys(&elsewhere, "", None).await, [""; 0]);
}

#[tokio::test]
async fn an_object_cannot_also_be_a_folder() {
    let (_folder, store) = folder();
    put(&store, "a/b", "x", PutCondition::None).await.unwrap();
    for key in ["a", "a/b/c"] {
        for condition in [PutCondition::None, PutCondition::IfAbsent] {
            let error = put(&store, key, "y", condition.clone()).await.unwrap_err();
            let expected = matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::Conflict);
            assert!(expected, "{key} {condition:?}: {error}");
        }
    }
    assert_eq!(get(&store, "a/b", GetOptions::default()).await.unwrap().0, "x");
}

#[tokio::test]
async fn names_that_leave_the_folder_are_refused() {
    let (folder, store) = folder();
    fs::write(folder.path().parent().unwrap().join("isledb-outside"), "secret").unwrap();
    for key in
        ["../isledb-outside", "/etc/passwd", "a/../../isledb-outside", "x.attrs", ".isledb-lock", "a\0b", ""]
    {
        assert_eq!(store.head(key).await.unwrap_err().kind(), ErrorKind::InvalidArgument, "{key:?}");
        let error = put(&store, key, "x", PutCondition::None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{key:?}");
        let deleted = store.delete(&[key.into()]).await.unwrap();
        assert_eq!(deleted[0].as_ref().unwrap_err().kind(), ErrorKind::InvalidArgument, "{key:?}");
    }
    let outside = folder.path().parent().unwrap().join("isledb-outside");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "secret");
    fs::remove_file(outside).unwrap();
}

#[tokio::test]
async fn lists_in_pages_and_bytewise_order() {
    let (folder, store) = folder();
    let store = store.with_page_size(3);
    let all = ["a", "a-", "b/c", "b/c-", "b/c.d/e", "b/d", "b0", "c/x/y", "\u{e9}"];
    // A folder cannot hold both `a` and `a/...`, so the tree here is one that a folder can.
    for key in all {
        put(&store, key, key, PutCondition::None).await.unwrap();
    }
    fs::write(folder.path().join("b/c.attrs"), "{}").unwrap();
    let (mut listed, mut pages) = (Vec::<String>::new(), 0);
    loop {
        let page = store.list("", listed.last().map(String::as_str)).await.unwrap();
        assert!(page.objects.len() <= 3);
        pages += 1;
        listed.extend(page.objects.into_iter().map(|object| object.key));
        if !page.more {
            break;
        }
    }
    assert_eq!((listed, pages), (all.map(str::to_owned).to_vec(), 3));
    assert_eq!(keys(&store, "b", None).await, ["b/c", "b/c-", "b/c.d/e"]);
    assert_eq!(keys(&store, "b/c", Some("b/c")).await, ["b/c-", "b/c.d/e"]);
    assert_eq!(keys(&store, "b/", Some("b/c.d/e")).await, ["b/d"]);
    assert_eq!(keys(&store, "c/x/", None).await, ["c/x/y"]);
    assert_eq!(keys(&store, "c/x/y/", None).await, [""; 0]);
    assert_eq!(keys(&store, "b", Some("a")).await, ["b/c", "b/c-", "b/c.d/e"]);
    let sizes = store.list("b/c.d", None).await.unwrap().objects;
    assert_eq!((sizes[0].size, sizes[0].last_modified_ms.is_some()), (7, true));
}

#[tokio::test]
async fn the_originals_sidecar_goes_before_the_object_changes() {
    let (folder, store) = folder();
    put(&store, CURRENT, "one", PutCondition::None).await.unwrap();
    let sidecar = folder.path().join("db/manifest/CURRENT.attrs");
    let write_sidecar = || fs::write(&sidecar, r#"{"md5":"AAAA"}"#).unwrap();

    write_sidecar();
    let (_, version) = get(&store, CURRENT, GetOptions::default()).await.unwrap();
    assert_eq!(keys(&store, "", None).await, [CURRENT]);
    put(&store, CURRENT, "x", PutCondition::IfAbsent).await.unwrap_err();
    assert!(sidecar.exists(), "a put that is refused changes nothing");
    put(&store, CURRENT, "two", PutCondition::IfMatch(version)).await.unwrap();
    assert!(!sidecar.exists());
    write_sidecar();
    put(&store, CURRENT, "three", PutCondition::None).await.unwrap();
    assert!(!sidecar.exists());
    write_sidecar();
    store.delete(&[CURRENT.into()]).await.unwrap();
    assert!(!sidecar.exists());
}

#[tokio::test]
async fn uploads_in_parts_appear_at_once() {
    let (folder, store) = folder();
    let mut upload = store.put_multipart("db/sstable/a.sst").await.unwrap();
    let first = upload.put_part(Bytes::from(vec![1; 6 << 20]));
    let second = upload.put_part(Bytes::from(vec![2; 5 << 20]));
    let third = upload.put_part(Bytes::from_static(b"end"));
    let (third, second) = tokio::join!(third, second);
    third.and(second).unwrap();
    first.await.unwrap();
    assert_eq!(keys(&store, "", None).await, [""; 0]);
    let version = upload.complete().await.unwrap();
    let (body, read_version) = get(&store, "db/sstable/a.sst", GetOptions::default()).await.unwrap();
    assert_eq!(version, read_version);
    assert_eq!(body.len(), (11 << 20) + 3);
    assert!(
        body[..6 << 20].iter().all(|&byte| byte == 1)
            && body[6 << 20..11 << 20].iter().all(|&byte| byte == 2)
    );
    assert_eq!(&body[11 << 20..], b"end");

    let mut incomplete = store.put_multipart("b").await.unwrap();
    drop(incomplete.put_part(Bytes::from_static(b"lost")));
    assert_eq!(incomplete.complete().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let mut abandoned = store.put_multipart("b").await.unwrap();
    abandoned.put_part(Bytes::from_static(b"kept")).await.unwrap();
    abandoned.abort().await.unwrap();
    assert_eq!(keys(&store, "", None).await, ["db/sstable/a.sst"]);
    assert_eq!(files(folder.path()), [".isledb-lock", "a.sst"], "nothing is left behind");
}

#[tokio::test]
async fn what_dead_processes_left_goes_when_it_is_old() {
    let (folder, _) = folder();
    let put_file = |name: &str, age_hours: u64| {
        let path = folder.path().join("db").join(name);
        fs::write(&path, "half").unwrap();
        let modified = std::time::SystemTime::now() - std::time::Duration::from_secs(age_hours * 3600);
        fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    };
    fs::create_dir(folder.path().join("db")).unwrap();
    put_file(".isledb-tmp-1-old", 25);
    put_file(".isledb-tmp-1-young", 23);
    put_file("object", 1000);
    let store = FileStore::new(folder.path());
    put(&store, "db/new", "x", PutCondition::None).await.unwrap();
    assert_eq!(files(folder.path()), [".isledb-lock", ".isledb-tmp-1-young", "new", "object"]);
    assert_eq!(keys(&store, "", None).await, ["db/new", "db/object"]);
}

#[test]
fn works_without_a_runtime() {
    let (_folder, store) = folder();
    futures::executor::block_on(async {
        put(&store, "k", "x", PutCondition::IfAbsent).await.unwrap();
        assert_eq!(get(&store, "k", GetOptions::default()).await.unwrap().0, "x");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_wins() {
    let (folder, _) = folder();
    for round in 0..20 {
        let key = format!("db/manifest/log/{round}");
        let contenders = (0..16).map(|n| {
            // A store of its own for each, as in processes of their own.
            let (store, key) = (FileStore::new(folder.path()), key.clone());
            tokio::spawn(async move { put(&store, &key, &n.to_string(), PutCondition::IfAbsent).await })
        });
        let answers = futures::future::join_all(contenders).await;
        let won = answers.iter().filter(|answer| answer.as_ref().unwrap().is_ok()).count();
        assert_eq!(won, 1);
        assert!(
            answers.into_iter().filter_map(|a| a.unwrap().err()).all(|e| e.kind() == ErrorKind::Conflict)
        );
    }
}
