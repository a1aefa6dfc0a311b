//! Executing a merge: many tables in, one sorted run out, without holding more than a little of either.
//!
//! `feed` fetches the blocks of tables that do not overlap, one stretch after the other; an `input` is the sorted entries of one
//! feed. The k-way merge of the readers shows the newest version of each key; `below` says which deletes still hide something,
//! `judge` asks the user's filter. What stays goes to an `output`, which uploads the table while it is built. `work` drives it all,
//! and between two awaits everything is synchronous.

mod below;
mod feed;
mod input;
mod judge;
mod leftovers;
mod output;
mod pace;
mod renew;
mod work;

pub(super) use leftovers::Leftovers;
pub(super) use work::{Made, Surroundings, execute};
