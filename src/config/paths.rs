//! Where things lie: what the node keeps, and what it is told.

use std::path::PathBuf;

use super::key::{Rule, subject};

subject! {
    /// Where things lie. All paths are absolute.
    "paths" => PathSettings {
        /// Folder of everything that the node keeps: keys, audit log, ledger, clients, published tables.
        "data" => data: PathBuf = Rule::Text { default: "data", shape: "path" };
        /// Folder of the catalogue: datasets, items, materials, departments, nodes.
        "catalog" => catalog: PathBuf = Rule::Text { default: "catalogs/guangdong", shape: "path" };
        /// File of the agreements in force.
        "agreements" => agreements: PathBuf = Rule::Text { default: "catalogs/guangdong-agreements.yaml", shape: "path" };
        /// Folder of the Cedar policies.
        "policies" => policies: PathBuf = Rule::Text { default: "policies", shape: "path" };
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

    /// Signs access tokens.
    pub fn token_key(&self) -> PathBuf {
        self.keys().join("token.pem")
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

    /// What was fetched of published versions, where they are in an object store.
    pub fn cache(&self) -> PathBuf {
        self.data.join("cache")
    }

    /// What belongs to clients that this node made for itself.
    pub fn clients(&self) -> PathBuf {
        self.data.join("clients")
    }
}
