//! This command, run as another process.

use std::process::{Command, Stdio};
use std::time::Instant;

use isledb::host::Cost;
use serde::Deserialize;

use super::faint;
use crate::exit::{Code, Failure, Outcome};
use crate::output::{Output, STRONG};

/// A process that ended well.
pub(super) struct Child {
    call: String,
    pub(super) stdout: Vec<u8>,
    stderr: String,
    pub(super) seconds: f64,
}

impl Child {
    /// Runs it to its end.
    pub(super) fn run(arguments: &[&str]) -> Outcome<Child> {
        let call = format!(
            "isledb {}",
            arguments.iter().map(|argument| quoted(argument)).collect::<Vec<_>>().join(" ")
        );
        let failed = |why: String| {
            Failure::new(Code::Unreachable, "child", format!("`{call}` failed: {why}"))
                .advise("run it by itself")
        };
        let own = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let started = Instant::now();
        let mut command = Command::new(own);
        command.args(arguments).stdin(Stdio::null());
        // Settings of the surroundings would change what it prints.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ISLEDB_"))
        {
            command.env_remove(name);
        }
        let done = command.output().map_err(|error| failed(error.to_string()))?;
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        if !done.status.success() {
            return Err(failed(format!("{}, {}", done.status, stderr.trim())));
        }
        Ok(Child { call, stdout: done.stdout, stderr, seconds: started.elapsed().as_secs_f64() })
    }

    /// What it printed, as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The call, what it printed, and what it said beside that.
    pub(super) fn show(&self, out: &mut Output) -> Outcome {
        self.show_call(out)?;
        for line in self.text().lines() {
            out.line(line)?;
        }
        for line in self.stderr.lines() {
            out.line(faint(out, line))?;
        }
        Ok(())
    }

    /// The call alone.
    pub(super) fn show_call(&self, out: &mut Output) -> Outcome {
        out.line(format!("{} {}", faint(out, "$"), out.paint(STRONG, &self.call)))?;
        Ok(())
    }

    /// What it says that it cost (`--json --cost`).
    pub(super) fn cost(&self) -> Outcome<Cost> {
        #[derive(Deserialize)]
        struct Wrapper {
            cost: Spent,
        }
        #[derive(Deserialize)]
        struct Spent {
            requests: Requests,
            bytes_read: u64,
            bytes_written: u64,
            round_trips: u64,
        }
        #[derive(Deserialize)]
        struct Requests {
            get: u64,
            head: u64,
            put: u64,
            list: u64,
            delete: u64,
        }
        let spent = self.stderr.lines().find_map(|line| serde_json::from_str::<Wrapper>(line).ok());
        let Some(Wrapper { cost: spent }) = spent else {
            return Err(Failure::new(
                Code::Corrupt,
                "child",
                format!("`{}` does not say what it cost", self.call),
            ));
        };
        let Requests { get, head, put, list, delete } = spent.requests;
        let Spent { bytes_read, bytes_written, round_trips, .. } = spent;
        Ok(Cost { get, head, put, list, delete, bytes_read, bytes_written, round_trips })
    }
}

/// An argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}
