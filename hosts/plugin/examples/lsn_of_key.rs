//! An LSN extractor for keys that end with a position in a log: `wal/` and 8 bytes, the highest first.
//!
//! Other keys stand for no number; one that begins so and is not as long is an error, since a wrong number in CURRENT would
//! stay there.

use isledb_plugin::lsn_extractor::LsnExtractor;

const PREFIX: &[u8] = b"wal/";

struct LsnOfKey;

impl LsnExtractor for LsnOfKey {
    fn extract(keys: Vec<Vec<u8>>) -> Result<Vec<Option<u64>>, String> {
        keys.iter().map(|key| lsn(key)).collect()
    }
}

fn lsn(key: &[u8]) -> Result<Option<u64>, String> {
    let Some(position) = key.strip_prefix(PREFIX) else { return Ok(None) };
    let position = position
        .try_into()
        .map_err(|_| format!("wal/ is followed by {} bytes, and a position has 8", position.len()))?;
    Ok(Some(u64::from_be_bytes(position)))
}

isledb_plugin::export!(lsn-extractor: LsnOfKey);
