//! The rules of this repository that a compiler does not check: sizes, layout, what core may depend on, reasons beside
//! exceptions. Each test names the file and the line, and says what to do.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source file has one idea; past this it has more.
const LINES_MAX: usize = 600;

/// What stands at the top, so that a newcomer sees the same few names forever.
const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".gitignore",
    ".github",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "bench",
    "clippy.toml",
    "core",
    "deny.toml",
    "docs",
    "hosts",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "wit",
    "www",
];

/// Crates that bring a runtime, a clock, randomness, files, a network or a foreign language into core.
const NOT_IN_CORE: &[&str] = &[
    "async-std",
    "cc",
    "chrono",
    "console_error_panic_hook",
    "fastrand",
    "getrandom",
    "hyper",
    "instant",
    "jiff",
    "js-sys",
    "mio",
    "object_store",
    "rand",
    "rand_chacha",
    "rand_core",
    "rayon",
    "reqwest",
    "ring",
    "rustls",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "uuid",
    "wasm-bindgen",
    "wasm-bindgen-futures",
    "web-sys",
    "web-time",
    "zstd",
    "zstd-safe",
    "zstd-sys",
];

/// Public fields of type `usize` in core/src/format that never reach the wire: (file, field, reason).
const USIZE_ALLOWED: &[(&str, &str, &str)] = &[];

struct Source {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn output(command: &mut Command) -> String {
    let out = command.current_dir(root()).output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Every file of the repository, also those that are not committed yet, as paths from its root.
fn files() -> Vec<String> {
    let listed =
        output(Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]));
    let paths: BTreeSet<_> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    let present: Vec<_> = paths.into_iter().filter(|path| root().join(path).is_file()).collect();
    assert!(present.len() > 30, "the list of files is too short to be this repository: {present:?}");
    present
}

/// The text of every file with one of these extensions; fixtures are data.
fn sources(extensions: &[&str]) -> Vec<Source> {
    files()
        .into_iter()
        .filter(|path| !path.starts_with("tests/fixtures/"))
        .filter(|path| path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension)))
        .map(|path| Source { text: fs::read_to_string(root().join(&path)).unwrap(), path })
        .collect()
}

fn rust_under(folder: &str) -> Vec<Source> {
    let found: Vec<_> =
        sources(&["rs"]).into_iter().filter(|source| source.path.starts_with(folder)).collect();
    assert!(!found.is_empty(), "no Rust under {folder}");
    found
}

/// `path:line` of every line that `wrong` picks.
fn lines_where(sources: &[Source], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let numbered = |source: &Source| {
        let at = |(number, line): (usize, &str)| format!("{}:{}: {}", source.path, number + 1, line.trim());
        source.text.lines().enumerate().filter(|(_, line)| wrong(line)).map(at).collect::<Vec<_>>()
    };
    sources.iter().flat_map(numbered).collect()
}

