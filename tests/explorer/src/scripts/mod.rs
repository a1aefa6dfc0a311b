//! What the actors do: the engine's own calls, in the order in which a process would make them.

pub(crate) mod blobs;
pub(crate) mod maintain;
pub(crate) mod original;
pub(crate) mod read;
pub(crate) mod side;
pub(crate) mod tail;
pub(crate) mod write;
