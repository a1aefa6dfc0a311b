//! Comma-separated values with a header line.

use std::borrow::Cow;
use std::io::BufRead;

use csv::StringRecord;

use super::shape::entry;
use super::{Input, Row, Shape, ValueOf};
use crate::exit::{Failure, Outcome};

/// Whole numbers and fractions with more digits than this would not survive a reader that keeps them as doubles.
const NUMBER_DIGITS_MAX: usize = 15;

/// Rows of a CSV input. Every row has as many fields as the header.
pub(crate) struct CsvRows {
    name: String,
    reader: csv::Reader<Box<dyn BufRead + Send>>,
    record: StringRecord,
    plan: Plan,
    null: Option<String>,
}

/// Where in a record the parts of an entry stand.
enum Plan {
    Row { key: super::Template, key_columns: Vec<usize>, value: Option<usize>, names: Vec<String> },
    Entry { key: Decoded, value: Decoded, expires: Option<usize> },
}

/// A column with the way to read it.
struct Decoded {
    column: usize,
    decode: entry::Decode,
}

impl CsvRows {
    /// Reads the header and finds the columns.
    pub(crate) fn new(input: Input, shape: Shape) -> Outcome<CsvRows> {
        let (name, reader) = input.into_parts();
        let mut reader = csv::ReaderBuilder::new().from_reader(reader);
        let header = reader.headers().map_err(|error| failure(&name, &error))?.clone();
        let plan = plan(&header, &shape)
            .map_err(|why| Failure::usage(format!("{name}: {why}")).advise(columns_of(&header)))?;
        Ok(CsvRows { name, reader, record: StringRecord::new(), plan, null: shape.null })
    }
}

impl Iterator for CsvRows {
    type Item = Outcome<Row>;

    fn next(&mut self) -> Option<Outcome<Row>> {
        match self.reader.read_record(&mut self.record) {
            Err(error) => Some(Err(failure(&self.name, &error))),
            Ok(false) => None,
            Ok(true) => Some(self.plan.row(&self.record, self.null.as_deref()).map_err(|why| {
                let line = self.record.position().map_or(0, |position| position.line());
                Failure::usage(format!("{}:{line}: {why}", self.name))
                    .advise("correct the line and start again")
            })),
        }
    }
}

fn plan(header: &StringRecord, shape: &Shape) -> Result<Plan, String> {
    let find = |name: &str| header.iter().position(|column| column == name);
    let need = |name: &str| find(name).ok_or_else(|| format!("no column {name:?}"));
    let Some(key) = &shape.key else {
        return Ok(Plan::Entry {
            key: decoded("key", find)?,
            value: decoded("value", find)?,
            expires: find(entry::EXPIRES),
        });
    };
    let key_columns = key.columns().map(need).collect::<Result<_, _>>()?;
    let value = match &shape.value {
        ValueOf::Row => None,
        ValueOf::Column(name) => Some(need(name)?),
    };
    // The names as JSON, once for all rows.
    let names = header.iter().map(|column| serde_json::to_string(column).unwrap_or_default()).collect();
    Ok(Plan::Row { key: key.clone(), key_columns, value, names })
}

fn decoded(what: &str, find: impl Fn(&str) -> Option<usize>) -> Result<Decoded, String> {
    entry::names(what)
        .into_iter()
        .find_map(|(name, decode)| find(&name).map(|column| Decoded { column, decode }))
        .ok_or_else(|| {
            format!("no column \"{what}\" or \"{what}_b64\"; name the key with --key or --key-template")
        })
}

impl Plan {
    fn row(&self, record: &StringRecord, null: Option<&str>) -> Result<Row, String> {
        let field = |column: usize| record.get(column).unwrap_or_default();
        match self {
            Plan::Row { key, key_columns, value, names } => Ok(Row {
                key: key.fill(|i, name| match field(key_columns[i]) {
                    "" => Err(format!("nothing in column {name:?} of the key")),
                    text => Ok(Cow::Borrowed(text)),
                })?,
                value: match value {
                    Some(column) => field(*column).as_bytes().to_vec(),
                    None => object(names, record, null),
                },
                expires_at_ms: None,
            }),
            Plan::Entry { key, value, expires } => Ok(Row {
                key: (key.decode)(field(key.column))?,
                value: (value.decode)(field(value.column))?,
                expires_at_ms: match expires.map(field) {
                    None | Some("") => None,
                    Some(text) => Some(text.parse().map_err(|_| format!("expires_at_ms is {text:?}"))?),
                },
            }),
        }
    }
}

