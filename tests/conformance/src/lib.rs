//! What every object store and every host must do, as lists of cases.
//!
//! The text on [`isledb_core::host::ObjectStore`] is the contract; [`store::CASES`] is that text, sentence by sentence. A host
//! brings a [`Place`] for each case and runs the list on whatever executor it has. [`engine::CASES`] is what a database must
//! do on a store that keeps that contract, and [`documents`] what a place of its manifest must do. A case that fails panics and says what it expected.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by a panic")]

pub mod documents;
pub mod engine;
mod instant;
mod place;
pub mod store;

pub use instant::InstantHost;
pub use place::{Case, Need, Place, Spawn};

/// The lists that every host runs, by name.
pub const LISTS: &[(&str, &[Case])] = &[("store", store::CASES), ("engine", engine::CASES)];

/// The case of the name `list::case`.
pub fn case_named(name: &str) -> Option<&'static Case> {
    let (list, name) = name.split_once("::")?;
    let (_, cases) = LISTS.iter().find(|(known, _)| *known == list)?;
    cases.iter().find(|case| case.name == name)
}
