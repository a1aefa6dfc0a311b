//! Progress on standard error, for people who wait.

use std::io::IsTerminal;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// When progress is shown: never, on a terminal, or always (plain lines where there is no terminal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum When {
    Never,
    #[default]
    Auto,
    Always,
}

/// A progress display that may be nothing at all.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// Without a terminal: plain lines, the last one at this time.
    plain: Option<std::time::Instant>,
}

/// Without a terminal a line is written this often.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

impl Progress {
    /// Nothing is shown.
    pub(crate) fn none() -> Progress {
        Progress { bar: None, plain: None }
    }

    /// Progress through `total` bytes of input; unknown where it is a pipe.
    pub(crate) fn bytes(when: When, total: Option<u64>) -> Progress {
        let template = match total {
            Some(_) => "{bar:32.cyan/dim} {percent:>3}%  {binary_bytes_per_sec}  {msg}  {eta} left",
            None => "{spinner:.cyan} {binary_bytes}  {binary_bytes_per_sec}  {msg}",
        };
        Progress::new(when, total, template)
    }

    /// Progress through `total` rows.
    pub(crate) fn rows(when: When, total: u64) -> Progress {
        Progress::new(when, Some(total), "{bar:32.cyan/dim} {percent:>3}%  {msg}")
    }

    fn new(when: When, total: Option<u64>, template: &str) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        if when == When::Never || (when == When::Auto && !terminal) {
            return Progress::none();
        }
        if !terminal {
            return Progress { bar: None, plain: Some(std::time::Instant::now()) };
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style(template));
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar: Some(bar), plain: None }
    }

    /// `done` bytes or rows in all; `message` is made only if it is shown.
    pub(crate) fn set(&mut self, done: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(message());
        } else if let Some(last) = &mut self.plain
            && last.elapsed() >= PLAIN_EVERY
        {
            *last = std::time::Instant::now();
            crate::output::note(&message());
        }
    }

    /// Runs `write` with the display out of the way, so that lines on standard output stay whole.
    pub(crate) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the display away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a wrong one falls back to the plain bar.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}
