//! What a record is about, and what became of it, in one word each.

use serde::{Deserialize, Serialize};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Claims held against a record.
    Verification,
    /// Values of a record.
    Disclosure,
    /// An access token.
    Token,
    /// Counts over records, by a statement.
    Statistics,
    /// The records of a node's own division, handed to it.
    Return,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::Disclosure => "disclosure",
            Self::Token => "token",
            Self::Statistics => "statistics",
            Self::Return => "return",
        }
    }
}

/// What became of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedDecision {
    /// Policy said yes.
    Allow,
    /// Policy said no.
    Deny,
    /// It was refused before policy was asked: token, input, purpose, limits.
    Refused,
}

impl RecordedDecision {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Refused => "refused",
        }
    }
}
