//! Ledgers for tests: on SQLite, and on PostgreSQL where there is one.

use sqlx::{AnyConnection, Connection, any::install_default_drivers};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use super::Ledger;

/// Address of a PostgreSQL server on which tests may make databases; `tests/run.sh` starts one and sets it.
const SERVER: &str = "TEST_POSTGRES";

/// Run a test on a ledger of each kind. What the test leaves behind is removed.
pub(crate) async fn on_each(test: impl AsyncFn(Ledger)) {
    let dir = TempDir::new().unwrap();
    let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
    test(ledger.clone()).await;
    ledger.close().await;
    if let Ok(server) = std::env::var(SERVER) {
        let database = Database::make(&server).await;
        let ledger = Ledger::connect(&database.url).await.unwrap();
        test(ledger.clone()).await;
        ledger.close().await;
        database.drop_it().await;
    }
}

struct Database {
    server: String,
    name: String,
    url: Url,
}

impl Database {
    async fn make(server: &str) -> Self {
        let name = format!("shuqiao_{}", Uuid::new_v4().simple());
        let mut url: Url = server.parse().unwrap();
        url.set_path(&name);
        let database = Self { server: server.to_owned(), name, url };
        database.tell(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    async fn drop_it(self) {
        self.tell(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    async fn tell(&self, statement: &str) {
        install_default_drivers();
        let mut connection = AnyConnection::connect(&self.server).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
