//! The change feed: every committed write, in the order of its commit.
//!
//! The log is the feed: slots are the order of commits, and the table that a flush brought has every version of every key with
//! its sequence number. A [`Tailer`] follows them from a [`Cursor`]: `feed` says which slots count and how far back they
//! reach, `slots` goes from one to the next, `pass` puts the entries of one table in the order of their sequence numbers within
//! a bound of memory, and `bootstrap` gives a new consumer the present state first, without a gap and without a repeat.
//! `pace` says when to look for more.

mod bootstrap;
mod change;
mod cursor;
pub(crate) mod feed;
mod gathered;
mod options;
mod pace;
mod pass;
mod slots;
mod tailer;

pub use change::{Change, ChangeOp};
pub use cursor::Cursor;
pub use options::{TailOptions, TailStart};
pub use tailer::Tailer;

#[cfg(all(test, feature = "write"))]
mod tests;
