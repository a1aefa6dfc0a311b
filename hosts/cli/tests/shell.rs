//! How the command behaves among others: pipes, settings, help, and no control characters where nobody looks.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{Place, Ran, command, isledb, isledb_with, spawn};

fn many(place: &Place) -> String {
    let url = place.url();
    let rows: String = (0..20_000).map(|i| format!("{{\"id\":\"{i:06}\"}}\n")).collect();
    isledb_with(&["load", &url, "-", "--key", "id"], rows.as_bytes()).ok();
    url
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let url = many(&place);
    for arguments in [
        vec!["scan", &url],
        vec!["export", &url],
        vec!["tail", &url, "--json"],
        vec!["scan", &url, "--reverse"],
    ] {
        let mut child = spawn(&arguments);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("0"), "{line}");
        // Its standard output is closed by now, with most of it unread.
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn settings_come_from_file_and_environment_and_flags_win() {
    let place = Place::filled();
    let url = place.url();
    let config = place.file("isledb.toml", "json = true\n[scan]\nlimit = 1\n");
    assert_eq!(isledb(&["scan", &url, "--config", &config]).ok(), "{\"key\":\"a\",\"value\":\"1\"}\n");
    assert_eq!(isledb(&["scan", &url, "--config", &config, "--limit", "9"]).ok().lines().count(), 2);
    let ran = Ran::of(command(&["scan", &url]).env("ISLEDB_CONFIG", &config).output().unwrap());
    assert_eq!(ran.ok(), "{\"key\":\"a\",\"value\":\"1\"}\n");
    let ran = Ran::of(command(&["get", &url, "a"]).env("ISLEDB_HEX", "true").output().unwrap());
    assert_eq!(ran.code, 2, "a is not hex");
    let wrong = place.file("wrong.toml", "colour = true\n");
    assert!(isledb(&["scan", &url, "--config", &wrong]).failed(2).contains("colour: there is no such flag"));
    isledb(&["scan", &url, "--config", "/no/such/file"]).failed(2);
}

#[test]
fn help_is_there_for_every_command() {
    let all = isledb(&["help"]).ok();
    let names = all.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = names.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["put", "get", "why", "verify", "bench", "completions", "man", "demo"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = isledb(&["help", name]).ok();
        assert!(help.contains("Usage: isledb"), "{name}: {help}");
        assert!(help.contains(&format!("  isledb {name}")), "{name} has no example: {help}");
        let page = isledb(&["man", name]).ok();
        assert!(page.contains(&format!(".TH ISLEDB-{} 1", name.to_uppercase())), "{page}");
        assert!(page.contains("SYNOPSIS"));
    }
    assert!(all.contains("Exit codes: 0 done"));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = isledb(&["completions", shell]).ok();
        assert!(script.contains("verify") && script.contains("path-style"), "{shell}");
    }
    assert_eq!(isledb(&["completions", "tcsh"]).code, 2);
    let place = Place::new();
    let folder = place.path("man1");
    isledb(&["man", "--out", &folder.display().to_string()]).ok();
    for page in ["isledb.1", "isledb-get.1", "isledb-verify.1", "isledb-bench.1"] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".SH NAME"), "{page}");
    }
    assert!(isledb(&["man", "nothing"]).failed(2).contains("no command"));
}

#[test]
fn progress_is_plain_where_there_is_no_terminal() {
    let place = Place::new();
    let url = place.url();
    let rows: String = (0..1000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
    for when in ["auto", "never", "always"] {
        let ran = isledb_with(&["load", &url, "-", "--key", "id", "--progress", when], rows.as_bytes());
        assert!(!ran.stderr.contains(['\x1b', '\r']), "{when}: {:?}", ran.stderr);
        assert!(ran.ok().starts_with("1,000 rows committed, "));
    }
}

#[test]
fn an_in_memory_database_lives_as_long_as_its_command() {
    let batch = b"{\"op\":\"put\",\"key\":\"a\",\"value\":\"1\"}\n";
    assert!(isledb_with(&["batch", "memory:"], batch).ok().starts_with("committed 1 operation, "));
    isledb(&["get", "memory:", "a"]).failed(1);
}

#[test]
fn verbose_speaks_on_standard_error_alone() {
    let place = Place::filled();
    let ran = Ran::of(command(&["get", &place.url(), "a", "-vv"]).stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.ok(), "1");
}
