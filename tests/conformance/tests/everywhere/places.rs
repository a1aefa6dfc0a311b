//! The stores of this machine.

use std::sync::Arc;

use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_test_servers::{NoServer, Server};

use crate::host::ProcessHost;

/// A store of this machine, once it is there.
pub(crate) struct Opened {
    store: Arc<dyn ObjectStore>,
    server: Option<Server>,
}

impl Opened {
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// The server's log, empty where there is no server.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(Server::log).unwrap_or_default()
    }
}

/// A store that the cases run on.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    /// Its absence is a failure where nothing may be skipped.
    pub(crate) required: bool,
    pub(crate) open: fn() -> Result<Opened, NoServer>,
}

pub(crate) const STORES: &[Store] = &[Store { name: "memory", required: true, open: memory }];

fn memory() -> Result<Opened, NoServer> {
    Ok(Opened { store: Arc::new(MemoryStore::new(Arc::new(ProcessHost))), server: None })
}
