//! The ledger: what must be transactional. Registered clients today; agreements, applications and jobs as they come.
//!
//! Floor 1: may use `identifiers`, `problem` and `catalog` types. SQLite inside; one file of queries per concern. What
//! a method has returned is on the disk (`synchronous = FULL`). The schema grows by `migrations/sqlite/*.sql`; a ledger
//! that a newer version of the program has written is left alone.

mod agreement;
mod assertions;
mod clients;

use std::{path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use agreement::{Agreement, Budget};
pub use clients::{Client, ClientKeys, ClientStatus, Registration};

use crate::{identifiers::ClientId, problem::Code};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process that is writing.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Connections at once. Writers take turns in SQLite anyway; readers are few.
const CONNECTIONS_MAX: u32 = 4;
/// Two processes that make the same new ledger at the same moment get in each other's way; the loser looks again.
const OPEN_TRIES: u32 = 3;

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger `{path}` could not be opened")]
    Unopenable {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the ledger `{path}` has schema {found}, this program knows up to {known}. \
         Run the newer version of the program that wrote it"
    )]
    SchemaNewer { path: String, found: i64, known: i64 },
    #[error(
        "the ledger `{path}` was not made by this program: its schema {version} differs. \
         Name another file, or restore the ledger from a backup"
    )]
    SchemaForeign { path: String, version: i64 },
    #[error("the ledger could not {action}")]
    Failed {
        /// What was tried, as a verb: `list the clients`.
        action: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the ledger holds a client that cannot be read: {reason}")]
    Damaged { reason: String },
    #[error("client `{client}` is registered already. Replace its keys, or choose another name")]
    ClientExists { client: ClientId },
    #[error("client `{client}` is not registered")]
    ClientUnknown { client: ClientId },
    #[error("the name of a client has 1 to {chars_max} characters, none of them control characters")]
    ClientName { chars_max: usize },
    #[error(
        "key {position} holds private key material (`{member}`). Register the public half only, and replace this key"
    )]
    PrivateKey { position: usize, member: &'static str },
    #[error("not a JWK set of public keys: {reason}")]
    NotAKeySet { reason: String },
}

impl LedgerError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unopenable { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaForeign { .. }
            | Self::Failed { .. }
            | Self::Damaged { .. } => Code::StorageFailed,
            Self::ClientExists { .. }
            | Self::ClientUnknown { .. }
            | Self::ClientName { .. }
            | Self::PrivateKey { .. }
            | Self::NotAKeySet { .. } => Code::InvalidValue,
        }
    }

    fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Failed { action, source }
    }

    fn unopenable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unopenable { path: path.display().to_string(), source: source.into() }
    }
}

/// An open ledger. Cloning it is cheap and gives the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: SqlitePool,
}

impl Ledger {
    /// Open the ledger in that file, make it where there is none, and bring its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| LedgerError::unopenable(path, error))?;
        }
        let mut tries = 1;
        loop {
            match Self::open_once(path).await {
                Err(LedgerError::Unopenable { .. }) if tries < OPEN_TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn open_once(path: &Path) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_WAIT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .connect_with(options)
            .await
            .map_err(|error| LedgerError::unopenable(path, error))?;
        if let Err(error) = MIGRATIONS.run(&pool).await {
            pool.close().await;
            return Err(migration_failed(path, error));
        }
        Ok(Self { pool })
    }

    /// Finish what is under way and close the file. Dropping the last clone does the same, only later.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn migration_failed(path: &Path, error: MigrateError) -> LedgerError {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    let path_text = || path.display().to_string();
    match error {
        MigrateError::VersionMissing(found) if found > known => {
            LedgerError::SchemaNewer { path: path_text(), found, known }
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            LedgerError::SchemaForeign { path: path_text(), version }
        }
        other => LedgerError::unopenable(path, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(ledger: &Ledger, statement: &'static str) -> String {
        let row: (String,) = sqlx::query_as(statement).fetch_one(&ledger.pool).await.unwrap();
        row.0
    }

    #[tokio::test]
    async fn a_ledger_is_opened_durable_and_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/ledger.sqlite");
        let ledger = Ledger::open(&path).await.unwrap();
        assert_eq!(pragma(&ledger, "SELECT journal_mode FROM pragma_journal_mode").await, "wal");
        assert_eq!(pragma(&ledger, "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await, "2");
        assert_eq!(pragma(&ledger, "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys").await, "1");
        ledger.close().await;
        Ledger::open(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_newer_schema_is_left_alone_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9000, 'from the future', TRUE, x'00', 0)",
        )
        .execute(&ledger.pool)
        .await
        .unwrap();
        ledger.close().await;
        let error = Ledger::open(&path).await.unwrap_err();
        assert!(matches!(error, LedgerError::SchemaNewer { found: 9000, .. }), "{error:?}");
        assert!(error.to_string().contains("newer version of the program"), "{error}");
    }

    #[tokio::test]
    async fn another_schema_and_another_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let ledger = Ledger::open(&path).await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'").execute(&ledger.pool).await.unwrap();
        ledger.close().await;
        assert!(matches!(Ledger::open(&path).await, Err(LedgerError::SchemaForeign { version: 1, .. })));

        let stranger = dir.path().join("notes.txt");
        std::fs::write(&stranger, "these are notes, not a database, and they stay as they are\n".repeat(40)).unwrap();
        assert!(matches!(Ledger::open(&stranger).await, Err(LedgerError::Unopenable { .. })));
        assert!(std::fs::read_to_string(&stranger).unwrap().starts_with("these are notes"));
    }

    #[tokio::test]
    async fn two_first_starts_at_once_both_succeed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let (one, two) = tokio::join!(Ledger::open(&path), Ledger::open(&path));
        one.unwrap();
        two.unwrap();
    }

    /// The compiler does not see that a file was added beside the others; this test does.
    #[test]
    fn every_migration_file_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let files = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(MIGRATIONS.iter().count(), files, "touch src/ledger.rs so that {} is read again", folder.display());
    }
}
