//! A second decoder of row blocks: it puts every key together and knows no shortcut.

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) trailer: u64,
    pub(crate) value: Vec<u8>,
}

/// The entries of a block of data, in its order; `None` where one of them is none, or does what no data block of ours does.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// Newest versions first, keys rising, and each restart at an entry that shares nothing: a search then has one answer.
    pub(crate) searchable: bool,
}

pub(crate) fn decode(block: &[u8]) -> Option<Rows> {
    let (rest, count) = block.split_last_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    let end = rest.len().checked_sub(count.checked_mul(4)?)?;
    let (mut entries, restarts) = rest.split_at(end);
    let restarts: Vec<usize> = restarts
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| (u32::from_le_bytes(*word) & i32::MAX as u32) as usize)
        .collect();
    let (mut rows, mut plain, mut key) = (Vec::<Row>::new(), vec![end], Vec::new());
    while !entries.is_empty() {
        let at = end - entries.len();
        let (shared, unshared, value) = (number(&mut entries)?, number(&mut entries)?, number(&mut entries)?);
        if shared > key.len() {
            return None;
        }
        if shared == 0 {
            plain.push(at);
        }
        key.truncate(shared);
        key.extend_from_slice(entries.split_off(..unshared)?);
        let value = entries.split_off(..value)?.to_vec();
        let (user_key, trailer) = key.split_last_chunk::<8>()?;
        // Kinds are read without bit 6.
        let trailer = u64::from_le_bytes(*trailer) & !0x40;
        if trailer & 0xff > 1 {
            return None;
        }
        rows.push(Row { key: user_key.to_vec(), trailer, value });
    }
    let rising = rows.is_sorted_by(|a, b| a.key < b.key || (a.key == b.key && a.trailer > b.trailer));
    let searchable = rising
        && !rows.is_empty()
        && restarts.iter().all(|restart| plain.contains(restart) && *restart < end);
    Some(Rows { rows, searchable })
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0u64;
    for i in 0..5 {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return u32::try_from(value).ok().map(|value| value as usize);
        }
    }
    None
}
