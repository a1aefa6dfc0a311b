//! The data: see `data/README.md` for source and licence.

use std::collections::BTreeMap;

use crate::entry;
use crate::exit::Outcome;
use crate::rows::{self, Feed, Format, Input, Rows, Shape, Taken, Template, ValueOf};

/// 27,004 rows of CSV, compressed.
const DATA: &[u8] = include_bytes!("../../../data/flights-2013-01.csv.zst");
const NAME: &str = "flights-2013-01.csv.zst";

/// Names a flight: nothing else in the data has the same four.
const KEY: &str = "flight/{origin}/{year}-{month:02}-{day:02}/{carrier}{flight}";
/// What all keys begin with.
pub(super) const PREFIX: &str = "flight/";

fn read() -> Outcome<Rows> {
    let key = Template::parse(KEY).map_err(crate::exit::Failure::usage)?;
    let shape = Shape { key: Some(key), value: ValueOf::Row, null: Some("NA".into()) };
    rows::read(Format::Csv, Input::from_zstd(NAME, DATA, &Taken::default())?, shape)
}

/// All rows, for the comparison at the end.
pub(super) fn rows() -> Outcome<BTreeMap<Vec<u8>, Vec<u8>>> {
    read()?.map(|row| row.map(|row| (row.key, row.value))).collect()
}

/// The rows as they are loaded.
pub(super) fn feed() -> Feed {
    Feed::start(vec![Box::new(read)])
}

/// Compares what `export` printed with what was loaded, row by row. Returns the bytes of keys and values, or the first
/// difference.
pub(super) fn compare(rows: &BTreeMap<Vec<u8>, Vec<u8>>, exported: &[u8]) -> Result<u64, String> {
    let mut lines = exported.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut bytes = 0;
    for (key, value) in rows {
        let expected = entry::line(key, value);
        match lines.next() {
            Some(line) if line == expected.as_bytes() => bytes += (key.len() + value.len()) as u64,
            Some(line) => {
                return Err(format!("expected {expected}, found {}", String::from_utf8_lossy(line)));
            }
            None => return Err(format!("the entry {expected} is missing")),
        }
    }
    match lines.next() {
        None => Ok(bytes),
        Some(line) => Err(format!("an entry too many: {}", String::from_utf8_lossy(line))),
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_data_is_what_its_readme_says() {
        let csv = zstd::decode_all(DATA).unwrap();
        let readme = include_str!("../../../data/README.md");
        for bytes in [&csv[..], DATA] {
            assert!(readme.contains(&hex::encode(Sha256::digest(bytes))));
        }
        assert_eq!(rows().unwrap().len(), 27_004);
    }

    #[test]
    fn a_row_is_typed_and_its_key_sorts_by_day() {
        let rows = rows().unwrap();
        let value = &rows[&b"flight/EWR/2013-01-01/UA1545"[..]];
        let value: serde_json::Value = serde_json::from_slice(value).unwrap();
        assert_eq!(value["dest"], "IAH");
        assert_eq!(value["dep_delay"], 2);
        let cancelled =
            rows.values().filter(|value| value.windows(15).any(|w| w == b"\"dep_time\":null")).count();
        assert_eq!(cancelled, 521);
    }

    #[test]
    fn a_row_that_differs_is_found() {
        let mut rows = BTreeMap::new();
        rows.insert(b"a".to_vec(), b"1".to_vec());
        rows.insert(b"b".to_vec(), b"2".to_vec());
        assert_eq!(
            compare(&rows, b"{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":\"2\"}\n"),
            Ok(4)
        );
        for wrong in [
            &b"{\"key\":\"a\",\"value\":\"1\"}\n"[..],
            b"{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":\"3\"}\n",
            b"{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":\"2\"}\n{\"key\":\"c\",\"value\":\"2\"}\n",
        ] {
            assert!(compare(&rows, wrong).is_err());
        }
    }
}
