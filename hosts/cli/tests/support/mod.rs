//! The command, run as anybody runs it: the built binary in a process of its own, on a folder that goes away.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

pub(crate) mod http;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// What a process came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a process that ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "stderr: {}\nstdout: {}", self.stderr, self.stdout);
        self.stdout
    }

    /// Its lines as JSON; the process ended well.
    #[track_caller]
    pub(crate) fn json(self) -> Vec<Value> {
        lines(&self.ok())
    }

    /// The process failed with `code`, and said so on one line, or with `--json` in one object. Returns what it said.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "stderr: {}\nstdout: {}", self.stderr, self.stdout);
        let last = self.stderr.lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("error: ") || last.starts_with("{\"error\":"), "{last}");
        last
    }
}

/// JSON lines.
#[track_caller]
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The command with these arguments, and no settings from outside.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isledb"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["ISLEDB_", "AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command.args(arguments);
    command
}

/// Runs the command to its end.
pub(crate) fn isledb(arguments: &[&str]) -> Ran {
    Ran::of(command(arguments).stdin(Stdio::null()).output().unwrap())
}

/// Runs the command with `input` on its standard input.
pub(crate) fn isledb_with(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = spawn(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without reading everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran::of(output)
}

/// Starts the command with pipes on all three streams.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What a folder store keeps for itself beside the objects: sidecars, and hidden files such as its lock.
fn is_private(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "attrs")
        || path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// A folder for one database, and for files beside it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    /// The address of the database.
    pub(crate) fn url(&self) -> String {
        self.path("db").display().to_string()
    }

    /// A file or folder beside the database.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the database, and returns its name.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// A database with `a`, `b`, `c` in three commits, and `b` deleted in a fourth.
    pub(crate) fn filled() -> Place {
        let place = Place::new();
        let url = place.url();
        for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
            isledb(&["put", &url, key, value]).ok();
        }
        isledb(&["del", &url, "b"]).ok();
        place
    }

    /// Objects under a part of the database, without what the folder store keeps for itself.
    pub(crate) fn objects(&self, part: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("db").join(part)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !is_private(&path) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}
