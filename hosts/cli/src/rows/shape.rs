//! What of a row becomes the key and what the value.

use super::Template;

/// The rule for every row of a load.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// The key; `None` where the rows are entries as `export` writes them.
    pub(crate) key: Option<Template>,
    pub(crate) value: ValueOf,
    /// Text of a CSV field that means that nothing is known.
    pub(crate) null: Option<String>,
}

/// The value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ValueOf {
    /// The whole row as a JSON object.
    Row,
    /// One column.
    Column(String),
}

/// The fields of an entry as `export` writes it.
pub(crate) mod entry {
    use crate::keys;

    pub(crate) const EXPIRES: &str = "expires_at_ms";

    /// Bytes of a field's text.
    pub(crate) type Decode = fn(&str) -> Result<Vec<u8>, String>;

    /// Names under which `what` (`key` or `value`) may stand, with how to read it.
    pub(crate) fn names(what: &str) -> [(String, Decode); 3] {
        [
            (what.to_owned(), |text| Ok(text.as_bytes().to_vec())),
            (format!("{what}_b64"), keys::from_base64),
            (format!("{what}_hex"), |text| hex::decode(text).map_err(|error| error.to_string())),
        ]
    }
}
