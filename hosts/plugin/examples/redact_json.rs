//! A value transform for JSON in an envelope, `{"v": 1, "data": {...}}`: readers get the data, without the fields that are
//! nobody's business, and nothing of what is marked as deleted.
//!
//! What is no JSON object passes unchanged; an envelope of a version that this plugin does not know is an error.

use isledb_plugin::value_transform::{Entry, Outcome, ValueTransform};
use serde_json::Value;

const PRIVATE: &[&str] = &["email", "password"];

struct RedactJson;

impl ValueTransform for RedactJson {
    fn apply(_now_ms: u64, entries: Vec<Entry>) -> Vec<Result<Outcome, String>> {
        entries.iter().map(|entry| redact(&entry.value)).collect()
    }
}

fn redact(value: &[u8]) -> Result<Outcome, String> {
    let Ok(Value::Object(mut envelope)) = serde_json::from_slice(value) else {
        return Ok(Outcome::Unchanged);
    };
    let Some(version) = envelope.remove("v") else { return Ok(Outcome::Unchanged) };
    if version != 1 {
        return Err(format!("an envelope of version {version}, only 1 is known"));
    }
    if envelope.get("deleted") == Some(&Value::Bool(true)) {
        return Ok(Outcome::Hidden);
    }
    let Some(Value::Object(mut data)) = envelope.remove("data") else {
        return Err("an envelope without data".to_owned());
    };
    PRIVATE.iter().for_each(|field| drop(data.remove(*field)));
    Ok(Outcome::Replaced(Value::Object(data).to_string().into_bytes()))
}

isledb_plugin::export!(value-transform: RedactJson);
