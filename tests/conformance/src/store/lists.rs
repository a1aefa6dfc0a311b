//! Listing.

use bytes::Bytes;

use crate::Place;

/// Makes small objects, some at a time.
async fn make(at: &Place, keys: &[String]) {
    for some in keys.chunks(32) {
        futures::future::join_all(some.iter().map(|key| at.put(key, Bytes::from(key.clone().into_bytes()))))
            .await;
    }
}

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

pub(super) async fn nothing_is_an_empty_page(at: Place) {
    let page = at.store.list(&format!("{}/", at.prefix), None).await.unwrap();
    assert!(page.objects.is_empty() && !page.more, "{page:?}");
    let page = at.store.list(&at.key("some/folder/"), Some(&at.key("some/folder/x"))).await.unwrap();
    assert!(page.objects.is_empty() && !page.more, "{page:?}");
}

pub(super) async fn prefix_is_a_plain_string(at: Place) {
    let names = ["log/1", "log/10", "log/11", "log/2", "log2/1", "lo", "other/log/1"];
    make(&at, &names.map(|name| at.key(name))).await;
    for (prefix, expected) in [
        ("log", &["log/1", "log/10", "log/11", "log/2", "log2/1"][..]),
        ("log/", &["log/1", "log/10", "log/11", "log/2"]),
        ("log/1", &["log/1", "log/10", "log/11"]),
        ("log/11", &["log/11"]),
        ("log/3", &[]),
        ("l", &["lo", "log/1", "log/10", "log/11", "log/2", "log2/1"]),
        ("other", &["other/log/1"]),
    ] {
        let expected: Vec<_> = expected.iter().map(|name| at.key(name)).collect();
        assert_eq!(at.keys(&at.key(prefix), None).await, expected, "prefix {prefix}");
    }
    let all = at.list_all(&at.prefix, None).await.0;
    assert_eq!(all.len(), names.len());
    assert!(all.iter().all(|object| object.size == object.key.len() as u64), "{all:?}");
}

/// `-`, `.` and `0` lie around `/`: a store that walks folders gives another order.
pub(super) async fn order_is_bytewise(at: Place) {
    let names = ["a/b", "a-b", "a.b", "a0", "a/B", "Z", "a_", "aa", "a/b-c", "a/a/z", "~", "0"];
    let keys = names.map(|name| at.key(name)).to_vec();
    make(&at, &keys).await;
    let listed = at.keys(&format!("{}/", at.prefix), None).await;
    assert_eq!(listed, sorted(keys));
}

pub(super) async fn start_after_need_not_exist(at: Place) {
    let keys: Vec<_> = (0..20).map(|i| at.key(&format!("log/{:04}", i * 10))).collect();
    make(&at, &keys).await;
    let prefix = at.key("log/");
    for (after, first) in
        [("log/0000", 1), ("log/0005", 1), ("log/0090", 10), ("log/0091", 10), ("log/0189", 19)]
    {
        assert_eq!(at.keys(&prefix, Some(&at.key(after))).await, keys[first..], "after {after}");
    }
    for after in ["log/0190", "log/9", "log/~", "z"] {
        assert!(at.keys(&prefix, Some(&at.key(after))).await.is_empty(), "after {after}");
    }
    // Before the prefix, and the prefix itself.
    for after in ["a", "log", "log/"] {
        assert_eq!(at.keys(&prefix, Some(&at.key(after))).await, keys, "after {after}");
    }
}

pub(super) async fn more_than_a_page(at: Place) {
    let keys: Vec<_> = (0..1_234).map(|i| at.key(&format!("many/{i:05}"))).collect();
    make(&at, &keys).await;
    let (listed, pages) = at.list_all(&at.key("many/"), None).await;
    assert!(pages >= 2, "1,234 objects in {pages} page");
    let listed: Vec<_> = listed.into_iter().map(|object| object.key).collect();
    assert!(listed == keys, "{} listed, {} written, or another order", listed.len(), keys.len());
    let tail = at.keys(&at.key("many/"), Some(&keys[1_000])).await;
    assert!(tail == keys[1_001..], "{} after the 1,001st", tail.len());
    assert!(at.store.list(&at.key("many/"), None).await.unwrap().more, "more follows the first page");
}

/// Users choose prefixes: spaces, signs of URLs and of encodings, letters of any language.
pub(super) async fn legal_characters_survive(at: Place) {
    let names = [
        "a b", "a+b", "a%20b", "a%2Fb", "a&b=c", "a;b", "a,b", "a@b", "a!b", "a'b", "a(b)", "a$b", "a:b",
        "a~b", "a\"b", "a#b", "a?b", "a<b>", "a|b", "a[b]", "a{b}", "a^b", "a`b", "a*b", "ü/Ü", "漢字", "🏝",
        "e\u{301}",
    ];
    let keys: Vec<_> = names.iter().map(|name| at.key(&format!("odd/{name}/x"))).collect();
    for key in &keys {
        at.put(key, key.clone().into_bytes()).await;
    }
    for key in &keys {
        let (body, version) = at.read(key).await;
        assert_eq!(body, key.as_bytes(), "two names are one");
        assert_eq!(at.get(key, None).await.unwrap().meta.key, *key);
        let head = at.store.head(key).await.unwrap_or_else(|error| panic!("head {key}: {error}"));
        assert_eq!(head.key, *key);
        let put = at.put_if(key, key.clone(), isledb_core::host::PutCondition::IfMatch(version)).await;
        put.unwrap_or_else(|error| panic!("put {key}: {error}"));
        assert_eq!(at.keys(key, None).await, std::slice::from_ref(key));
    }
    let all = sorted(keys.clone());
    assert_eq!(at.keys(&at.key("odd/"), None).await, all);
    for (i, after) in all.iter().enumerate() {
        assert_eq!(at.keys(&at.key("odd/"), Some(after)).await, all[i + 1..], "after {after}");
    }
    for answer in at.store.delete(&keys).await.unwrap() {
        answer.unwrap();
    }
    assert!(at.keys(&at.key("odd/"), None).await.is_empty());
}

pub(super) async fn listing_follows_writes_and_deletes(at: Place) {
    let prefix = at.key("now/");
    for i in 0..10 {
        let key = at.key(&format!("now/{i}"));
        at.put(&key, "x").await;
        assert_eq!(at.keys(&prefix, None).await.last(), Some(&key), "a completed put is listed");
    }
    for i in 0..10 {
        let key = at.key(&format!("now/{i}"));
        at.store.delete(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        assert_eq!(at.keys(&prefix, None).await.len(), 9 - i, "a deleted object is not");
    }
}
