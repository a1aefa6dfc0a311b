//! Standard output and standard error: lines and tables for people, JSON lines for programs.

use std::io::{BufWriter, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::exit::Failure;
use crate::json::Line;

/// Output is handed on in pieces of this many bytes, unless a line must leave at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Where a command writes.
pub(crate) struct Output {
    json: bool,
    colour: bool,
    stdout: BufWriter<std::io::Stdout>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        let colour = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Output { json, colour, stdout: BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout()) }
    }

    /// True where standard output carries one JSON object a line and nothing else.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One object for programs.
    pub(crate) fn json(&mut self, line: Line) -> std::io::Result<()> {
        self.stdout.write_all(line.end().as_bytes())?;
        self.stdout.write_all(b"\n")
    }

    /// One line for people.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> std::io::Result<()> {
        self.stdout.write_all(text.as_ref().as_bytes())?;
        self.stdout.write_all(b"\n")
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stdout.write_all(bytes)
    }

    /// Makes everything leave the process.
    pub(crate) fn flush(&mut self) -> std::io::Result<()> {
        self.stdout.flush()
    }

    /// The style where standard output is a terminal, else the plain text.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        paint(self.colour, style, text)
    }
}

/// What is worth the eye.
pub(crate) const KEY: Style = AnsiColor::Cyan.on_default();
/// What may be skipped.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Headings and results.
pub(crate) const STRONG: Style = Style::new().bold();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What went away or wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A line on standard error, for people; in `--json` mode say it as an object instead ([`note_json`]).
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// An object on standard error.
pub(crate) fn note_json(line: Line) {
    let _ = writeln!(std::io::stderr(), "{}", line.end());
}

/// The one line that ends a failed command.
pub(crate) fn report(failure: &Failure, json: bool) {
    if failure.is_quiet() {
        return;
    }
    if json {
        note(&failure.json());
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        note(&format!("{} {}", paint(colour, BAD.bold(), "error:"), failure.line()));
    }
}

/// A table without rules: columns by spaces. An empty header is left out.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A table never breaks its cells: who pipes it wants whole keys, and a terminal wraps by itself.
    table.set_content_arrangement(ContentArrangement::Disabled);
    if !header.is_empty() {
        table.set_header(header.iter().copied());
    }
    table
}

/// The table as text, the columns of `numbers` aligned to the right; no blanks outside.
pub(crate) fn table_text(mut table: Table, numbers: &[usize]) -> String {
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if i == 0 { 0 } else { 1 }, 1));
        if numbers.contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `27,004 rows`: a word that takes an s.
pub(crate) fn counted(n: u64, word: &str) -> String {
    format!("{} {word}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Bytes for people: `512 B`, `1.5 KiB`, `16.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(27004), "27,004");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!((counted(1, "row"), counted(2000, "row")), ("1 row".into(), "2,000 rows".into()));
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(1024 * 1024), "1.0 MiB");
        assert_eq!(size(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn a_table_has_no_rules_and_no_trailing_blanks() {
        let mut table = table(&["table", "bytes"]);
        table.add_row(["a", "10"]);
        table.add_row(["longer", "9"]);
        assert_eq!(table_text(table, &[1]), "table   bytes\na          10\nlonger      9");
    }
}
