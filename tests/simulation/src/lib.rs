//! A deterministic simulated host for the engine: seeded, single-threaded, with a virtual clock.
//!
//! The engine runs unchanged over [`host::SimHost`] and [`store::SimStore`]. One seed decides everything: which task runs
//! next, how long a request takes, which answers are lost, which writes land minutes late, when a process dies. The same
//! seed gives the same run, down to the hash of its [`trace::Trace`].

#![deny(unsafe_code)]

pub mod executor;
pub mod host;
pub mod oracle;
pub mod replay;
pub mod rng;
pub mod scenario;
pub mod store;
pub mod sweep;
pub mod trace;
