//! Plugins on the command line: what they change, what a failing one leaves, and what a build without them says.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

use support::{Place, isledb};

#[cfg(not(feature = "plugins"))]
#[test]
fn a_build_without_plugins_says_which_feature_to_build_with() {
    let place = Place::filled();
    let url = place.url();
    for arguments in [
        &["compact", &url, "--plugin", "p.wasm"][..],
        &["maintain", &url, "--once", "--plugin", "p.wasm"],
        &["get", &url, "a", "--transform", "p.wasm"],
        &["scan", &url, "--format-keys", "p.wasm"],
        &["why", &url, "a", "--format-keys", "p.wasm"],
    ] {
        let said = isledb(arguments).failed(2);
        assert!(said.contains("p.wasm") && said.contains("--features plugins"), "{said}");
    }
}

#[cfg(feature = "plugins")]
#[path = "../../wasmtime/tests/plugin/mod.rs"]
mod plugin;

#[cfg(feature = "plugins")]
mod with_plugins {
    use super::{Place, isledb, plugin};
    use crate::support::isledb_with;

    /// Every object of the database, with its bytes, but for what a claim writes.
    fn tables(place: &Place) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let files = place.objects("sstable");
        files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    fn three_commits() -> Place {
        let place = Place::new();
        let operations = "{\"op\":\"put\",\"key\":\"session/1/a\",\"value\":\"old\"}\n{\"op\":\"flush\"}\n\
             {\"op\":\"put\",\"key\":\"session/99999999999999/b\",\"value\":\"new\"}\n{\"op\":\"flush\"}\n\
             {\"op\":\"put\",\"key\":\"user/1\",\"value\":\"Ada\"}\n";
        isledb_with(&["batch", &place.url(), "-"], operations.as_bytes()).ok();
        place
    }

    #[test]
    fn compact_drops_what_the_filter_drops() {
        let place = three_commits();
        let filter = place.file("expire.wasm", plugin::example("expire_by_prefix"));
        isledb(&["compact", &place.url(), "--full", "--plugin", &filter]).ok();
        let keys = isledb(&["scan", &place.url(), "--keys-only"]).ok();
        assert_eq!(keys, "session/99999999999999/b\nuser/1\n");
    }

    #[test]
    fn a_trap_fails_the_job_names_the_plugin_and_removes_nothing() {
        let place = three_commits();
        let filter = place.file("traps.wasm", plugin::filter("unreachable"));
        let before = (tables(&place), isledb(&["export", &place.url()]).ok());
        let said = isledb(&["compact", &place.url(), "--full", "--plugin", &filter]).failed(2);
        for part in
            ["compaction filter traps.wasm (sha256 ", "\"session/1/a\" to \"user/1\"", "`unreachable`"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        let said = isledb(&["compact", &place.url(), "--full", "--plugin", &filter, "--json"]).failed(2);
        assert!(said.contains("\"kind\":\"invalid_argument\"") && said.contains("traps.wasm"), "{said}");
        assert!(before == (tables(&place), isledb(&["export", &place.url()]).ok()));
        isledb(&["verify", &place.url(), "--deep"]).ok();
        isledb(&["compact", &place.url(), "--full"]).ok();
    }

    #[test]
    fn what_is_no_filter_is_refused_before_the_role_is_taken() {
        let place = three_commits();
        let before = place.objects("");
        let other = place.file("keys.wasm", plugin::example("readable_keys"));
        let nothing = place.file("nothing.wasm", "not wasm");
        for (file, part) in
            [(&other[..], "compaction-filter"), (&nothing, "no WebAssembly"), ("gone.wasm", "gone.wasm")]
        {
            let said = isledb(&["compact", &place.url(), "--plugin", file]).failed(2);
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(place.objects(""), before);
    }

    #[test]
    fn get_shows_what_the_transform_makes_of_values() {
        let place = Place::new();
        let url = place.url();
        for (key, value) in [
            ("a", r#"{"v":1,"data":{"name":"Ada","email":"ada@example.org"}}"#),
            ("b", r#"{"v":1,"deleted":true}"#),
            ("c", r#"{"v":9}"#),
        ] {
            isledb(&["put", &url, key, value]).ok();
        }
        let transform = place.file("redact.wasm", plugin::example("redact_json"));
        let get = |key: &str| isledb(&["get", &url, key, "--transform", &transform]);
        assert_eq!(get("a").ok().trim_end(), r#"{"name":"Ada"}"#);
        get("b").failed(1);
        let said = get("c").failed(2);
        assert!(said.contains("redact.wasm (sha256 ") && said.contains("version 9"), "{said}");
    }

    #[test]
    fn scan_and_why_show_keys_as_the_formatter_does() {
        let place = Place::new();
        let url = place.url();
        isledb(&["put", &url, "000000000000002a", "0000000000000007", "--hex"]).ok();
        isledb(&["put", &url, "plain", "text"]).ok();
        let formatter = place.file("keys.wasm", plugin::example("readable_keys"));
        let scan = isledb(&["scan", &url, "--format-keys", &formatter]).ok();
        assert_eq!(scan, "42\t7\nplain\ttext\n");
        let lines = isledb(&["scan", &url, "--format-keys", &formatter, "--keys-only", "--json"]).json();
        assert_eq!((&lines[0]["key_text"], lines[1]["key_text"].is_null()), (&"42".into(), true));
        let why = isledb(&["why", &url, "000000000000002a", "--hex", "--format-keys", &formatter]).ok();
        assert!(why.starts_with("000000000000002a is 42\n"), "{why}");
    }
}
