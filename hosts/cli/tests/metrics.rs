//! `--metrics-addr`: scraped while a command runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use support::{Place, isledb, spawn};

/// Ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What the address answers; nothing while nobody listens.
fn scrape(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The value of a metric without labels.
fn value(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Scrapes until all of these metrics are at least so large.
#[track_caller]
fn wait_for(address: SocketAddr, wanted: &[(&str, f64)]) -> String {
    let begun = Instant::now();
    loop {
        let page = scrape(address).unwrap_or_default();
        if wanted.iter().all(|(name, least)| value(&page, name).is_some_and(|value| value >= *least)) {
            return page;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no {wanted:?} in\n{page}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_tail_that_follows_tells_how_far_it_is() {
    let place = Place::filled();
    let (url, address) = (place.url(), free_address());
    let arguments = ["tail", &url, "--from", "begin", "--follow", "--metrics-addr", &address.to_string()];
    let mut tail = Running(spawn(&arguments));
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    for _ in 0..4 {
        lines.next().unwrap().unwrap();
    }
    let page =
        wait_for(address, &[("isledb_tail_changes_total", 4.0), ("isledb_store_round_trips_total", 1.0)]);
    assert_eq!(value(&page, "isledb_tail_lag_slots"), Some(0.0));
    assert!(page.contains("isledb_store_requests_total{operation=\"get\",outcome=\"ok\"}"), "{page}");
    assert!(page.contains("isledb_store_request_seconds_bucket"), "{page}");
    isledb(&["put", &url, "d", "4"]).ok();
    lines.next().unwrap().unwrap();
    wait_for(address, &[("isledb_tail_changes_total", 5.0), ("isledb_reader_refresh_total", 1.0)]);
}

#[test]
fn a_load_tells_what_it_wrote() {
    let place = Place::new();
    let (url, address) = (place.url(), free_address());
    let arguments = ["load", &url, "--key", "id", "--batch", "1000", "--metrics-addr", &address.to_string()];
    let mut load = Running(spawn(&arguments));
    let mut stdin = load.0.stdin.take().unwrap();
    for id in 0..2500 {
        writeln!(stdin, "{{\"id\":\"{id:04}\"}}").unwrap();
    }
    stdin.flush().unwrap();
    let page = wait_for(address, &[("isledb_writer_put_total", 1000.0), ("isledb_writer_flush_total", 1.0)]);
    assert!(value(&page, "isledb_writer_flush_bytes_total").unwrap() > 500.0, "{page}");
    assert_eq!(value(&page, "isledb_writer_flush_errors"), Some(0.0));
    assert!(page.contains("isledb_writer_flush_latency_seconds_bucket{le=\"0.005\"}"), "{page}");
    drop(stdin);
    assert!(load.0.wait().unwrap().success());
}

#[test]
fn an_address_that_is_taken_is_a_wrong_call() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = isledb(&["stat", "./nowhere", "--metrics-addr", &address]).failed(2);
    assert!(said.contains(&address), "{said}");
}
