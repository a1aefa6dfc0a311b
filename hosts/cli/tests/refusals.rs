//! A real S3 server that refuses: wrong or no credentials, another region, no such bucket. Each is said in one line with what to
//! do, in seconds, and nothing is acknowledged.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use std::process::Stdio;
use std::time::{Duration, Instant};

use isledb_test_servers::{BUCKET, Kind, NoServer, Server, in_ci};
use support::Ran;

/// `put` with the server's variables, but for those that are replaced, or taken away by an empty value.
fn put(server: &Server, bucket: &str, replaced: &[(&str, &str)]) -> Ran {
    let url = format!("s3://{bucket}/db");
    let mut command = support::command(&["put", &url, "k", "v", "--allow-http", "--timeout", "10s"]);
    command.envs(server.variables());
    // No profile of the person who runs this.
    command.env("HOME", std::env::temp_dir()).env_remove("USERPROFILE");
    for (name, value) in replaced {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    let started = Instant::now();
    let ran = Ran::of(command.stdin(Stdio::null()).output().unwrap());
    assert!(started.elapsed() < Duration::from_secs(40), "{replaced:?}: it took {:?}", started.elapsed());
    assert_eq!(ran.stdout, "", "{replaced:?}");
    ran
}

#[test]
fn a_server_that_refuses_is_named_with_the_reason() {
    let server = match Server::start(Kind::Versitygw) {
        Ok(server) => server,
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: versitygw is not on this machine: {reason}");
            return;
        }
        Err(missing) => panic!("versitygw: {missing}"),
    };
    let wrong_secret = put(&server, BUCKET, &[("AWS_SECRET_ACCESS_KEY", "another")]).failed(7);
    assert!(wrong_secret.contains("check the credentials"), "{wrong_secret}");
    let unknown_key = put(&server, BUCKET, &[("AWS_ACCESS_KEY_ID", "nobody")]).failed(7);
    assert!(unknown_key.contains("check the credentials"), "{unknown_key}");
    let none = put(&server, BUCKET, &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")]).failed(7);
    // Where none are set the machine's own metadata service is asked, and what it says depends on the machine.
    assert!(none.contains("credentials"), "{none}");
    let region = put(&server, BUCKET, &[("AWS_REGION", "eu-north-1")]).failed(7);
    assert!(region.contains("region"), "{region}");
    let bucket = put(&server, "no-such-bucket", &[]).failed(7);
    assert!(bucket.contains("there is no such bucket"), "{bucket}");
    // And with everything right it is done.
    let mut command = support::command(&["put", "s3://isledb/db", "k", "v", "--allow-http", "--json"]);
    let done = Ran::of(command.envs(server.variables()).stdin(Stdio::null()).output().unwrap()).json();
    assert_eq!(done[0]["committed"], true);
}
