//! What the record of a call says of the other nodes that had to do with it, and of what was counted.

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::identifiers::NodeId;

/// One node that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedNode {
    pub node: NodeId,
    /// How that ended, such as `answered`.
    pub end: String,
    /// SHA-256 of its receipt, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_sha256: Option<Digest>,
}

/// A statement that was answered, and how much left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The statement as it was carried out, in normal spelling. It names no field that identifies somebody.
    pub statement: String,
    /// Rows that left.
    pub rows: u64,
    /// Cells that were kept back because they rest on too few records.
    pub suppressed: u64,
    /// The smallest number of records that a cell had to rest on.
    pub cell_min: u64,
    /// The nodes that were asked, where the records are divided over several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<CountingNode>,
}

/// One node that was asked to count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountingNode {
    pub node: NodeId,
    /// How that ended: `answered`, `refused`, `late` or `unreachable`.
    pub end: String,
    /// Its code, where it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The statement's id in its own log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}
