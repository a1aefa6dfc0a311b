//! One JSON object a line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Read};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::shape::entry;
use super::{Input, Row, Shape, ValueOf};
use crate::exit::{Failure, Outcome};

/// A line longer than this is no row: the largest value, as base64, and its frame.
pub(crate) const LINE_BYTES_MAX: u64 = 384 << 20;

/// The fields of one line, each still as its JSON text.
pub(crate) type Fields<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

/// Rows of an NDJSON input. Empty lines are passed over.
pub(crate) struct NdjsonRows {
    lines: Lines,
    shape: Shape,
}

impl NdjsonRows {
    pub(crate) fn new(input: Input, shape: Shape) -> NdjsonRows {
        NdjsonRows { lines: Lines::new(input), shape }
    }
}

impl Iterator for NdjsonRows {
    type Item = Outcome<Row>;

    fn next(&mut self) -> Option<Outcome<Row>> {
        match self.lines.advance() {
            Ok(false) => None,
            Ok(true) => Some(row(self.lines.text(), &self.shape).map_err(|why| self.lines.failure(&why))),
            Err(failure) => Some(Err(failure)),
        }
    }
}

/// Lines of an input, with their numbers.
pub(crate) struct Lines {
    name: String,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(crate) fn new(input: Input) -> Lines {
        let (name, reader) = input.into_parts();
        Lines { name, reader, line: Vec::new(), number: 0 }
    }

    /// Goes to the next line that is not blank; false at the end.
    pub(crate) fn advance(&mut self) -> Outcome<bool> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
            match read.map_err(|error| Failure::file(&self.name, &error))? {
                0 => return Ok(false),
                n if n as u64 == LINE_BYTES_MAX => {
                    return Err(self.failure(&format!("a line of more than {LINE_BYTES_MAX} bytes")));
                }
                _ if self.line.trim_ascii().is_empty() => continue,
                _ => return Ok(true),
            }
        }
    }

    /// The line, without blanks around it.
    pub(crate) fn text(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    /// What is wrong with this line.
    pub(crate) fn failure(&self, why: &str) -> Failure {
        Failure::usage(format!("{}:{}: {why}", self.name, self.number))
            .advise("correct the line and start again")
    }
}

/// The fields of a line.
pub(crate) fn fields(line: &[u8]) -> Result<Fields<'_>, String> {
    #[derive(Deserialize)]
    struct Object<'a>(#[serde(borrow)] HashMap<Key<'a>, &'a RawValue>);
    #[derive(Deserialize, PartialEq, Eq, Hash)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
    let object: Object<'_> =
        serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
    Ok(object.0.into_iter().map(|(key, value)| (key.0, value)).collect())
}

/// Bytes of `what` (`key` or `value`) of an entry, under any of its names.
pub(crate) fn entry_bytes(fields: &Fields<'_>, what: &str) -> Result<Vec<u8>, String> {
    for (name, decode) in entry::names(what) {
        if let Some(raw) = fields.get(name.as_str()) {
            let text: Cow<'_, str> =
                serde_json::from_str(raw.get()).map_err(|_| format!("\"{name}\" is not a string"))?;
            return decode(&text).map_err(|why| format!("\"{name}\": {why}"));
        }
    }
    Err(format!("no \"{what}\" and no \"{what}_b64\" in it"))
}

/// A field that holds a u64, if it is there and not null.
pub(crate) fn number(fields: &Fields<'_>, name: &str) -> Result<Option<u64>, String> {
    match fields.get(name).map(|raw| raw.get()) {
        None | Some("null") => Ok(None),
        Some(raw) => raw.parse().map(Some).map_err(|_| format!("\"{name}\" is not a whole number: {raw}")),
    }
}

fn row(line: &[u8], shape: &Shape) -> Result<Row, String> {
    let fields = fields(line)?;
    let Some(template) = &shape.key else {
        return Ok(Row {
            key: entry_bytes(&fields, "key")?,
            value: entry_bytes(&fields, "value")?,
            expires_at_ms: number(&fields, entry::EXPIRES)?,
        });
    };
    let key = template.fill(|_, name| {
        let raw = fields.get(name).ok_or_else(|| format!("no field \"{name}\" for the key"))?;
        match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<Cow<'_, str>>(raw.get()).map_err(|error| error.to_string()),
            Some(b'[' | b'{' | b'n') => Err(format!("field \"{name}\" of the key is {}", raw.get())),
            _ => Ok(Cow::Borrowed(raw.get())),
        }
    })?;
    let value = match &shape.value {
        ValueOf::Row => line.to_vec(),
        ValueOf::Column(name) => {
            let raw =
                fields.get(name.as_str()).ok_or_else(|| format!("no field \"{name}\" for the value"))?;
            match raw.get().as_bytes().first() {
                Some(b'"') => {
                    serde_json::from_str::<String>(raw.get()).map_err(|error| error.to_string())?.into_bytes()
                }
                _ => raw.get().as_bytes().to_vec(),
            }
        }
    };
    Ok(Row { key, value, expires_at_ms: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Template;

    fn rows(text: &'static str, key: Option<&str>, value: ValueOf) -> Vec<Result<Row, String>> {
        let key = key.map(|key| Template::parse(key).unwrap());
        NdjsonRows::new(Input::text(text), Shape { key, value, null: None })
            .map(|row| row.map_err(|failure| failure.line()))
            .collect()
    }

    #[test]
    fn the_value_is_the_line_itself() {
        let text = "\n {\"id\": 7, \"name\":\"a\\u0062\"} \n\n{\"id\":\"x\"}";
        let rows = rows(text, Some("k/{id}"), ValueOf::Row);
        assert_eq!(rows.len(), 2);
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.key, b"k/7");
        assert_eq!(first.value, b"{\"id\": 7, \"name\":\"a\\u0062\"}");
        assert_eq!(rows[1].as_ref().unwrap().key, b"k/x");
    }

    #[test]
    fn a_column_may_be_the_value() {
        let text = "{\"id\":1,\"v\":\"a\\nb\"}\n{\"id\":2,\"v\":{\"x\": 1}}";
        let rows = rows(text, Some("{id}"), ValueOf::Column("v".into()));
        assert_eq!(rows[0].as_ref().unwrap().value, b"a\nb");
        assert_eq!(rows[1].as_ref().unwrap().value, b"{\"x\": 1}");
    }

    #[test]
    fn entries_come_back_as_they_were_exported() {
        let text = "{\"key\":\"a\",\"value_b64\":\"/w==\",\"expires_at_ms\":18446744073709551615}";
        let rows = rows(text, None, ValueOf::Row);
        assert_eq!(
            rows[0].as_ref().unwrap(),
            &Row { key: b"a".to_vec(), value: b"\xff".to_vec(), expires_at_ms: Some(u64::MAX) }
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, part) in [
            ("{\"a\":1}\n[1]", "text:2: not a JSON object"),
            ("{\"a\":1}\n{\"b\":1}", "text:2: no field \"a\" for the key"),
            ("{\"a\":1}\n{\"a\":null}", "text:2: field \"a\" of the key is null"),
            ("{\"a\":1}\n{\"a\":1", "text:2: not a JSON object"),
        ] {
            let rows = rows(text, Some("{a}"), ValueOf::Row);
            let line = rows[1].as_ref().unwrap_err();
            assert!(line.contains(part), "{line}");
        }
    }
}
