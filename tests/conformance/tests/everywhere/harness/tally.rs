//! How many cases pass on each store, for the table that the README shows.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

/// Counts by store, in the order of their first case.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Vec<Count>>>);

struct Count {
    store: &'static str,
    passed: u64,
    of: u64,
}

impl Tally {
    /// Counts a case that will run on `store`; what is returned is called when it has passed.
    pub(crate) fn case_of(&self, store: &'static str) -> impl FnOnce() + Send + use<> {
        self.count(store, |count| count.of += 1);
        let tally = self.clone();
        move || tally.count(store, |count| count.passed += 1)
    }

    fn count(&self, store: &'static str, change: impl FnOnce(&mut Count)) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = counts.iter().position(|count| count.store == store).unwrap_or_else(|| {
            counts.push(Count { store, passed: 0, of: 0 });
            counts.len() - 1
        });
        change(&mut counts[at]);
    }

    /// Writes `conformance/<host>.json` beside what was built.
    pub(crate) fn write(&self, host: &str) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = counts
            .iter()
            .map(|count| json!({"host": host, "place": count.store, "passed": count.passed, "of": count.of}))
            .collect();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../conformance");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{host}.json")), serde_json::to_vec_pretty(&lines).unwrap())
            .unwrap();
    }
}
