//! The native host: placeholder-free once its modules land.
