//! `isledb sign` on a real S3 server, and its refusals.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::process::Stdio;

use isledb_test_servers::{Kind, NoServer, Server, in_ci};
use support::{Place, Ran, command, isledb};

fn on(server: &Server, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.arg("--allow-http").envs(server.variables());
    Ran::of(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn a_ticket_reads_without_credentials_until_it_expires() {
    let server = match Server::start(Kind::Versitygw) {
        Ok(server) => server,
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: versitygw is not on this machine: {reason}");
            return;
        }
        Err(missing) => panic!("versitygw: {missing}"),
    };
    let (place, url) = (Place::new(), "s3://isledb/db");
    for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        on(&server, &["put", url, key, value]).ok();
    }
    let file = place.path("view.json").display().to_string();
    let said = on(&server, &["sign", url, "--out", &file]).ok();
    assert!(said.contains("3 objects"), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "it is a secret");
    }
    // No credentials from here on, and nothing but GETs.
    let ticket = format!("ticket:{file}");
    let ran = isledb(&["get", &ticket, "b", "--cost", "--json"]);
    let cost: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    let requests = &cost["cost"]["requests"];
    assert!(
        requests["get"].as_u64().unwrap() > 1 && requests["head"] == 0 && requests["list"] == 0,
        "{cost}"
    );
    assert_eq!(ran.json()[0]["value"], "2");
    assert_eq!(isledb(&["scan", &ticket, "--count"]).ok(), "3\n");

    // A range: the table of `b` alone, and a word of warning.
    let ran = on(&server, &["sign", url, "--range", "b..c", "--out", &file]);
    assert!(ran.stderr.contains("other keys of the selected tables"), "{}", ran.stderr);
    assert!(ran.ok().contains("1 object,"));
    assert_eq!(isledb(&["get", &ticket, "b"]).ok(), "2");
    assert!(isledb(&["get", &ticket, "a"]).failed(7).contains("for a range of keys"));

    // Longer than the view may be used: what is left, and how to raise it.
    let line = on(&server, &["sign", url, "--ttl", "2h"]).failed(2);
    assert!(
        line.contains("may be used for 1h") && line.contains("59m") && line.contains("max_view_age"),
        "{line}"
    );
    let text =
        on(&server, &["sign", url, "--ttl", "1h", "--follow", "--signer", "https://signer.example"]).ok();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["follow"]["signer"], "https://signer.example");
    assert!(document["follow"]["current"].as_str().unwrap().contains("/db/manifest/CURRENT?"));
    on(&server, &["sign", "s3://isledb/nothing"]).failed(1);
}

#[test]
fn what_cannot_be_signed_is_refused_with_what_to_do() {
    let place = Place::filled();
    let url = place.url();
    let line = isledb(&["sign", &url]).failed(6);
    assert!(line.contains("isledb serve"), "{line}");
    for arguments in [
        vec!["sign", &url, "--follow"],
        vec!["sign", &url, "--signer", "https://h"],
        vec!["sign", &url, "--follow", "--signer", "ftp://h"],
        vec!["sign", &url, "--range", "b..a"],
        vec!["sign", &url, "--range", "a"],
        vec!["sign", &url, "--ttl", "5"],
    ] {
        assert_eq!(isledb(&arguments).code, 2, "{arguments:?}");
    }
    let spoiled = place.file("spoiled.json", "{\"isledb_ticket\":1}");
    isledb(&["get", &format!("ticket:{spoiled}"), "a"]).failed(5);
    let later = place.file("later.json", "{\"isledb_ticket\":2}");
    isledb(&["get", &format!("ticket:{later}"), "a"]).failed(6);
    isledb(&["get", "ticket:/no/such/file", "a"]).failed(2);
}