/// The row as a JSON object, columns in their order. A field that is a plain number stays one, digit by digit; empty
/// fields and those that say `null` are null; everything else is text.
fn object(names: &[String], record: &StringRecord, null: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.as_slice().len() * 2 + names.len() * 16);
    for (i, (name, field)) in names.iter().zip(record).enumerate() {
        out.push(if i == 0 { b'{' } else { b',' });
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        if field.is_empty() || Some(field) == null {
            out.extend_from_slice(b"null");
        } else if is_plain_number(field) {
            out.extend_from_slice(field.as_bytes());
        } else if serde_json::to_writer(&mut out, field).is_err() {
            // Text into memory cannot fail.
            unreachable!("a string is always JSON");
        }
    }
    out.extend_from_slice(if names.is_empty() { b"{}" } else { b"}" });
    out
}

/// `-12`, `0.50`; not `007`, `+1`, `1e5`, `.5`, nor more digits than a double keeps.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return false,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    !whole.is_empty()
        && (whole == "0" || !whole.starts_with('0'))
        && all_digits(whole)
        && all_digits(fraction)
        && whole.len() + fraction.len() <= NUMBER_DIGITS_MAX
        && text != "-0"
}

fn failure(name: &str, error: &csv::Error) -> Failure {
    Failure::usage(format!("{name}: {error}")).advise("correct the file and start again")
}

fn columns_of(header: &StringRecord) -> String {
    let names: Vec<&str> = header.iter().take(30).collect();
    format!("its columns are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Template;

    fn rows(text: &'static str, key: Option<&str>, null: Option<&str>) -> Vec<Result<Row, String>> {
        let shape = Shape {
            key: key.map(|key| Template::parse(key).unwrap()),
            value: ValueOf::Row,
            null: null.map(str::to_owned),
        };
        match CsvRows::new(Input::text(text), shape) {
            Ok(rows) => rows.map(|row| row.map_err(|failure| failure.line())).collect(),
            Err(failure) => vec![Err(failure.line())],
        }
    }

    #[test]
    fn a_row_becomes_an_object_with_its_columns_in_order() {
        let rows = rows("b,a\n7,\"x, \"\"y\"\"\"\n007,NA\n-1.50,\n", Some("k/{b:04}"), Some("NA"));
        let rows: Vec<Row> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows[0].key, b"k/0007");
        assert_eq!(rows[0].value, br#"{"b":7,"a":"x, \"y\""}"#);
        assert_eq!(rows[1].value, br#"{"b":"007","a":null}"#);
        assert_eq!(rows[2].value, br#"{"b":-1.50,"a":null}"#);
    }

    #[test]
    fn only_what_reads_back_the_same_is_a_number() {
        for yes in ["0", "7", "-7", "0.5", "123456789012345", "-0.0"] {
            assert!(is_plain_number(yes), "{yes}");
        }
        for no in ["", "-", "+1", "007", ".5", "5.", "1e5", "1,000", "1234567890123456", "-0", "0x1", "1.2.3"]
        {
            assert!(!is_plain_number(no), "{no}");
        }
    }

    #[test]
    fn entries_are_read_from_their_columns() {
        let rows = rows("key_hex,value,expires_at_ms\nff00,v,9\nff01,,\n", None, None);
        let rows: Vec<Row> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(rows[0], Row { key: vec![0xff, 0], value: b"v".to_vec(), expires_at_ms: Some(9) });
        assert_eq!(rows[1], Row { key: vec![0xff, 1], value: vec![], expires_at_ms: None });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, key, part) in [
            ("a,b\n1,2\n", Some("{c}"), "no column \"c\"; its columns are a, b"),
            ("a,b\n1,2\n,3\n", Some("{a}"), "text:3: nothing in column \"a\""),
            ("a,b\n1,2\n1\n", Some("{a}"), "line: 3"),
            ("a,b\n1,2\n", None, "no column \"key\""),
        ] {
            let rows = rows(text, key, None);
            let line = rows.last().unwrap().as_ref().unwrap_err();
            assert!(line.contains(part), "{line}");
        }
    }
}
