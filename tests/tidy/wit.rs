//! `wit/storage` and the Rust that it mirrors say the same: every method of the host traits has its function, every error its
//! code, and the blocking interfaces are the others without what cannot block.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between the braces that follow `head`.
fn block<'a>(text: &'a str, head: &str) -> &'a str {
    let begin = text.find(head).unwrap_or_else(|| panic!("no {head:?}"));
    let body = &text[begin + text[begin..].find('{').unwrap()..];
    let mut depth = 0;
    for (at, letter) in body.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &body[1..at];
        }
    }
    panic!("{head:?} does not end");
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The methods of a trait, in kebab case, each with its parameters.
fn methods(path: &str, name: &str) -> Vec<(String, Vec<String>)> {
    let source = without_comments(&text(path));
    let body = block(&source, &format!("pub trait {name}"));
    let signatures = body.split("fn ").skip(1).map(|rest| {
        let rest = rest.replace("<'a>", "");
        let (name, rest) = rest.split_once('(').unwrap();
        let end = rest.find(") ->").or_else(|| rest.find(");")).unwrap();
        let params = rest[..end].split(',').filter_map(|param| param.split_once(':'));
        let params = params.map(|(name, _)| kebab(name)).filter(|name| name != "self").collect();
        (kebab(name), params)
    });
    signatures.collect()
}

fn kebab(name: &str) -> String {
    name.trim().replace('_', "-")
}

/// The functions of an interface or a resource, each with its parameters.
fn functions(wit: &str, head: &str) -> Vec<(String, Vec<String>)> {
    let source = without_comments(wit);
    let body = block(&source, head);
    let parts = body.split("func(").collect::<Vec<_>>();
    let found = parts.windows(2).map(|pair| {
        let name = pair[0].rsplit(['\n', ';', '{', '}']).next().unwrap();
        let name = name.split(':').next().unwrap().trim().trim_start_matches('%').to_owned();
        let mut depth = 0;
        let mut params = vec![String::new()];
        for letter in pair[1].chars() {
            match letter {
                ')' if depth == 0 => break,
                '<' | '(' => depth += 1,
                '>' | ')' => depth -= 1,
                ',' if depth == 0 => params.push(String::new()),
                other => params.last_mut().unwrap().push(other),
            }
        }
        let names = params.iter().filter_map(|param| Some(param.split_once(':')?.0.trim().to_owned()));
        (name, names.collect())
    });
    found.collect()
}

/// Every method has a function of its name with its parameters.
fn mirrored(methods: &[(String, Vec<String>)], functions: &[(String, Vec<String>)], but: &[&str]) {
    assert!(methods.len() >= 3, "{methods:?}");
    let wanted: Vec<_> = methods.iter().filter(|(name, _)| !but.contains(&name.as_str())).collect();
    for (name, params) in &wanted {
        let found = functions.iter().find(|(function, _)| function == name);
        let (_, found) = found.unwrap_or_else(|| panic!("{name} is missing in {functions:?}"));
        assert_eq!(found, params, "the parameters of {name}");
    }
}

#[test]
fn every_method_of_the_store_has_its_function() {
    let wit = text("wit/storage/object-store.wit");
    let store = methods("core/src/host/store.rs", "ObjectStore");
    assert_eq!(store.len(), 7, "{store:?}");
    mirrored(&store, &functions(&wit, "interface object-store "), &[]);
    let upload = methods("core/src/host/store.rs", "MultipartUpload");
    let part = functions(&wit, "resource multipart-upload");
    mirrored(&upload[..], &part, &["complete", "abort"]);
    // The last call takes the upload with it.
    for name in ["complete", "abort"] {
        let taking = (name.to_owned(), vec!["upload".to_owned()]);
        assert!(
            part.contains(&taking) && upload.iter().any(|(method, _)| method == name),
            "{name}: {part:?}"
        );
    }
    let blocking =
        functions(&text("wit/storage/object-store-blocking.wit"), "interface object-store-blocking");
    // Ranges of any objects go in one batch, and an upload in parts is one put.
    mirrored(&store, &blocking, &["get-ranges", "put-multipart"]);
    assert!(blocking.contains(&("get-ranges".to_owned(), vec!["requests".to_owned()])), "{blocking:?}");
}

#[test]
fn every_method_of_the_host_has_its_function() {
    let host = methods("core/src/host/clock.rs", "Host");
    let functions_of_host = functions(&text("wit/storage/host.wit"), "interface host");
    assert_eq!(
        host.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["now-unix-ns", "monotonic-ns", "fill-random", "sleep"]
    );
    for (name, _) in host.iter().filter(|(name, _)| name != "sleep") {
        assert!(
            functions_of_host.iter().any(|(function, _)| function == name),
            "{name}: {functions_of_host:?}"
        );
    }
    for store in ["object-store", "object-store-blocking"] {
        let found = functions(&text(&format!("wit/storage/{store}.wit")), &format!("interface {store}"));
        assert!(found.contains(&("sleep-ms".to_owned(), vec!["ms".to_owned()])), "{store}: {found:?}");
    }
}

/// What stands between backticks.
fn named(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_error_has_its_code() {
    let source = text("core/src/error.rs");
    let codes = |head: &str| -> BTreeSet<String> {
        let quoted = block(&source, head).split('"').skip(1).step_by(2).map(str::to_owned);
        quoted.filter(|text| text.chars().all(|c| c.is_ascii_lowercase() || c == '-')).collect()
    };
    let (all, of_store) = (codes("pub fn code(&self)"), codes("pub fn of_store("));
    assert!(all.len() >= 17 && of_store.len() >= 7, "{all:?} {of_store:?}");
    let database = text("wit/storage/database.wit");
    let listed = named(&database);
    let missing: Vec<_> = all.iter().filter(|code| !listed.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not in failure.code of database.wit: {missing:?}");
    let types = text("wit/storage/types.wit");
    let listed = named(&types);
    let missing: Vec<_> = of_store.iter().filter(|code| !listed.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "not in error.code of types.wit: {missing:?}");
}

/// Interface by interface: the same functions with the same parameters, but for streams.
#[test]
fn the_blocking_interfaces_are_the_others() {
    for (file, interfaces) in [("read", ["read", "tail"]), ("write", ["write", "maintain"])] {
        let (plain, blocking) =
            (text(&format!("wit/storage/{file}.wit")), text(&format!("wit/storage/{file}-blocking.wit")));
        for name in interfaces {
            let mut expected = functions(&plain, &format!("interface {name} "));
            expected.retain(|(name, _)| name != "get-stream");
            assert!(!expected.is_empty());
            assert_eq!(functions(&blocking, &format!("interface {name}-blocking ")), expected, "{name}");
        }
        assert!(!without_comments(&blocking).contains("async"), "{file}-blocking.wit");
    }
}
