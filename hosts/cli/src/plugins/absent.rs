//! What a build without plugins says to them.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use isledb::maintain::CompactionFilter;
use isledb::read::Entry;

use crate::exit::{Code, Failure, Outcome};

fn without<T>(path: &Path) -> Outcome<T> {
    let message = format!("{}: this build of the command runs no plugins", path.display());
    Err(Failure::new(Code::Usage, "invalid_argument", message)
        .advise("build isledb-cli with --features plugins"))
}

pub(crate) fn compaction_filter(path: &Path) -> Outcome<Arc<dyn CompactionFilter>> {
    without(path)
}

/// There is none in this build.
pub(crate) struct Transform(Infallible);

impl Transform {
    pub(crate) fn load(path: &Path) -> Outcome<Transform> {
        without(path)
    }

    pub(crate) fn apply(&self, _: Vec<Option<Entry>>) -> Outcome<Vec<Option<Entry>>> {
        match self.0 {}
    }
}

/// There is none in this build.
pub(crate) struct Formatter(Infallible);

impl Formatter {
    pub(crate) fn load(path: &Path) -> Outcome<Formatter> {
        without(path)
    }

    pub(crate) fn keys(&self, _: &[&[u8]]) -> Outcome<Vec<Option<String>>> {
        match self.0 {}
    }

    pub(crate) fn values(&self, _: &[Entry]) -> Outcome<Vec<Option<String>>> {
        match self.0 {}
    }
}
