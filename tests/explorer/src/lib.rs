//! Explores every schedule and every fault of small histories of the engine, state by state.
//!
//! There is no model of the protocol here. The engine has no clock, no threads, no randomness and no I/O of its own, so what a
//! process does next is a function of the answers that it got. A *history* is such a sequence of answers; the engine is run
//! once for each history (`actor`), and what it asks for next is remembered. A *state* is a bucket with one history for each
//! process (`state`), a *step* serves one request in one of the ways in which a store may serve it, lets a process die, lets a
//! delayed write land, or lets time pass (`step`); the states are searched breadth first (`search`). So some hundred
//! thousand states a second are compared, though every one of them was made by the code that users run. What must never happen
//! is judged from the bucket alone, without the engine (`watch`).
//!
//! An actor that stands between two calls, or drops a call that pauses, says what the rest of its life depends on: histories that
//! agree in that are one. This is what makes an unbounded number of faults finite.

#![deny(unsafe_code)]

mod actor;
mod bucket;
mod config;
mod configs;
mod desk;
mod fact;
mod names;
mod scripts;
mod search;
mod state;
mod step;
mod watch;

pub use bucket::Bug;
pub use config::{Config, UNBOUNDED};
pub use configs::all;
pub use search::{Found, Limits, Report, explore};
