//! The databases that are served, and the only names that can be asked for.

use std::sync::Arc;
use std::time::Duration;

use isledb::format::layout::{Layout, ObjectKind};
use isledb::host::ObjectStore;
use isledb::{PresignedMethod, Presigner};

use super::link::Links;
use super::refusal::Refusal;
use crate::connection::Connection;
use crate::exit::{Failure, Outcome};

/// One database.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    /// Its place in the list, which its links carry.
    pub(super) number: usize,
}

/// All of them: the allow-list.
pub(crate) struct Databases(Vec<Database>);

impl Databases {
    /// Errors: usage where one prefix is another or lies below it, since a name could then mean two objects.
    pub(crate) fn new(connections: Vec<Connection>) -> Outcome<Databases> {
        let databases: Vec<Database> = connections
            .into_iter()
            .enumerate()
            .map(|(number, connection)| Database { connection, number })
            .collect();
        for (i, one) in databases.iter().enumerate() {
            for other in databases.iter().skip(i + 1) {
                let (short, long) = (one.layout().prefix(), other.layout().prefix());
                let (short, long) = if short.len() <= long.len() { (short, long) } else { (long, short) };
                let below =
                    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                if below || short.is_empty() {
                    return Err(Failure::usage(format!(
                        "{} and {} have prefixes of which one contains the other",
                        one.connection.url(),
                        other.connection.url()
                    ))
                    .advise("clients name objects by prefix: serve them by two signers"));
                }
            }
        }
        Ok(Databases(databases))
    }

    /// The database of exactly this prefix.
    pub(super) fn of_prefix(&self, prefix: &str) -> Option<&Database> {
        self.0.iter().find(|database| database.layout().prefix() == prefix)
    }

    /// The database that a full name belongs to, and what it names. Nothing but the names that a layout makes has one.
    pub(super) fn of_key(&self, key: &str) -> Option<(&Database, ObjectKind)> {
        self.0.iter().find_map(|database| Some((database, database.layout().kind_of(key)?)))
    }

    /// By number.
    pub(super) fn get(&self, number: usize) -> Option<&Database> {
        self.0.get(number)
    }
}

impl Database {
    pub(super) fn layout(&self) -> &Layout {
        self.connection.layout()
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.connection.requests().store
    }

    /// The store's own signature, where it has one. Else links to this server are given out.
    pub(super) fn presigner(&self) -> Option<&Presigner> {
        self.connection.presigner()
    }

    /// URLs for these keys, in their order, good for `ttl` from `now_ms` on.
    pub(super) async fn urls(
        &self,
        links: &Links,
        public_url: &str,
        method: PresignedMethod,
        keys: &[String],
        now_ms: u64,
        ttl: Duration,
    ) -> Result<Vec<String>, Refusal> {
        if let Some(presigner) = self.presigner() {
            return presigner.urls(method, keys, ttl).await.map_err(|error| Refusal::of(&error));
        }
        let expires_at_ms = now_ms.saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let link =
            |key: &String| format!("{public_url}{}", links.make(method, self.number, key, expires_at_ms));
        Ok(keys.iter().map(link).collect())
    }
}
