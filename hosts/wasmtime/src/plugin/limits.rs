//! What a plugin may use: every default, every bound.

use isledb::Error;

const MIB: u64 = 1 << 20;

/// What one call of a plugin may use, and how large a plugin may be. Invalid values are refused when the engine is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of one call in bytes, all memories together. Default 64 MiB; 1 MiB to 4 GiB.
    pub memory_bytes: u64,
    /// Work of one call, about one unit an instruction: the same on every machine, so that what fails here fails
    /// everywhere. Default 1,000,000,000, about a second; 100,000 to 10^13.
    pub fuel: u64,
    /// Bytes that one answer takes in the host's memory. Default 32 MiB; 1 MiB to 1 GiB.
    pub answer_bytes: u64,
    /// Bytes of a plugin's file. Default 8 MiB; 1 KiB to 64 MiB.
    pub file_bytes: u64,
}

impl Default for PluginLimits {
    fn default() -> PluginLimits {
        PluginLimits {
            memory_bytes: 64 * MIB,
            fuel: 1_000_000_000,
            answer_bytes: 32 * MIB,
            file_bytes: 8 * MIB,
        }
    }
}

impl PluginLimits {
    /// Errors: `InvalidArgument` with the first limit out of its bounds.
    pub fn validate(&self) -> isledb::Result<()> {
        let bounds = [
            ("memory_bytes", self.memory_bytes, MIB, 4096 * MIB),
            ("fuel", self.fuel, 100_000, 10_000_000_000_000),
            ("answer_bytes", self.answer_bytes, MIB, 1024 * MIB),
            ("file_bytes", self.file_bytes, 1024, 64 * MIB),
        ];
        for (name, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                let what = format!("{name} of a plugin is {value}, allowed are {least} to {most}");
                return Err(Error::InvalidArgument { what });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_the_documentation_says() {
        let PluginLimits { memory_bytes, fuel, answer_bytes, file_bytes } = PluginLimits::default();
        assert_eq!((memory_bytes, answer_bytes, file_bytes), (64 << 20, 32 << 20, 8 << 20));
        assert_eq!(fuel, 1_000_000_000);
        PluginLimits::default().validate().unwrap();
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Change = fn(&mut PluginLimits);
        let cases: [(&str, Change); 8] = [
            ("memory_bytes", |limits| limits.memory_bytes = MIB - 1),
            ("memory_bytes", |limits| limits.memory_bytes = 4096 * MIB + 1),
            ("fuel", |limits| limits.fuel = 99_999),
            ("fuel", |limits| limits.fuel = u64::MAX),
            ("answer_bytes", |limits| limits.answer_bytes = 0),
            ("answer_bytes", |limits| limits.answer_bytes = 1 << 31),
            ("file_bytes", |limits| limits.file_bytes = 1023),
            ("file_bytes", |limits| limits.file_bytes = u64::MAX),
        ];
        for (name, change) in cases {
            let mut limits = PluginLimits::default();
            change(&mut limits);
            let error = limits.validate().unwrap_err();
            assert!(
                matches!(&error, Error::InvalidArgument { what } if what.starts_with(name)),
                "{name}: {error}"
            );
        }
    }
}
