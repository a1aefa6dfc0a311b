//! Keys and values as text: how they are read from the command line and printed to people.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::exit::{Failure, Outcome};

/// A value on the command line may be at most what the engine takes.
const VALUE_BYTES_MAX: u64 = 256 << 20;

/// The textual form of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    /// UTF-8 as it is.
    #[default]
    Utf8,
    /// Two hex digits a byte.
    Hex,
    /// Base64 with the standard alphabet and padding.
    Base64,
}

impl Encoding {
    /// Bytes of a key, or of a part of one, on the command line.
    pub(crate) fn key(self, text: &str) -> Outcome<Vec<u8>> {
        let decoded = match self {
            Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
            Encoding::Hex => hex::decode(text).map_err(|error| error.to_string()),
            Encoding::Base64 => STANDARD.decode(text).map_err(|error| error.to_string()),
        };
        decoded.map_err(|error| {
            Failure::usage(format!("{text:?} is not {}: {error}", self.name()))
                .advise("leave out --hex or --base64 for plain text")
        })
    }

    /// Bytes of a value on the command line: the text itself, `@file`, or `-` for standard input. What comes from a file or
    /// from standard input is taken as it is. `@@` at the start stands for one `@`.
    pub(crate) fn value(self, text: &str) -> Outcome<Vec<u8>> {
        if text == "-" {
            return read_bounded(std::io::stdin().lock(), "standard input");
        }
        match text.strip_prefix('@') {
            Some(rest) if rest.starts_with('@') => self.key(rest),
            Some(path) => {
                let file = std::fs::File::open(path).map_err(|error| Failure::file(path, &error))?;
                read_bounded(file, path)
            }
            None => self.key(text),
        }
    }

    /// Bytes for people, on one line: control characters and bytes that are not UTF-8 are escaped, so that no value can
    /// steer a terminal.
    pub(crate) fn show(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Utf8 => show_utf8(bytes),
            Encoding::Hex => hex::encode(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
        }
    }
}

/// Base64 as every JSON document of the command writes it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of base64 text in a document.
pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| error.to_string())
}

fn read_bounded(source: impl Read, name: &str) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(VALUE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| Failure::file(name, &error))?;
    if bytes.len() as u64 > VALUE_BYTES_MAX {
        return Err(Failure::usage(format!("{name}: a value has at most {VALUE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn show_utf8(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => out.extend(c.escape_default()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_reads_what_it_shows() {
        for encoding in [Encoding::Utf8, Encoding::Hex, Encoding::Base64] {
            let shown = encoding.show("flüge/1".as_bytes());
            assert_eq!(encoding.key(&shown).unwrap(), "flüge/1".as_bytes());
        }
        assert!(Encoding::Hex.key("0g").is_err());
        assert!(Encoding::Base64.key("a").is_err());
    }

    #[test]
    fn nothing_that_is_shown_can_steer_a_terminal() {
        assert_eq!(Encoding::Utf8.show(b"a\x1b[2J\n\xff\\"), "a\\u{1b}[2J\\n\\xff\\\\");
    }

    #[test]
    fn values_come_from_text_and_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\x00\xff").unwrap();
        let named = format!("@{}", file.path().display());
        assert_eq!(Encoding::Hex.value(&named).unwrap(), b"\x00\xff");
        assert_eq!(Encoding::Utf8.value("@@home").unwrap(), b"@home");
        assert!(Encoding::Utf8.value("@/nowhere/at/all").is_err());
    }
}
