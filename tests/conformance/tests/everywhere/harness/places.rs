//! The stores of this machine, opened as a user opens them: by URL, with credentials from the environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use isledb::{DiskCache, DiskCacheOptions, StoreOptions, open_store};
use isledb_conformance::Case;
use isledb_core::host::{MemoryStore, ObjectStore};
use isledb_test_servers::{BUCKET, Gateway, Kind, NoServer, Server, tool};

use super::named::Named;

/// A store that the cases run on.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    at: At,
}

enum At {
    /// Memory, in small pages, so that lists have several.
    Memory,
    Folder,
    /// Memory, by gets and puts alone.
    Named,
    /// A folder, read through a disk cache of the smallest size and chunk.
    Cached,
    /// A server in this process.
    Gateway,
    /// A server by its script, and when.
    Server(Kind, Needed),
}

/// When a server is needed.
#[derive(Clone, Copy)]
enum Needed {
    /// Where nothing may be skipped.
    Always,
    /// Where this other one cannot be had.
    Without(&'static str),
    /// By whoever names it, in the filter of the tests or in `ISLEDB_TEST_STORES`: it takes minutes to install.
    ByName,
}

/// Stores that are wanted beside the usual ones, by their names.
const WANTED: &str = "ISLEDB_TEST_STORES";

/// What there is to run on.
pub(crate) const STORES: &[Store] = &[
    Store { name: "memory", at: At::Memory },
    Store { name: "named", at: At::Named },
    Store { name: "file", at: At::Folder },
    Store { name: "cached", at: At::Cached },
    Store { name: "gateway", at: At::Gateway },
    Store { name: "versitygw", at: At::Server(Kind::Versitygw, Needed::Always) },
    Store { name: "ministack", at: At::Server(Kind::Ministack, Needed::Without("versitygw")) },
    Store { name: "minio", at: At::Server(Kind::Minio, Needed::ByName) },
    Store { name: "ceph", at: At::Server(Kind::Ceph, Needed::ByName) },
    Store { name: "azurite", at: At::Server(Kind::Azurite, Needed::Always) },
    Store { name: "gcs", at: At::Server(Kind::Gcs, Needed::Always) },
];

/// What a store needs to be there: kept until the last case is done.
pub(crate) enum Ground {
    Memory,
    Named,
    Folder(tempfile::TempDir),
    Cached(tempfile::TempDir),
    Gateway(Gateway),
    Server(Server),
}

impl Store {
    /// Its absence is a failure where nothing may be skipped.
    pub(crate) fn required(&self) -> bool {
        matches!(self.at, At::Server(_, Needed::Always))
    }

    /// True unless it has to be named, and is not.
    pub(crate) fn is_wanted(&self, filter: Option<&str>) -> bool {
        if !matches!(self.at, At::Server(_, Needed::ByName)) {
            return true;
        }
        let variable = std::env::var(WANTED).unwrap_or_default();
        let named = variable.split([',', ' ']).chain(filter.unwrap_or_default().split("::"));
        named.into_iter().any(|name| name == self.name)
    }

    /// Starts what it needs.
    pub(crate) fn start(&self) -> Result<Ground, NoServer> {
        match self.at {
            At::Memory => Ok(Ground::Memory),
            At::Named => Ok(Ground::Named),
            At::Folder => {
                tempfile::tempdir().map(Ground::Folder).map_err(|error| NoServer::Failed(error.to_string()))
            }
            At::Cached => {
                tempfile::tempdir().map(Ground::Cached).map_err(|error| NoServer::Failed(error.to_string()))
            }
            At::Gateway => {
                Gateway::start().map(Ground::Gateway).map_err(|error| NoServer::Failed(error.to_string()))
            }
            At::Server(_, Needed::Without(better)) if tool(better).is_ok() => {
                Err(NoServer::Cannot(format!("not needed: {better} is here")))
            }
            At::Server(kind, _) => Server::start(kind).map(Ground::Server),
        }
    }
}

impl Ground {
    /// True if it has all that the case needs.
    pub(crate) fn serves(&self, case: &Case) -> bool {
        !matches!(self, Ground::Named) || case.needs.is_empty()
    }

    /// Opens the store; the cases go below the prefix. A server's variables must be in the environment.
    pub(crate) fn open(&self) -> isledb_core::Result<(Arc<dyn ObjectStore>, String)> {
        let url = match self {
            Ground::Named => {
                let store = Named(MemoryStore::new(Arc::new(isledb::TokioHost::new())));
                return Ok((Arc::new(store), "cases".to_owned()));
            }
            Ground::Memory => {
                let store = MemoryStore::new(Arc::new(isledb::TokioHost::new()));
                return Ok((Arc::new(store.with_page_size(100)), "cases".to_owned()));
            }
            Ground::Folder(folder) => format!("{}/cases", folder.path().display()),
            Ground::Cached(folder) => format!("{}/store/cases", folder.path().display()),
            Ground::Gateway(_) => format!("s3://{BUCKET}/some/cases"),
            Ground::Server(server) => format!("{}/some/cases", server.variable("URL")),
        };
        // Several speak S3, all with the same keys, so that only the address tells them apart.
        let endpoint = match self {
            Ground::Gateway(gateway) => Some(gateway.endpoint()),
            Ground::Server(server) => server.variables().get("AWS_ENDPOINT").cloned(),
            _ => None,
        };
        // The servers are on this machine: nobody is on the way.
        let options = StoreOptions { endpoint, allow_http: true, ..StoreOptions::default() };
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

    /// What must be in the environment before [`Ground::open`].
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        match self {
            Ground::Gateway(gateway) => gateway.variables(),
            Ground::Server(server) => server.variables().clone(),
            _ => BTreeMap::new(),
        }
    }

    pub(crate) fn server(&self) -> Option<&Server> {
        match self {
            Ground::Server(server) => Some(server),
            _ => None,
        }
    }
}
