//! The folder of a node under test: settings, one registered client, budgets that a benchmark does not exhaust.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    program,
    world::{World, root},
};

pub(crate) const ITEM: &str = "11440100MB9YYY997R3440101001000";
pub(crate) const CLIENT: &str = "gz-hukou-window";
const DEPARTMENT: &str = "gz-administrative-approval";

/// How a node signs its receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipts {
    /// One signature for all records that became durable together.
    Batch,
    Single,
}

pub(crate) struct Home {
    dir: TempDir,
    pub(crate) address: SocketAddr,
}

/// What one node has that another has not.
pub(crate) struct Kind<'a> {
    pub(crate) id: &'a str,
    pub(crate) catalog: &'a Path,
    pub(crate) receipts: Receipts,
    /// More settings (TOML).
    pub(crate) more: &'a str,
}

impl Home {
    /// A home over the register, with a log of its own; the node in it can be started again and again.
    pub(crate) fn make(world: &World, receipts: Receipts) -> Self {
        Self::of(world, Kind { id: "guangdong", catalog: &root().join("catalogs/guangdong"), receipts, more: "" })
    }

    pub(crate) fn of(world: &World, kind: Kind<'_>) -> Self {
        let Kind { id, catalog, receipts, more } = kind;
        let dir = world.scratch("node");
        fs::create_dir_all(dir.path().join("data")).unwrap();
        symlink(&world.tables, dir.path().join("data/tables")).unwrap();
        let address = free_address();
        let receipts = match receipts {
            Receipts::Batch => "batch",
            Receipts::Single => "single",
        };
        let text = format!(
            "[node]\nid = '{id}'\nurl = 'http://{address}'\n[log]\nlevel = 'warn'\n[tokens]\naccess_ttl_s = 3600\n\
             [paths]\ncatalog = '{}'\nagreements = '{}'\npolicies = '{}/policies'\n\
             [http]\nlisten = '{address}'\n[limits]\ncalls_per_second = 1000000\n[audit]\nreceipts = '{receipts}'\n\
             [enumeration]\nmode = 'detect'\n{more}",
            catalog.display(),
            generous_agreements(dir.path()).display(),
            root().display(),
        );
        let home = Self { dir, address };
        fs::write(home.settings_file(), text).unwrap();
        let register = ["client", "register", CLIENT, "--department", DEPARTMENT, "--generate"];
        program::run(&home.settings_file(), &register);
        home
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
        program::run(&self.settings_file(), &["token", CLIENT])
    }
}

/// Free a moment ago; settings name one.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The catalogue's agreements with budgets that a benchmark does not exhaust.
fn generous_agreements(folder: &Path) -> PathBuf {
    let text = fs::read_to_string(root().join("catalogs/guangdong-agreements.yaml")).unwrap();
    let generous: Vec<_> = text
        .lines()
        .map(|line| match line.split_once(':') {
            Some((key, _)) if key.trim() == "calls_per_second" => format!("{key}: 1000000"),
            Some((key, _)) if key.trim() == "calls_per_day" => format!("{key}: 1000000000"),
            _ => line.to_owned(),
        })
        .collect();
    let file = folder.join("agreements.yaml");
    fs::write(&file, generous.join("\n")).unwrap();
    file
}
