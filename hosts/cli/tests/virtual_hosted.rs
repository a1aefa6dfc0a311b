//! The bucket in the host name, against a real S3 server: that its signature is over that host, too.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use isledb_test_servers::{BUCKET, Kind, NoServer, Server, in_ci};
use support::Ran;

#[test]
fn a_bucket_is_the_same_by_host_and_by_path() {
    let server = match Server::start(Kind::Versitygw) {
        Ok(server) => server,
        Err(NoServer::Cannot(reason)) if !in_ci() => {
            eprintln!("skipped: versitygw is not on this machine: {reason}");
            return;
        }
        Err(missing) => panic!("{missing}"),
    };
    let url = format!("s3://{BUCKET}/by-host/db");
    let by_host = |arguments: &[&str]| {
        let mut command = support::command(arguments);
        command.args(["--virtual-hosted", "--endpoint", "http://s3.test", "--allow-http"]);
        command.envs(server.variables()).env_remove("AWS_ENDPOINT");
        // Nobody resolves the name: the server is taken for a proxy, which gets it with the request.
        command.env("AWS_PROXY_URL", server.variable("AWS_ENDPOINT"));
        Ran::of(command.output().unwrap())
    };
    let by_path = |arguments: &[&str]| {
        let mut command = support::command(arguments);
        command.args(["--path-style", "--allow-http"]).envs(server.variables());
        Ran::of(command.output().unwrap())
    };
    by_host(&["put", &url, "k", "by host"]).ok();
    assert_eq!(by_path(&["get", &url, "k"]).ok(), "by host");
    by_path(&["put", &url, "k", "by path"]).ok();
    assert_eq!(by_host(&["get", &url, "k"]).ok(), "by path");
    let both = by_host(&["get", &url, "k", "--path-style"]).code;
    assert_eq!(both, 2, "one or the other");
}
