//! The rows that every engine gets.

use bytes::Bytes;

/// Rows of a database, over all its tables.
pub const ROWS: u64 = 400_000;
/// Bytes of a value.
pub const VALUE: usize = 100;
/// Bytes of a key.
pub const KEY: usize = 16;
/// Bytes of a block cache: more than all rows.
pub const CACHE: u64 = 1 << 30;

/// The key of row `i`; ordered as `i` is.
pub fn key(i: u64) -> Bytes {
    format!("key{i:013}").into()
}

/// The value of row `i`: a third of it does not compress.
pub fn value(i: u64) -> Bytes {
    let mut value = format!("{:016x}{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i).into_bytes();
    value.resize(VALUE, b'.');
    value.into()
}

/// The rows of table `table` of `tables`: all of them overlap.
pub fn of_table(table: u64, tables: u64) -> impl Iterator<Item = u64> {
    of(ROWS, table, tables)
}

/// The rows of table `table` of `tables` where there are `total` in all.
pub fn of(total: u64, table: u64, tables: u64) -> impl Iterator<Item = u64> {
    (table..total).step_by(tables as usize)
}

/// `count` keys, spread over all blocks.
pub fn spread(count: u64) -> Vec<Bytes> {
    (0..count).map(|i| key(i * 397 % ROWS)).collect()
}

/// Bytes of keys and values of all rows.
pub const fn bytes() -> u64 {
    bytes_of(ROWS)
}

/// Bytes of keys and values of so many rows.
pub const fn bytes_of(total: u64) -> u64 {
    total * (KEY + VALUE) as u64
}
