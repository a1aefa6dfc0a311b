//! What to do: pure functions of state, policy and time. Drivers do the requests.

mod chains;
pub mod debt;
pub mod merge;
mod moves;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "merges that read come next")]
pub(crate) use chains::chains;
