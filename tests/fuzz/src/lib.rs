//! What must hold of every decoder, whatever its input: a value or an error that names the object; never a panic, a hang or memory
//! out of proportion.
//!
//! Each [`Target`] is a function of bytes. libFuzzer calls it with what it makes up (the workspace `libfuzzer`, which wants a
//! nightly compiler); the tests of this crate call it on stable with its seeds and with everything that was ever found.
//! `target` has them; `crafted` and `reseal` put right checksums around wrong bytes, so that these get behind the checksums;
//! `reference` decodes row blocks a second time, slowly and plainly, so that not only panics are found but wrong answers too;
//! `fixtures` makes the seeds from the golden files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a target fails by a panic")]

mod archive;
mod crafted;
pub mod fixtures;
mod reference;
mod reseal;
mod stored;
mod target;

pub use target::{TARGETS, Target, target};
