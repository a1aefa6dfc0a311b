//! The environment, as a value.

use std::collections::BTreeMap;

/// Environment variables that are UTF-8.
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn of_process() -> Variables {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Variables(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Variables {
        Variables(variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// True for `true` and `1`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// Those that begin with `prefix` and are a setting of `K`, as `object_store` names them.
    pub(super) fn settings<K: std::str::FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &str)> {
        let ours = self.0.iter().filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        ours.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
    }
}
