//! What to do: pure functions of state, policy and time. Drivers do the requests.

mod chains;
pub mod debt;
pub mod doomed;
pub mod fifo;
pub mod merge;
mod moves;
pub mod removal;
mod sightings;
pub mod sweep;
#[cfg(test)]
mod tests;
pub mod window;

pub(crate) use chains::chains;
