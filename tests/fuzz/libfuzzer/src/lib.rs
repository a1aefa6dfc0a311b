//! Hands what libFuzzer makes up to a target of `isledb_fuzz`.

pub use isledb_fuzz;
pub use libfuzzer_sys;

/// A binary that fuzzes the target of this name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            static TARGET: std::sync::LazyLock<&$crate::isledb_fuzz::Target> =
                std::sync::LazyLock::new(|| $crate::isledb_fuzz::target($name).expect("a target of this name"));
            (TARGET.run)(input);
        });
    };
}
