//! The change feed: every committed write, in the order of its commit.
//!
//! The log is the feed: slots are the order of commits, and the table that a flush brought has every version of every key with
//! its sequence number. A [`Tailer`] follows them from a [`Cursor`]: `feed` says which slots count and how far back they
//! reach, `pass` puts the entries of one table in the order of their sequence numbers within a bound of memory, and `bootstrap`
//! gives a new consumer the present state first, without a gap and without a repeat.

mod bootstrap;
mod cursor;
mod feed;
mod pass;
mod tailer;

pub use cursor::Cursor;
pub use tailer::{Change, ChangeOp, TailOptions, TailStart, Tailer};

#[cfg(all(test, feature = "write"))]
mod tests;
