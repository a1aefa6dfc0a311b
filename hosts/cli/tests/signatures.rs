//! `--sign-key` and `--verify-key`.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use support::{Place, isledb};

// The pair of the seed 00 01 .. 1f: never use it elsewhere.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
/// The second key of RFC 8032, section 7.1.
const OTHER: &str = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";

#[test]
fn what_was_signed_is_read_by_whoever_trusts_the_key_and_else_fails_with_5() {
    let place = Place::new();
    let url = place.url();
    let (private, public) = (place.file("private.pem", PRIVATE), place.file("public", PUBLIC));
    let other = place.file("other", OTHER);
    isledb(&["put", &url, "a", "1", "--sign-key", &private]).ok();
    assert_eq!(isledb(&["get", &url, "a", "--verify-key", &public]).ok().trim(), "1");
    let said = isledb(&["get", &url, "a", "--verify-key", &other]).failed(5);
    assert!(said.contains("not to be trusted") && said.contains(".sst"), "{said}");
    isledb(&["put", &url, "b", "2"]).ok();
    let said = isledb(&["scan", &url, "--verify-key", &public]).failed(5);
    assert!(said.contains("not signed"), "{said}");
    assert_eq!(isledb(&["get", &url, "b", "--verify-key", &public, "--signatures", "warn"]).ok().trim(), "2");
    let both = place.file("both", format!("{OTHER}\n{PUBLIC}\n"));
    assert_eq!(isledb(&["get", &url, "a", "--verify-key", &both]).ok().trim(), "1");
}

#[test]
fn what_is_no_key_is_a_wrong_call_that_names_the_file() {
    let place = Place::filled();
    let (url, file) = (place.url(), place.file("key", "none"));
    for flag in ["--verify-key", "--sign-key"] {
        let said = isledb(&["get", &url, "a", flag, &file]).failed(2);
        assert!(said.contains(&file), "{said}");
    }
    let said = isledb(&["get", &url, "a", "--signatures", "require"]).failed(2);
    assert!(said.contains("verify"), "{said}");
}
