//! What to do: pure functions of state, policy and time. Drivers do the requests.

mod chains;
pub mod debt;
pub mod merge;
mod moves;
#[cfg(test)]
mod tests;

pub(crate) use chains::chains;
