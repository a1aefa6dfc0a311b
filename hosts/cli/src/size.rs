//! Sizes as people write them.

/// Reads `512MiB`, `1 GiB`, `10GB`, `65536` into bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err("write it like 512MiB, 10GB or 65536".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write it like 512MiB, 10GB or 65536".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "more bytes than there are".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_a_thousand_or_of_1024() {
        for (text, bytes) in [
            ("65536", 65_536),
            ("0", 0),
            ("1 GiB", 1 << 30),
            ("512MiB", 512 << 20),
            ("10gb", 10_000_000_000),
            ("2K", 2048),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "1.5GiB", "-1", "1 fortnight", "99999999999GiB"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
