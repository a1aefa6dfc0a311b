//! A SQLite file as the place of the manifest, and of the marks of garbage collection, while tables and blobs lie in an object
//! store: for stores that do not decide conditional puts, and for machines that keep the small documents near.
//!
//! Every process of the database has to reach the same file, so all of them run on one machine. SQLite locks it between them and
//! keeps it whole over crashes; who loses the file loses the database.

mod documents;
mod manifest;
mod marks;

pub use documents::SqliteFile;
pub use manifest::SqliteManifest;
pub use marks::SqliteMarks;
