//! What a place for the manifest, and one for the marks of garbage collection, must do.

mod manifest;
mod marks;

pub use manifest::keeps_a_manifest;
pub use marks::keeps_marks;
