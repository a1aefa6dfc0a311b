//! See the target of this name in `isledb_fuzz`.
#![no_main]

isledb_libfuzzer::fuzz!("snapshot");
