//! Durations and times as people write them.

use std::time::{Duration, SystemTime};

/// Reads `30s`, `5m`, `1h`, `7d`, `1h 30m`, `250ms`. A bare number has no unit and is refused, zero too.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}: write it like 30s, 5m, 1h or 7d"))?;
    if duration.is_zero() { Err("must be longer than 0".into()) } else { Ok(duration) }
}

/// Milliseconds for people: `250ms`, `1m 30s`.
pub(crate) fn text_ms(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

/// A Unix time in milliseconds as RFC 3339 in UTC, whole seconds.
pub(crate) fn date_ms(unix_ms: u64) -> String {
    match SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)) {
        // 253402300800: the year 10000, where RFC 3339 ends.
        Some(time) if unix_ms < 253_402_300_800_000 => humantime::format_rfc3339_seconds(time).to_string(),
        _ => format!("{unix_ms} ms"),
    }
}

/// The wall clock, in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|age| age.as_millis() as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_needed_and_zero_is_refused() {
        assert_eq!(parse("1h").unwrap(), Duration::from_secs(3600));
        assert_eq!(parse("7d").unwrap(), Duration::from_secs(7 * 86400));
        assert_eq!(parse("1m 30s").unwrap(), Duration::from_secs(90));
        for bad in ["", "5", "-1s", "1 fortnight", "0s"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn dates_beyond_the_calendar_stay_numbers() {
        assert_eq!(date_ms(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_ms(u64::MAX), format!("{} ms", u64::MAX));
    }
}
