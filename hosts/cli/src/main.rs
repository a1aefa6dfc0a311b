//! The `isledb` command.
fn main() {}
