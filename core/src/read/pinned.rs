//! One consistent state of the database, as all readers of it share it.

use std::sync::Arc;

use super::tables::Tables;
use crate::error::{Error, Result};
use crate::format::layout::Layout;
use crate::host::Host;
use crate::manifest::ManifestView;

/// A state, its tables made ready, and since when it is known. Replaced whole, never changed.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) manifest: ManifestView,
    pub(crate) tables: Arc<Tables>,
}

impl Pinned {
    pub(crate) fn new(manifest: ManifestView, layout: &Layout) -> Pinned {
        Pinned { tables: Arc::new(Tables::new(manifest.state(), layout)), manifest }
    }

    /// The same tables, known to be current since later.
    pub(crate) fn renewed(&self, manifest: ManifestView) -> Pinned {
        Pinned { manifest, tables: self.tables.clone() }
    }

    /// True where it is to be preferred to `other`: read later, or of a longer history.
    pub(crate) fn is_newer_than(&self, other: &Pinned, host: &dyn Host) -> bool {
        let (age, other_age) = (self.manifest.age_ms(host), other.manifest.age_ms(host));
        let (next, other_next) = (self.manifest.current.next_seq, other.manifest.current.next_seq);
        age < other_age || (age == other_age && next >= other_next)
    }

    /// True where it is older than the database allows: objects that it names may be gone.
    pub(crate) fn is_overaged(&self, host: &dyn Host) -> bool {
        self.manifest.age_ms(host) > self.manifest.max_age_ms()
    }

    /// `ViewExpired` where it is older than the database allows.
    pub(crate) fn check_age(&self, host: &dyn Host) -> Result<()> {
        if self.is_overaged(host) { Err(self.expired(host)) } else { Ok(()) }
    }

    /// The error of a view that can no longer be read.
    pub(crate) fn expired(&self, host: &dyn Host) -> Error {
        Error::ViewExpired { age_ms: self.manifest.age_ms(host), limit_ms: self.manifest.max_age_ms() }
    }
}
