//! A key formatter for binary keys: 16 bytes are a UUID, `t` and 8 bytes a time, 8 bytes a number, the highest byte first.
//! Values of 8 bytes are numbers. Whatever else there is, the host shows as it does without a plugin.

use isledb_plugin::key_formatter::{Entry, KeyFormatter};

struct ReadableKeys;

impl KeyFormatter for ReadableKeys {
    fn keys(keys: Vec<Vec<u8>>) -> Vec<Option<String>> {
        keys.iter().map(|key| key_text(key)).collect()
    }

    fn values(entries: Vec<Entry>) -> Vec<Option<String>> {
        entries.iter().map(|entry| number(&entry.value).map(|number| number.to_string())).collect()
    }
}

fn key_text(key: &[u8]) -> Option<String> {
    match key {
        [b't', at_ms @ ..] if at_ms.len() == 8 => number(at_ms).map(time),
        _ if key.len() == 16 => Some(uuid(key)),
        _ => number(key).map(|number| number.to_string()),
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn uuid(bytes: &[u8]) -> String {
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]].map(|part| part.concat()).join("-")
}

/// Unix milliseconds as a date and a time of day in UTC.
fn time(at_ms: u64) -> String {
    let (mut days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Whole cycles of the calendar, then the days within the last one.
    let mut year = 1970 + 400 * (days / 146_097);
    days %= 146_097;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of = |year| if leap(year) { 366 } else { 365 };
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let (day, ms) = (days + 1, ms % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

isledb_plugin::export!(key-formatter: ReadableKeys);
