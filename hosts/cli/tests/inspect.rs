//! `isledb inspect`: the page with its headers, the bucket behind the link alone, and nothing for whoever comes by another way.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use support::http::{Serving, call, get};
use support::{Place, isledb};

/// A page as the build leaves it.
fn page(place: &Place) -> String {
    for (name, text) in
        [("index.html", "<!doctype html>"), ("js/main.js", "export {};"), ("isledb/isledb.js", "export {};")]
    {
        let path = place.path("www").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    place.path("www").display().to_string()
}

/// The base URL of the bucket in a link.
fn bucket(link: &str) -> String {
    let (_, url) = link.split_once("/#url=").unwrap();
    url.replace("%3A", ":").replace("%2F", "/")
}

#[test]
fn the_page_and_the_bucket_are_served_to_whoever_has_the_link() {
    let place = Place::filled();
    let serving = Serving::start(&["inspect", &place.url(), "--www", &page(&place)], &[]);
    let (host, link) = (serving.host(), serving.said["link"].as_str().unwrap().to_owned());
    assert!(link.starts_with(&format!("http://{host}/#url=")), "{link}");
    let index = get(&format!("http://{host}/"), &[]);
    assert_eq!((index.status, &index.body[..]), (200, &b"<!doctype html>"[..]));
    let policy = index.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(index.header(name), Some(value), "{name}");
    }
    let script = get(&format!("http://{host}/js/main.js"), &[]);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));

    let base = bucket(&link);
    let current = get(&format!("{base}/manifest/CURRENT"), &[]);
    assert_eq!(current.body, std::fs::read(place.path("db/manifest/CURRENT")).unwrap());
    let etag = current.header("etag").unwrap();
    assert_eq!(get(&format!("{base}/manifest/CURRENT"), &[("if-none-match", etag)]).status, 304);
    assert_eq!(get(&format!("{base}/manifest/CURRENT"), &[("range", "bytes=0-0")]).status, 206);
    assert_eq!(current.header("content-disposition"), Some("attachment"));

    for path in [
        "manifest/gc/checkpoint.json",
        "manifest/CURRENT.attrs",
        "../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "manifest//CURRENT",
        "",
        "manifest/",
        "/manifest/CURRENT",
    ] {
        assert_eq!(get(&format!("{base}/{path}"), &[]).status, 404, "{path}");
    }
    let wrong = format!("http://{host}/b/{}/manifest/CURRENT", "0".repeat(32));
    assert_eq!(get(&wrong, &[]).status, 403);
    for path in [
        "/isledb/../../secret",
        "/..%2fsecret",
        "/%2e%2e/secret.js",
        "/js/..%2f..%2fx.js",
        "/.hidden.js",
        "/none.js",
    ] {
        assert_eq!(call(&host, "GET", path, &[], b"").status, 404, "{path}");
    }
    for method in ["PUT", "POST", "DELETE"] {
        assert_eq!(call(&host, method, "/", &[], b"").status, 405, "{method}");
    }
    // A name of somebody else's that leads to this machine.
    assert_eq!(get(&format!("http://{host}/"), &[("host", "evil.example")]).status, 403);
    assert_eq!(serving.stop().code, 0);
}

#[test]
fn without_a_page_or_a_database_it_says_what_to_do() {
    let place = Place::filled();
    let url = place.url();
    if !cfg!(feature = "inspector") {
        let line = isledb(&["inspect", &url]).failed(6);
        assert!(line.contains("--features inspector"), "{line}");
    }
    let empty = place.path("").display().to_string();
    assert!(isledb(&["inspect", &url, "--www", &empty]).failed(6).contains("www/build.sh"));
    let nowhere = place.path("nowhere").display().to_string();
    isledb(&["inspect", &nowhere, "--www", &page(&place)]).failed(1);
}
