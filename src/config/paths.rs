//! Where things lie: what the node keeps, and what it is told.

use std::path::{Path, PathBuf};

use super::key::{Rule, subject};

subject! {
    /// Where things lie. All paths are absolute.
    "paths" => PathSettings {
        /// Folder of everything that the node keeps: keys, audit log, ledger, clients, published tables.
        "data" => data: PathBuf = Rule::Text { default: "data", shape: "path" };
        /// Folder of the catalogue's files: at the first start they become its first revision.
        "catalog" => catalog: PathBuf = Rule::Text { default: "catalogs/guangdong", shape: "path" };
        /// File of the agreements in force.
        "agreements" => agreements: PathBuf = Rule::Text { default: "catalogs/guangdong-agreements.yaml", shape: "path" };
        /// Folder of the Cedar policies.
        "policies" => policies: PathBuf = Rule::Text { default: "policies", shape: "path" };
        /// File of the days on which China works otherwise than from Monday to Friday, by which the clocks of the law run. `built-in` for the list that came with the program.
        "workdays" => workdays: WorkdayFile = Rule::Text { default: "built-in", shape: "`built-in` or path" };
    }
}

/// Where the working days come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkdayFile {
    BuiltIn,
    Path(PathBuf),
}

impl WorkdayFile {
    /// The file, where it is not what came with the program.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn => None,
            Self::Path(path) => Some(path),
        }
    }
}

impl PathSettings {
    /// Private keys of the node, one PEM file each.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// Signs receipts and the heads of the audit log.
    pub fn receipt_key(&self) -> PathBuf {
        self.keys().join("receipt.pem")
    }

    /// Under which subjects are named in the log.
    pub fn pseudonym_secret(&self) -> PathBuf {
        self.keys().join("pseudonym.secret")
    }

    /// Under which calls that are finished later are sealed in the ledger.
    pub fn recheck_secret(&self) -> PathBuf {
        self.keys().join("recheck.secret")
    }

    /// Signs access tokens.
    pub fn token_key(&self) -> PathBuf {
        self.keys().join("token.pem")
    }

    /// Shown to other nodes, with its key.
    pub fn peer_certificate(&self) -> PathBuf {
        self.keys().join("peer-certificate.pem")
    }

    pub fn peer_key(&self) -> PathBuf {
        self.keys().join("peer.pem")
    }

    /// Under which keys of records are hashed for indexes, at the node that issues the directory.
    pub fn index_secret(&self) -> PathBuf {
        self.keys().join("index.secret")
    }

    /// The last directory of nodes.
    pub fn directory(&self) -> PathBuf {
        self.data.join("federation").join("directory.json")
    }

    /// Segments and checkpoints of the audit log.
    pub fn audit(&self) -> PathBuf {
        self.data.join("audit")
    }

    /// The SQLite file of what must be transactional.
    pub fn ledger(&self) -> PathBuf {
        self.data.join("ledger.sqlite")
    }

    /// Published versions, one Delta table a dataset.
    pub fn tables(&self) -> PathBuf {
        self.data.join("tables")
    }

    /// Slices of registers on their way to other nodes, or from them.
    pub fn returns(&self) -> PathBuf {
        self.data.join("returns")
    }

    /// What was fetched of published versions, where they are in an object store.
    pub fn cache(&self) -> PathBuf {
        self.data.join("cache")
    }

    /// What belongs to clients that this node made for itself.
    pub fn clients(&self) -> PathBuf {
        self.data.join("clients")
    }
}
