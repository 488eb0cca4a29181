//! What came of asking a node.

use std::time::Duration;

use serde_json::Value;

use crate::identifiers::NodeId;

/// How asking one node ended.
#[derive(Clone, Debug)]
pub struct Told {
    pub node: NodeId,
    pub end: End,
    pub took: Duration,
}

#[derive(Clone, Debug)]
pub enum End {
    /// It answered, and its receipt verifies.
    Answered(Answered),
    /// It decided that it will not answer.
    Refused { code: String, policies: Vec<String> },
    /// It did not answer in time.
    Late,
    /// It could not be reached, is not in the directory, or its answer cannot be relied on.
    Unreachable,
    /// Somebody here has suspended it.
    Suspended,
    /// Its index says that it has no such record in that version.
    RuledOut { version: u64, as_of: String },
}

impl End {
    /// The stable text, as it stands in an answer.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Refused { .. } => "refused",
            Self::Late => "late",
            Self::Unreachable => "unreachable",
            Self::Suspended => "suspended",
            Self::RuledOut { .. } => "ruled_out",
        }
    }
}

/// An answer of another node.
#[derive(Clone, Debug)]
pub struct Answered {
    /// As it was signed, without its receipt.
    pub answer: Value,
    pub receipt: String,
}

#[cfg(test)]
impl Answered {
    pub(super) fn fake(outcome: &str) -> Self {
        Self { answer: serde_json::json!({ "outcome": outcome }), receipt: String::new() }
    }
}
