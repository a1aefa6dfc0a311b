//! Values as JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use bytes::Bytes;

use super::decode::BASE64;

/// What can be written as JSON.
pub(crate) trait Encode {
    /// Appends it.
    fn encode(&self, out: &mut Writer);

    /// True where a field that may be left out is left out.
    fn is_empty(&self) -> bool {
        false
    }
}

/// Which characters of strings are written as escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Those that have to be.
    Json,
    /// Also `<`, `>`, `&` and the two line separators of Unicode, as Go does.
    Go,
}

/// The text so far.
pub(crate) struct Writer {
    text: String,
    escapes: Escapes,
}

impl Writer {
    pub(super) fn written(value: &dyn Encode, escapes: Escapes) -> String {
        let mut out = Writer { text: String::new(), escapes };
        value.encode(&mut out);
        out.text
    }

    /// Appends what is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.text.push_str(json);
    }

    /// Appends a string.
    pub(crate) fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\u{8}' => self.raw("\\b"),
                '\u{c}' => self.raw("\\f"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                '\0'..='\u{1f}' => self.code(c),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if self.escapes == Escapes::Go => self.code(c),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn code(&mut self, c: char) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\\u{:04x}", u32::from(c));
    }

    /// Appends a field of an object that was begun with `{`.
    pub(crate) fn field(&mut self, name: &str, value: &dyn Encode, omit_empty: bool) {
        if omit_empty && value.is_empty() {
            return;
        }
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.string(name);
        self.text.push(':');
        value.encode(self);
    }
}

macro_rules! integers {
    ($($type:ty)+) => {
        $(impl Encode for $type {
            fn encode(&self, out: &mut Writer) {
                out.raw(&self.to_string());
            }

            fn is_empty(&self) -> bool {
                *self == 0
            }
        })+
    };
}

integers!(u64 u32 i64 i32);

impl Encode for bool {
    fn encode(&self, out: &mut Writer) {
        out.raw(if *self { "true" } else { "false" });
    }

    fn is_empty(&self) -> bool {
        !*self
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Writer) {
        out.string(self);
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

/// Base64.
impl Encode for Bytes {
    fn encode(&self, out: &mut Writer) {
        out.string(&BASE64.encode(self));
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Writer) {
        match self {
            Some(value) => value.encode(out),
            None => out.raw("null"),
        }
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }
}

/// An empty list is `null`, as Go writes it.
impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Writer) {
        for (i, item) in self.iter().enumerate() {
            out.raw(if i == 0 { "[" } else { "," });
            item.encode(out);
        }
        out.raw(if self.is_empty() { "null" } else { "]" });
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Encode> Encode for Arc<T> {
    fn encode(&self, out: &mut Writer) {
        (**self).encode(out);
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, out: &mut Writer) {
        (**self).encode(out);
    }
}
