//! Named documents in a SQLite file, each with the number of the write that made it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use isledb_core::host::Version;
use isledb_core::{Error, Result};
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use crate::file::blocking;

/// How long a write waits for those of other processes.
const BUSY: Duration = Duration::from_secs(10);

/// Numbers only grow over the whole file: a version never comes back, and of two documents it can be told which is older.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS documents (
        name TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        written INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS writes (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        count INTEGER NOT NULL
    ) STRICT;
    INSERT OR IGNORE INTO writes VALUES (1, 0);
";

/// An open SQLite file with documents of any number of databases. Clones share the connection; every call runs on a thread for
/// blocking work.
#[derive(Clone)]
pub struct SqliteFile {
    path: Arc<str>,
    connection: Arc<Mutex<Connection>>,
}

/// On what condition a document is written.
pub(super) enum When {
    Always,
    Absent,
    Has(Version),
}

impl SqliteFile {
    /// Opens the file, or makes it. A write returns when it is on the disk.
    ///
    /// Errors: `Permission`; `Corrupt` for a file that is something else; `Unavailable`.
    pub fn open(path: &Path) -> Result<SqliteFile> {
        let name: Arc<str> = path.display().to_string().into();
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| translate(&name, &error))?;
        Ok(SqliteFile { path: name, connection: Arc::new(Mutex::new(connection)) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.clone();
        blocking::run(move || {
            // A poisoned lock means a panic within a transaction, which SQLite has rolled back.
            let mut connection = file.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| translate(&file.path, &error))
        })
        .await
    }

    /// A document; `None` where there is none.
    pub(super) async fn read(&self, name: String) -> Result<Option<(Bytes, Version)>> {
        self.run(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT body, written FROM documents WHERE name = ?1")?;
            let row = |row: &rusqlite::Row<'_>| {
                let body: Vec<u8> = row.get(0)?;
                Ok((Bytes::from(body), version(row.get(1)?)))
            };
            select.query_row([name], row).optional()
        })
        .await
    }

    /// Writes a document. Errors: `Precondition`.
    pub(super) async fn write(&self, name: String, body: Bytes, when: When) -> Result<Version> {
        let object = name.clone();
        let written = self
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let present: Option<i64> = transaction
                    .query_row("SELECT written FROM documents WHERE name = ?1", [&name], |row| row.get(0))
                    .optional()?;
                let holds = match &when {
                    When::Always => true,
                    When::Absent => present.is_none(),
                    When::Has(expected) => present.map(version).as_ref() == Some(expected),
                };
                if !holds {
                    return Ok(None);
                }
                let next = "UPDATE writes SET count = count + 1 RETURNING count";
                let number: i64 = transaction.query_row(next, [], |row| row.get(0))?;
                transaction.execute(
                    "INSERT OR REPLACE INTO documents VALUES (?1, ?2, ?3)",
                    params![name, body.as_ref(), number],
                )?;
                transaction.commit()?;
                Ok(Some(version(number)))
            })
            .await?;
        written.ok_or(Error::Precondition { object })
    }

    /// The names that begin with `prefix` and lie behind `after`, ascending, at most `limit`; of those written before the
    /// document `before`, where one is named.
    pub(super) async fn names(
        &self,
        prefix: String,
        after: String,
        before: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>> {
        self.run(move |connection| {
            let mut select = connection.prepare_cached(
                "SELECT name FROM documents
                 WHERE name > ?1 AND name >= ?2 AND substr(name, 1, length(?2)) = ?2
                   AND (?3 IS NULL OR written < (SELECT written FROM documents WHERE name = ?3))
                 ORDER BY name LIMIT ?4",
            )?;
            let names = select.query_map(params![after, prefix, before, limit], |row| row.get(0))?;
            names.collect()
        })
        .await
    }

    /// Deletes documents; missing ones are a success.
    pub(super) async fn delete(&self, names: Vec<String>) -> Result<()> {
        self.run(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for name in names {
                transaction.execute("DELETE FROM documents WHERE name = ?1", [name])?;
            }
            transaction.commit()
        })
        .await
    }
}

fn version(number: i64) -> Version {
    Version::new(number.to_string())
}

fn translate(path: &str, error: &rusqlite::Error) -> Error {
    let object = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt {
            object,
            offset: None,
            expected: "a SQLite file of documents".to_owned(),
            found: error.to_string(),
        },
        Some(
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::AuthorizationForStatementDenied,
        ) => Error::Permission { object, message: error.to_string() },
        _ => Error::Unavailable { object, message: error.to_string() },
    }
}
