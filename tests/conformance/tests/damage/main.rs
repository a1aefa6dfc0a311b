//! Damage and hostile surroundings: whatever a bucket holds, the answer is the right one or an error that names the object.
//! Never a wrong answer, a panic or a hang.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod bucket;
mod original;
mod ours;
mod takeover;
