//! The write path: from a put to a committed table.
//!
//! A write is appended to the active [`memtable`], whose entries are put in table order once, when it is flushed.

pub mod memtable;
