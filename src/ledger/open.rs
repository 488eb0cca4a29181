//! Opening a ledger, and bringing its schema up to date.

use std::{path::Path, time::Duration};

use sqlx::{
    AnyPool, Executor,
    any::{AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
};
use url::Url;

use super::{Kind, Ledger, LedgerError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections at once. Writers take turns anyway; readers are few.
const CONNECTIONS_MAX: u32 = 4;
/// How long somebody waits for a connection before the store counts as away.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// A store that does not open is looked at again, this often in all.
const OPEN_TRIES: u32 = 3;
/// Two processes that make the same new ledger at the same moment get in each other's way; the loser looks again. Each time
/// the other is at least one migration further.
const MIGRATE_TRIES: u32 = 32;
/// `wal`: readers do not wait for a writer. `FULL`: what is committed is on the disk.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA foreign_keys = ON;";

impl Ledger {
    /// Open the ledger in that file, make it where there is none, and bring its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let shown = path.display().to_string();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| LedgerError::unopenable(&shown, error))?;
        }
        let absolute = std::path::absolute(path).map_err(|error| LedgerError::unopenable(&shown, error))?;
        let url = Url::from_file_path(absolute).map_err(|()| LedgerError::unopenable(&shown, "not a path"))?;
        let address = format!("sqlite://{}?mode=rwc", url.path());
        Self::open_at(&address, &shown, Kind::Sqlite).await
    }

    /// Open the ledger in a PostgreSQL database, `postgres://user@host/database`; a password comes from the variables and
    /// files of libpq.
    pub async fn connect(url: &Url) -> Result<Self, LedgerError> {
        Self::open_at(url.as_str(), &shown(url), Kind::Postgres).await
    }

    async fn open_at(address: &str, shown: &str, kind: Kind) -> Result<Self, LedgerError> {
        install_default_drivers();
        let mut tries = 1;
        loop {
            match Self::open_once(address, shown, kind).await {
                Err(LedgerError::Unopenable { source, .. }) if tries < tries_max(source.as_ref()) => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn open_once(address: &str, shown: &str, kind: Kind) -> Result<Self, LedgerError> {
        let mut options = AnyPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(CONNECTION_WAIT);
        if kind == Kind::Sqlite {
            options = options
                .after_connect(|connection, _| Box::pin(async move { connection.execute(PRAGMAS).await.map(|_| ()) }));
        }
        let pool = options.connect(address).await.map_err(|error| LedgerError::unopenable(shown, error))?;
        migrate(pool, shown, kind).await
    }
}

fn tries_max(source: &(dyn std::error::Error + Send + Sync + 'static)) -> u32 {
    if source.is::<MigrateError>() { MIGRATE_TRIES } else { OPEN_TRIES }
}

async fn migrate(pool: AnyPool, shown: &str, kind: Kind) -> Result<Ledger, LedgerError> {
    let migrations = match kind {
        Kind::Sqlite => &SQLITE,
        Kind::Postgres => &POSTGRES,
    };
    if let Err(error) = migrations.run(&pool).await {
        pool.close().await;
        return Err(migration_failed(shown, migrations, error));
    }
    Ok(Ledger { pool, kind })
}

fn migration_failed(shown: &str, migrations: &Migrator, error: MigrateError) -> LedgerError {
    let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
    let place = || shown.to_owned();
    match error {
        MigrateError::VersionMissing(found) if found > known => {
            LedgerError::SchemaNewer { place: place(), found, known }
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            LedgerError::SchemaForeign { place: place(), version }
        }
        other => LedgerError::unopenable(shown, other),
    }
}

/// An address without what is nobody's business.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails for addresses without a host only, which have no password.
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
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
    fn every_migration_file_is_compiled_in_for_both_databases() {
        for (migrations, folder) in [(&SQLITE, "migrations/sqlite"), (&POSTGRES, "migrations/postgres")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let files = std::fs::read_dir(&folder).unwrap().count();
            assert_eq!(
                migrations.iter().count(),
                files,
                "touch src/ledger/open.rs so that {} is read again",
                folder.display()
            );
        }
        let names = |migrations: &Migrator| {
            migrations.iter().map(|one| (one.version, one.description.clone())).collect::<Vec<_>>()
        };
        assert_eq!(names(&SQLITE), names(&POSTGRES));
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = shown(&"postgres://node:hunter2@db.example/ledger".parse().unwrap());
        assert_eq!(shown, "postgres://node:***@db.example/ledger");
    }
}
