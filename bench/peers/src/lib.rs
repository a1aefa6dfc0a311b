//! isledb beside its peers: the same rows, in memory, read in the same process.
//!
//! Both engines get the same rows in the same number of tables, a block cache that holds everything, snappy, blocks of
//! 4 KiB, a filter of 10 bits a key, and no compaction but where that is measured. What differs is said where it is measured.

pub mod isle;
pub mod merge;
pub mod rocks;
pub mod rows;
pub mod slate;
