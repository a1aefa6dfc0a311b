//! The stores of this machine, opened as a user opens them: by URL, with credentials from the environment.

use std::sync::Arc;

use isledb::{DiskCache, DiskCacheOptions, StoreOptions, open_store};
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_test_servers::{Kind, NoServer, Server, tool};

/// A store that the cases run on.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    at: At,
}

enum At {
    /// Memory, in small pages, so that lists have several.
    Memory,
    Folder,
    /// A folder, read through a disk cache of the smallest size and chunk.
    Cached,
    /// A server by its script. Where `instead_of` can be had, it is not needed.
    Server {
        kind: Kind,
        instead_of: Option<&'static str>,
        required: bool,
    },
}

/// What there is to run on.
pub(crate) const STORES: &[Store] = &[
    Store { name: "memory", at: At::Memory },
    Store { name: "file", at: At::Folder },
    Store { name: "cached", at: At::Cached },
    Store { name: "versitygw", at: At::Server { kind: Kind::Versitygw, instead_of: None, required: true } },
    Store {
        name: "ministack",
        at: At::Server { kind: Kind::Ministack, instead_of: Some("versitygw"), required: false },
    },
    Store { name: "azurite", at: At::Server { kind: Kind::Azurite, instead_of: None, required: true } },
    Store { name: "gcs", at: At::Server { kind: Kind::Gcs, instead_of: None, required: true } },
];

/// What a store needs to be there: kept until the last case is done.
pub(crate) enum Ground {
    Memory,
    Folder(tempfile::TempDir),
    Cached(tempfile::TempDir),
    Server(Server),
}

impl Store {
    /// Its absence is a failure where nothing may be skipped.
    pub(crate) fn required(&self) -> bool {
        !matches!(self.at, At::Server { required: false, .. })
    }

    /// Starts what it needs.
    pub(crate) fn start(&self) -> Result<Ground, NoServer> {
        match self.at {
            At::Memory => Ok(Ground::Memory),
            At::Folder => {
                tempfile::tempdir().map(Ground::Folder).map_err(|error| NoServer::Failed(error.to_string()))
            }
            At::Cached => {
                tempfile::tempdir().map(Ground::Cached).map_err(|error| NoServer::Failed(error.to_string()))
            }
            At::Server { instead_of: Some(better), .. } if tool(better).is_ok() => {
                Err(NoServer::Cannot(format!("not needed: {better} is here")))
            }
            At::Server { kind, .. } => Server::start(kind).map(Ground::Server),
        }
    }
}

impl Ground {
    /// Opens the store; the cases go below the prefix. A server's variables must be in the environment.
    pub(crate) fn open(&self) -> isledb_core::Result<(Arc<dyn ObjectStore>, String)> {
        let url = match self {
            Ground::Memory => {
                let store = MemoryStore::new(Arc::new(isledb::TokioHost::new()));
                return Ok((Arc::new(store.with_page_size(100)), "cases".to_owned()));
            }
            Ground::Folder(folder) => format!("{}/cases", folder.path().display()),
            Ground::Cached(folder) => format!("{}/store/cases", folder.path().display()),
            Ground::Server(server) => format!("{}/some/cases", server.variable("URL")),
        };
        // The servers are on this machine: nobody is on the way.
        let options = StoreOptions { allow_http: true, ..StoreOptions::default() };
        let opened = open_store(&url, &options)?;
        match (self, &opened.address) {
            (Ground::Cached(folder), Some(address)) => {
                let directory = folder.path().join("cache");
                let cache = DiskCacheOptions { max_bytes: 2 << 20, chunk_bytes: 4 << 10, directory };
                Ok((Arc::new(DiskCache::open(&cache)?.over(opened.store, address)), opened.prefix))
            }
            _ => Ok((opened.store, opened.prefix)),
        }
    }

    pub(crate) fn server(&self) -> Option<&Server> {
        match self {
            Ground::Server(server) => Some(server),
            _ => None,
        }
    }
}
