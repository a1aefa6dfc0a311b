//! `--cache-dir`: what one command read, the next one has.

mod support;

use support::{Place, isledb, lines};

#[test]
fn the_next_command_asks_for_current_alone() {
    let place = Place::filled();
    let (url, cache) = (place.url(), place.path("cache").display().to_string());
    let get =
        |flags: &[&str]| isledb(&[&["get", &url, "a", "--cost", "--cache-dir", &cache][..], flags].concat());
    let first = get(&["--json"]);
    let cost = &lines(&first.stderr)[0]["cost"];
    assert!(
        cost["requests"]["get"].as_u64() > Some(1) && cost["disk_cache"]["hits"] == 0,
        "{}",
        first.stderr
    );

    let second = get(&["--json"]);
    let cost = &lines(&second.stderr)[0]["cost"];
    assert_eq!((&cost["requests"]["get"], &cost["disk_cache"]["misses"]), (&1.into(), &0.into()), "{cost}");
    let text = get(&[]);
    assert_eq!(text.stdout, "1");
    assert!(text.stderr.contains("chunks from the disk cache"), "{}", text.stderr);

    // Damage costs a request.
    let file = place.path("cache/isledb.chunks");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 1);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(get(&[]).ok(), "1");
}

#[test]
fn what_cannot_be_a_cache_is_refused_or_stands_aside() {
    let place = Place::filled();
    let (url, file) = (place.url(), place.file("in-the-way", "not a folder"));
    let ran = isledb(&["get", &url, "a", "--cost", "--cache-dir", &file]);
    assert_eq!(ran.stdout, "1");
    assert!(ran.stderr.contains("the disk cache stood aside"), "{}", ran.stderr);
    let refused = isledb(&["get", &url, "a", "--cache-dir", &file, "--cache-bytes", "1MiB"]).failed(2);
    assert!(refused.contains("disk_cache.max_bytes"), "{refused}");
    let config = place.file("config.toml", format!("cache-dir = \"{file}\"\ncache-bytes = \"7\"\n"));
    assert!(isledb(&["get", &url, "a", "--config", &config]).failed(2).contains("disk_cache.max_bytes"));
}
