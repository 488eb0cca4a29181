//! The folder of a node under test: settings, one registered client, budgets that a benchmark does not exhaust.

use std::{fs, net::SocketAddr, os::unix::fs::symlink, path::PathBuf};

use chrono::Utc;
use shuqiao::{
    config::Settings,
    http::operator_token,
    identifiers::ClientId,
    keys::{PublicKeys, SigningKey},
    ledger::{ClientKeys, Ledger, Registration},
};
use tempfile::TempDir;

use crate::world::{World, root};

pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";
pub(crate) const CLIENT: &str = "gz-hukou-window";

/// How a node signs its receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipts {
    /// One signature for all records that became durable together.
    Batch,
    Single,
}

impl Receipts {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Single => "single",
        }
    }

    /// What the settings say for it.
    fn setting(self) -> String {
        format!("[audit]\nreceipts = '{}'\n", self.word())
    }
}

pub(crate) struct Home {
    dir: TempDir,
    pub(crate) address: SocketAddr,
    settings: Settings,
}

impl Home {
    /// A home over the register, with a log of its own; the node in it can be started again and again. `None` where the
    /// node does not know this way of signing.
    pub(crate) fn make(world: &World, receipts: Receipts) -> Option<Self> {
        let dir = world.scratch("node");
        fs::create_dir_all(dir.path().join("data")).unwrap();
        symlink(&world.tables, dir.path().join("data/tables")).unwrap();
        let agreements = generous_agreements(&dir);
        let address = free_address();
        let text = format!(
            "[node]\nid = 'guangdong'\nurl = 'http://{address}'\n[log]\nlevel = 'warn'\n[tokens]\naccess_ttl_s = 3600\n\
             [paths]\ncatalog = '{0}/catalogs/guangdong'\nagreements = '{1}'\npolicies = '{0}/policies'\n\
             [http]\nlisten = '{address}'\n[limits]\ncalls_per_second = 1000000\n",
            root().display(),
            agreements.display(),
        );
        let file = dir.path().join("shuqiao.toml");
        fs::write(&file, format!("{text}{}", receipts.setting())).unwrap();
        let settings = Settings::load(Some(&file), &[]).or_else(|error| match receipts {
            Receipts::Batch => Err(error),
            Receipts::Single => {
                fs::write(&file, &text).unwrap();
                Settings::load(Some(&file), &[])
            }
        });
        let home = Self { dir, address, settings: settings.ok()? };
        runtime().block_on(home.register_client());
        Some(home)
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.dir.path().join("shuqiao.toml")
    }

    /// What the node says about itself while it runs.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.dir.path().join("node.log")
    }

    /// A token of an hour.
    pub(crate) fn token(&self) -> String {
        runtime().block_on(operator_token(&self.settings, &CLIENT.parse().unwrap(), Utc::now())).unwrap()
    }

    async fn register_client(&self) {
        let id: ClientId = CLIENT.parse().unwrap();
        let key = SigningKey::load_or_create(&self.settings.paths.clients().join("window.pem")).unwrap();
        let ledger = Ledger::open(&self.settings.paths.ledger()).await.unwrap();
        let keys = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string()).unwrap();
        let department = "gz-administrative-approval".parse().unwrap();
        let registration = Registration { id, department, name: "bench".to_owned(), keys };
        ledger.register_client(registration, Utc::now()).await.unwrap();
        ledger.close().await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// An address that was free a moment ago: the settings name one.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The catalogue's agreements with budgets that a benchmark does not exhaust.
fn generous_agreements(dir: &TempDir) -> PathBuf {
    let text = fs::read_to_string(root().join("catalogs/guangdong-agreements.yaml")).unwrap();
    let generous: Vec<_> = text
        .lines()
        .map(|line| match line.split_once(':') {
            Some((key, _)) if key.trim() == "calls_per_second" => format!("{key}: 1000000"),
            Some((key, _)) if key.trim() == "calls_per_day" => format!("{key}: 1000000000"),
            _ => line.to_owned(),
        })
        .collect();
    let file = dir.path().join("agreements.yaml");
    fs::write(&file, generous.join("\n")).unwrap();
    file
}
