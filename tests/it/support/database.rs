//! A ledger in PostgreSQL for each node under test, where the suite is run so.

use std::{fs, path::Path};

use tokio_postgres::NoTls;

/// Address of a server on which tests may make databases; `tests/postgres.sh` starts one and sets it.
const SERVER: &str = "TEST_POSTGRES";
/// In a node's folder: the address of its database, so that a restart finds it again.
const FILE: &str = "ledger.address";

/// Make a database for the node in that folder, if its ledger shall be in PostgreSQL. It goes with the server.
pub(crate) async fn make(folder: &Path) {
    let Ok(server) = std::env::var(SERVER) else { return };
    let name = format!("node_{}", uuid::Uuid::new_v4().simple());
    let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
    let connected = tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    drop(client);
    connected.await.unwrap().unwrap();
    let mut address: url::Url = server.parse().unwrap();
    address.set_path(&name);
    fs::write(folder.join(FILE), address.as_str()).unwrap();
}

/// The settings (TOML) that lead a node to its database.
pub(crate) fn setting(folder: &Path) -> String {
    fs::read_to_string(folder.join(FILE))
        .map_or_else(|_| String::new(), |address| format!("\n[ledger]\nstore = '{address}'\n"))
}