#[track_caller]
fn none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}\n", found.join("\n  "));
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn source_files_have_one_idea() {
    let long = sources(&["rs", "go", "py", "sh", "js", "mjs", "ts", "wit", "css", "html"])
        .iter()
        .map(|source| (source.text.lines().count(), &source.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none(long, &format!("split these along their concepts, {LINES_MAX} lines are the most"));
}

#[test]
fn the_top_level_stays_small() {
    let strangers: BTreeSet<_> = files()
        .iter()
        .map(|path| path.split('/').next().unwrap_or(path).to_owned())
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    none(
        strangers.into_iter().collect(),
        "new at the top level; put it into a folder, or into the list of this test",
    );
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "CONTRIBUTING.md", "deny.toml", ".ci/run"] {
        assert!(root().join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn core_depends_on_no_runtime_clock_or_randomness() {
    for target in ["all", "wasm32-unknown-unknown"] {
        let tree = output(Command::new(env!("CARGO")).args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            "isledb-core",
            "--edges",
            "normal,build",
            "--all-features",
            "--target",
            target,
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]));
        let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.contains("bytes"), "not a dependency tree: {tree}");
        let forbidden =
            names.into_iter().filter(|name| NOT_IN_CORE.contains(name)).map(str::to_owned).collect();
        none(
            forbidden,
            &format!("core must not depend on these (target {target}); a host brings what they do"),
        );
    }
}

#[test]
fn core_asks_its_host_for_time_threads_files_and_network() {
    let std_only =
        ["std::time::Instant", "std::time::SystemTime", "std::thread", "std::fs", "std::net", "std::process"];
    let mut engine = rust_under("core/src/");
    engine.retain(|source| !source.path.contains("/tests/"));
    let lines =
        lines_where(&engine, |line| !is_comment(line) && std_only.iter().any(|name| line.contains(name)));
    none(lines, "not in core: the host brings it");
}

#[test]
fn reading_needs_nothing_of_writing() {
    for folder in ["core/src/read/", "core/src/tail/"] {
        let reading: Vec<_> =
            sources(&["rs"]).into_iter().filter(|source| source.path.starts_with(folder)).collect();
        let lines = lines_where(&reading, |line| {
            !is_comment(line) && (line.contains("crate::write") || line.contains("crate::maintain"))
        });
        none(
            lines,
            "a reader-only build must stay small: read/ and tail/ take nothing from write/ or maintain/",
        );
    }
    let formats = lines_where(&rust_under("core/src/"), |line| !is_comment(line) && line.contains("crate::"))
        .into_iter()
        .filter(|line| line.starts_with("core/src/format/"))
        .filter(|line| {
            ["host", "manifest", "read", "write", "tail", "db"]
                .iter()
                .any(|part| line.contains(&format!(": use crate::{part}")))
        })
        .collect();
    none(formats, "formats are bytes in, values out: they use nothing of the engine");
}

/// A `usize` has another width on wasm32, so it is never written. What is encoded are serde's types and public value types;
/// cursors and positions are private fields.
#[test]
fn nothing_encoded_is_as_wide_as_the_machine() {
    let format: Vec<_> =
        sources(&["rs"]).into_iter().filter(|source| source.path.starts_with("core/src/format/")).collect();
    let mut found = lines_where(&format, |line| {
        let code = line.split("//").next().unwrap_or(line).trim();
        let field = code.starts_with("pub ") && !code.contains("fn ") && !code.contains("const ");
        let bytes = [
            " as usize).to_le_bytes",
            " as usize).to_be_bytes",
            "size_of::<usize>",
            "usize::from_le_bytes",
            "usize::from_be_bytes",
        ];
        (field && has_word(code, "usize")) || bytes.iter().any(|way| code.contains(way))
    });
    found.retain(|line| {
        !USIZE_ALLOWED.iter().any(|(file, field, _)| line.starts_with(file) && has_word(line, field))
    });
    for source in &format {
        let mut serde_type = false;
        for (number, line) in source.text.lines().enumerate() {
            let derives =
                line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize"));
            serde_type = derives || serde_type && !line.starts_with('}');
            if serde_type && !is_comment(line) && has_word(line, "usize") {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(found, "use a fixed width, or say in USIZE_ALLOWED why it never reaches the wire");
}

#[test]
fn nothing_is_left_for_later() {
    let markers = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let text = sources(&["rs", "go", "py", "sh", "js", "mjs", "ts", "wit", "toml"]);
    let lines = lines_where(&text, |line| markers.iter().any(|marker| has_word(line, marker)));
    none(lines, "do it, or file it as an issue");
    none(
        lines_where(&rust_under(""), |line| line.trim_start().starts_with(concat!("#[ig", "nore"))),
        "a test that does not run proves nothing",
    );
}

#[test]
fn every_folder_and_file_of_the_engine_says_what_it_is_for() {
    let engine = rust_under("core/src/");
    let folders: BTreeSet<_> =
        engine.iter().filter_map(|source| source.path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    let without = folders
        .iter()
        .filter(|folder| **folder != "core/src" && !folder.ends_with("/tests"))
        .filter(|folder| !engine.iter().any(|source| source.path == format!("{folder}/mod.rs")))
        .map(|folder| format!("{folder}: no mod.rs"));
    let silent = engine
        .iter()
        .filter(|source| !source.path.contains("/tests/") && !source.text.starts_with("//!"))
        .map(|source| format!("{}: no //! in its first line", source.path));
    none(without.chain(silent).collect(), "say in a few lines what it is for");
}

#[test]
fn every_exception_has_its_reason() {
    let mut found = Vec::new();
    for source in sources(&["rs"]) {
        let lines: Vec<_> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            if !["#[allow", "#![allow", "#[expect", "#![expect"].iter().any(|lint| code.starts_with(lint)) {
                continue;
            }
            let until = lines[number..].iter().position(|line| line.contains(")]")).unwrap_or(0);
            let whole = lines[number..=number + until].concat();
            let above = number > 0 && lines[number - 1].trim_start().starts_with("// ");
            if !whole.contains("reason = ") && !whole.contains("// ") && !above {
                found.push(format!("{}:{}: {code}", source.path, number + 1));
            }
        }
    }
    none(found, "say why, by `reason = \"..\"` or in a comment on this or the line before");
}

/// The project speaks of itself alone: it builds wherever its registries are set up, and under whatever path.
#[test]
fn nothing_names_a_machine_or_a_registry() {
    let hosts = [
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("registry.npmjs", ".org"),
        concat!("files.pythonhosted", ".org"),
        concat!("proxy.golang", ".org"),
        concat!("sum.golang", ".org"),
        concat!("deb.debian", ".org"),
        concat!("..", "/shared"),
        concat!("/work", "/"),
        concat!("/root", "/"),
    ];
    let text = sources(&["rs", "go", "mod", "py", "sh", "js", "mjs", "ts", "json", "toml", "md", "yml"]);
    none(lines_where(&text, |line| hosts.iter().any(|host| line.contains(host))), "take these names out");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let without: Vec<_> = sources(&["toml"])
        .iter()
        .filter(|source| {
            source.path.ends_with("/Cargo.toml") && !source.text.contains("[lints]\nworkspace = true")
        })
        .map(|source| source.path.clone())
        .collect();
    none(without, "add `[lints]` with `workspace = true`");
}

#[cfg(unix)]
#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let not_executable = files()
        .into_iter()
        .filter(|path| {
            let text = fs::read(root().join(path)).unwrap();
            let mode = root().join(path).metadata().unwrap().permissions().mode();
            text.starts_with(b"#!/") && mode & 0o100 == 0
        })
        .collect();
    none(not_executable, "chmod +x");
}

/// Structs named `..Options` that are arguments of one call and bound nothing.
const NO_OPTIONS: &[&str] = &["GetOptions"];

/// The public fields of every public struct of options or policy: (file, struct, field).
fn options() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut sources = rust_under("core/src/");
    sources.extend(rust_under("hosts/native/src/"));
    for source in sources {
        let mut inside: Option<String> = None;
        for line in source.text.lines() {
            if let Some(name) =
                line.strip_prefix("pub struct ").and_then(|rest| rest.split([' ', '<', '(']).next())
            {
                let counts =
                    (name.ends_with("Options") || name.ends_with("Policy")) && !NO_OPTIONS.contains(&name);
                inside = counts.then(|| name.to_owned());
            } else if line.starts_with('}') {
                inside = None;
            } else if let (Some(name), Some(field)) = (&inside, line.strip_prefix("    pub "))
                && let Some((field, _)) = field.split_once(':')
            {
                found.push((source.path.clone(), name.clone(), field.to_owned()));
            }
        }
    }
    assert!(found.len() > 50, "too few to be all options: {found:?}");
    found
}

#[test]
fn every_option_is_in_the_table_of_limits_and_its_default_in_a_test() {
    let limits = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    // What stands between backticks.
    let named: Vec<&str> = limits.split('`').skip(1).step_by(2).collect();
    let tests = ["core/tests/option_defaults.rs", "hosts/native/tests/option_defaults.rs"]
        .map(|path| fs::read_to_string(root().join(path)).unwrap())
        .concat();
    let mut undocumented = Vec::new();
    let mut untested = Vec::new();
    for (path, name, field) in options() {
        if !named.iter().any(|text| has_word(text, &field)) {
            undocumented.push(format!("{path}: {name}.{field}"));
        }
        if !tests.contains(&format!("{name} {{")) || !has_word(&tests, &field) {
            untested.push(format!("{path}: {name}.{field}"));
        }
    }
    none(undocumented, "add a row to docs/limits.md: default, bound, what happens beyond it");
    none(untested, "name its default in option_defaults.rs, in a pattern with every field");
}

/// For each variant of core's error a test that meets it: (variant, file, test).
const ERRORS_MET: &[(&str, &str, &str)] = &[
    ("NotFound", "core/src/host/retry.rs", "answers_are_not_repeated"),
    (
        "Precondition",
        "core/src/maintain/gc/tests/storage.rs",
        "a_document_is_replaced_only_in_the_version_that_is_known",
    ),
    (
        "NotModified",
        "core/src/host/memory.rs",
        "conditional_get_answers_not_modified_only_for_the_present_version",
    ),
    ("Permission", "core/src/host/probe.rs", "forbidden_for_a_missing_name_asks_for_the_right_to_list"),
    ("Unavailable", "core/src/host/probe.rs", "a_store_that_never_answers_is_unavailable_not_unsupported"),
    (
        "Timeout",
        "core/src/manifest/tests/publishing.rs",
        "a_claim_that_cannot_cover_what_is_decided_times_out",
    ),
    ("Corrupt", "core/src/manifest/tests/claiming.rs", "a_log_that_lost_its_current_is_refused"),
    ("Untrusted", "core/tests/signatures.rs", "a_tailer_reads_no_table_that_is_not_to_be_trusted"),
    (
        "Unsupported",
        "core/tests/database.rs",
        "a_store_that_ignores_conditions_is_refused_before_anything_is_written",
    ),
    ("InvalidArgument", "core/src/maintain/gc/policy.rs", "what_is_out_of_bounds_is_refused_by_name"),
    (
        "OverBudget",
        "core/src/maintain/budget.rs",
        "what_the_budget_does_not_hold_is_named_with_what_it_needs",
    ),
    ("NoDatabase", "core/tests/verify.rs", "a_sound_database_gives_no_finding"),
    ("Fenced", "core/src/manifest/tests/publishing.rs", "a_fenced_writer_commits_nothing"),
    (
        "Backpressure",
        "core/src/write/tests/limits.rs",
        "backpressure_comes_at_the_deadline_and_nothing_is_lost",
    ),
    (
        "OutcomeUnknown",
        "core/src/manifest/tests/settling.rs",
        "nobody_can_tell_once_the_log_and_the_role_are_gone",
    ),
    ("ViewExpired", "core/tests/view_pinned.rs", "new"),
    ("TicketExpired", "hosts/native/tests/ticket.rs", "fixtures_and_our_own_read_through_presigned_urls"),
    (
        "CursorExpired",
        "core/src/tail/tests/waiting.rs",
        "a_floor_that_somebody_else_saw_rise_expires_a_cursor_below_it",
    ),
    ("Closed", "core/src/write/tests/faults.rs", "close_can_be_tried_again"),
];

/// Stands beside an error that a test looks at, and not beside one that it makes.
const LOOKS_AT: &[&str] = &["assert", "matches!", "let Error::", "let Err(", "Err(Error::", "=>"];

#[test]
fn every_error_is_met_by_a_test() {
    let errors = fs::read_to_string(root().join("core/src/error.rs")).unwrap();
    let (_, rest) = errors.split_once("pub enum Error {").unwrap();
    let (variants, _) = rest.split_once("\n}").unwrap();
    let named = variants.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"));
    let variants: BTreeSet<&str> = named.filter(|name| name.chars().all(char::is_alphanumeric)).collect();
    assert!(variants.len() > 12, "too few to be all: {variants:?}");
    let listed: BTreeSet<&str> = ERRORS_MET.iter().map(|(variant, _, _)| *variant).collect();
    assert_eq!(variants, listed, "for each variant a test that meets it, in the list of this test");
    let not_there = ERRORS_MET.iter().filter(|(variant, path, test)| {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let Some((_, rest)) = text.split_once(&format!("fn {test}()")) else { return true };
        let body = rest.split("#[test]").next().unwrap_or(rest);
        let met = |line: &str| {
            has_word(line, &format!("Error::{variant}")) && LOOKS_AT.iter().any(|sign| line.contains(sign))
        };
        !body.lines().any(met)
    });
    none(not_there.map(|met| format!("{met:?}")).collect(), "this test looks at no such error");
}
