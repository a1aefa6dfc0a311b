//! One JSON object a line, with its fields in a fixed order.

use std::fmt::Write as _;

use serde::Serialize;

use crate::keys;

/// A line under construction.
#[derive(Debug)]
pub(crate) struct Line {
    text: String,
}

impl Line {
    pub(crate) fn new() -> Line {
        Line { text: String::from("{") }
    }

    /// Any value that JSON can hold; u64 are plain numbers.
    pub(crate) fn field(mut self, name: &str, value: impl Serialize) -> Line {
        // Only a map with keys that are not text, or a failing `Serialize`, can fail here; neither is ever passed.
        let value = serde_json::to_string(&value).unwrap_or_else(|_| "null".into());
        self.name(name);
        self.text.push_str(&value);
        self
    }

    /// JSON text that is already made.
    pub(crate) fn raw(mut self, name: &str, json: &str) -> Line {
        self.name(name);
        self.text.push_str(json);
        self
    }

    /// Bytes: as `name` where they are UTF-8, else as `name_b64`.
    pub(crate) fn bytes(self, name: &str, bytes: &[u8]) -> Line {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.field(name, text),
            Err(_) => self.field(&format!("{name}_b64"), keys::base64(bytes)),
        }
    }

    /// The object, without a line end.
    pub(crate) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn name(&mut self, name: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        let _ = write!(self.text, "\"{name}\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_bytes_their_content() {
        let line = Line::new()
            .bytes("key", b"a\"b")
            .bytes("value", b"\xff")
            .field("sequence", u64::MAX)
            .field("expires_at_ms", None::<u64>)
            .end();
        assert_eq!(
            line,
            r#"{"key":"a\"b","value_b64":"/w==","sequence":18446744073709551615,"expires_at_ms":null}"#
        );
    }
}
