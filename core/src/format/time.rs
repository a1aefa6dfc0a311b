//! Times in documents: RFC 3339 with nanoseconds, as Go's encoder writes them.

use std::fmt;
use std::str::FromStr;

use super::json::{self, Decode, Encode, Reader, Writer, Wrong};
use crate::error::{Error, Result};

const SECONDS_A_DAY: i64 = 86_400;
/// Days from 1970-01-01 back to 0000-03-01, where the calendar arithmetic starts.
const DAYS_TO_EPOCH: i64 = 719_468;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: four digits of year are what the text form holds.
const FIRST_SECOND: i64 = -62_167_219_200;
const LAST_SECOND: i64 = 253_402_300_799;

/// A moment in UTC with nanoseconds, between the years 0 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    secs: i64,
    nanos: u32,
}

impl Timestamp {
    /// Go's zero time, `0001-01-01T00:00:00Z`: what a missing time field reads as.
    pub const ZERO: Timestamp = Timestamp { secs: -62_135_596_800, nanos: 0 };

    /// From nanoseconds since the Unix epoch.
    pub fn from_unix_ns(unix_ns: u64) -> Timestamp {
        // Both casts are exact: the quotient is below 2^35, the remainder below 10^9.
        Timestamp { secs: (unix_ns / 1_000_000_000) as i64, nanos: (unix_ns % 1_000_000_000) as u32 }
    }

    /// From milliseconds since the Unix epoch; later than the year 9999 becomes its last millisecond.
    pub fn from_unix_ms(unix_ms: u64) -> Timestamp {
        let secs = i64::try_from(unix_ms / 1000).unwrap_or(LAST_SECOND);
        if secs > LAST_SECOND {
            return Timestamp { secs: LAST_SECOND, nanos: 999_000_000 };
        }
        Timestamp { secs, nanos: (unix_ms % 1000) as u32 * 1_000_000 }
    }

    /// Milliseconds since the Unix epoch, rounded down; negative before it.
    pub fn unix_ms(&self) -> i64 {
        self.secs * 1000 + i64::from(self.nanos / 1_000_000)
    }

    /// True for [`Timestamp::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Timestamp::ZERO
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Timestamp::ZERO
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.secs.div_euclid(SECONDS_A_DAY));
        let second = self.secs.rem_euclid(SECONDS_A_DAY);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )?;
        if self.nanos != 0 {
            let digits = format!("{:09}", self.nanos);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads any RFC 3339 time with an upper-case `T`; digits of the fraction beyond the ninth are cut, as Go does.
    fn from_str(text: &str) -> Result<Timestamp> {
        parse(text.as_bytes()).ok_or_else(|| Error::invalid(format!("{text:?} is not an RFC 3339 time")))
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let (date_time, mut rest) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        *date_time.as_array::<19>()?
    else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let mut nanos = 0;
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, after) = fraction.split_at_checked(digits)?;
        if fraction.is_empty() {
            return None;
        }
        let kept = fraction.get(..9).unwrap_or(fraction);
        nanos = number(kept)? * 10_i64.pow(9 - kept.len() as u32);
        rest = after;
    }
    let offset = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let secs =
        days_from_civil(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second - offset;
    (FIRST_SECOND..=LAST_SECOND)
        .contains(&secs)
        .then_some(Timestamp { secs, nanos: u32::try_from(nanos).ok()? })
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |n, digit| digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years start in March here, so that the leap day is
/// the last of its year, and 400 years have always 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_TO_EPOCH
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Decode for Timestamp {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Wrong> {
        json::parsed(reader)
    }
}

impl Encode for Timestamp {
    fn encode(&self, out: &mut Writer) {
        out.string(&self.to_string());
    }

    fn is_empty(&self) -> bool {
        *self == Timestamp::ZERO
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_as_go_does() {
        let at = |ns| Timestamp::from_unix_ns(ns).to_string();
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(1_776_247_921_123_456_789), "2026-04-15T10:12:01.123456789Z");
        assert_eq!(at(1_776_247_921_120_000_000), "2026-04-15T10:12:01.12Z");
        assert_eq!(at(u64::MAX), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix_ms(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn reads_offsets_and_refuses_what_is_no_time() {
        let read = |text: &str| text.parse::<Timestamp>().map(|t| t.to_string());
        assert_eq!(read("2026-04-15T12:12:01.5+02:00").unwrap(), "2026-04-15T10:12:01.5Z");
        assert_eq!(read("2024-02-29T23:59:59-23:59").unwrap(), "2024-03-01T23:58:59Z");
        assert_eq!(read("2026-04-15T10:12:01.1234567891Z").unwrap(), "2026-04-15T10:12:01.123456789Z");
        for bad in [
            "",
            "2026-04-15",
            "2026-04-15t10:12:01Z",
            "2026-04-15T10:12:01",
            "2026-04-15T10:12:01.Z",
            "2026-04-15T24:12:01Z",
            "2026-04-15T10:12:60Z",
            "2026-02-29T10:12:01Z",
            "2026-04-15T10:12:01+24:00",
            "2026-04-15T10:12:01z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-04-15T10:12:01ZZ",
            "+026-04-15T10:12:01Z",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(secs in FIRST_SECOND..=LAST_SECOND, nanos in 0_u32..1_000_000_000) {
            let time = Timestamp { secs, nanos };
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
