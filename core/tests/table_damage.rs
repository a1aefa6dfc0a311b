//! Damaged tables: every byte flipped and every length cut gives the right answer or an error that names the table.
#![cfg(feature = "write")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sst;

use bytes::Bytes;
use isledb_core::format::sst::{ChecksumKind, Compression, TableLayout, TableOptions};
use isledb_core::{Error, Result};

use sst::{Entry, Stored, build, golden_entries};

const NAME: &str = "db/sstable/damaged.sst";

/// Reads everything there is, both ways, and by key.
fn read(bytes: &Bytes, whole: bool, keys: &[&Entry]) -> Result<(Vec<Entry>, Vec<Option<Entry>>)> {
    let table = if whole {
        Stored::open_whole(NAME, bytes.clone())
    } else {
        Stored::open(NAME, bytes.clone(), None)
    }?;
    let forwards = table.entries()?;
    let mut backwards = table.entries_backwards()?;
    backwards.reverse();
    assert_eq!(forwards, backwards);
    let found = keys.iter().map(|entry| table.get(&entry.key)).collect::<Result<_>>()?;
    Ok((forwards, found))
}

/// True where the table was read, false where it was refused with its name.
fn right_or_named(bytes: Bytes, entries: &[Entry], what: &str) -> bool {
    let keys = [entries.first().unwrap(), entries.last().unwrap()];
    match read(&bytes, true, &keys) {
        Ok((found, gets)) => {
            assert!(found == entries, "{what}: a wrong answer");
            for (key, got) in keys.iter().zip(gets) {
                let newest = entries.iter().find(|entry| entry.key == key.key);
                assert_eq!(got.as_ref(), newest, "{what}");
            }
            true
        }
        Err(error) => {
            assert_eq!(error.object(), Some(NAME), "{what}: {error}");
            assert!(matches!(error, Error::Corrupt { .. } | Error::Unsupported { .. }), "{what}: {error}");
            false
        }
    }
}

fn tables() -> Vec<(String, Bytes, Vec<Entry>)> {
    let mut tables = Vec::new();
    for (layout, compression, checksum, n, block_size) in [
        (TableLayout::Edge, Compression::Snappy, ChecksumKind::Crc32c, 30, 128),
        (TableLayout::Edge, Compression::None, ChecksumKind::XxHash64, 6, 4096),
        (TableLayout::Original, Compression::None, ChecksumKind::Crc32c, 20, 100),
    ] {
        let entries = golden_entries(n);
        let what = format!("{layout:?} {compression:?} {checksum:?}");
        let options = TableOptions { layout, compression, checksum, block_size, ..TableOptions::default() };
        tables.push((what, Bytes::from(build(options, &entries).0), entries));
    }
    tables
}

#[test]
fn every_flipped_byte() {
    for (what, bytes, entries) in tables() {
        assert!(right_or_named(bytes.clone(), &entries, &what));
        let mut unprotected = 0;
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                unprotected += u64::from(right_or_named(
                    damaged.into(),
                    &entries,
                    &format!("{what}: byte {at} ^ {flip:02x}"),
                ));
            }
        }
        // The footer's padding, and what says version 2 instead of 1.
        assert!(unprotected < 3 * 41, "{what}: {unprotected} flips were not noticed");
    }
}

#[test]
fn every_truncation() {
    for (what, bytes, entries) in tables() {
        for length in 0..bytes.len() {
            let read = right_or_named(bytes.slice(..length), &entries, &format!("{what}: {length} bytes"));
            assert!(!read, "{what}: {length} of {} bytes were read as a table", bytes.len());
        }
    }
}

/// The same through ranges: a wrong footer must not lead outside the table, nor ask for more without end.
#[test]
fn every_flipped_byte_of_a_tail() {
    for (what, bytes, entries) in tables() {
        for at in bytes.len().saturating_sub(900)..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x10;
            match read(&Bytes::from(damaged), false, &[]) {
                Ok((found, _)) => assert!(found == entries, "{what}: byte {at}"),
                Err(error) => assert_eq!(error.object(), Some(NAME), "{what}: {error}"),
            }
        }
    }
}

/// A tail that is not the end of the table is the caller's mistake, and said so.
#[test]
fn a_tail_from_elsewhere_is_refused() {
    let (_, bytes, _) = tables().remove(0);
    let size = bytes.len() as u64;
    for (offset, tail) in [(0, bytes.slice(1..)), (1, bytes.clone()), (u64::MAX, bytes.clone())] {
        let error = isledb_core::format::sst::Table::open(&NAME.into(), size, offset, tail).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    }
}
