//! How the audit log is kept.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    key::{Rule, subject},
    limits,
};

subject! {
    /// How the audit log is kept.
    "audit" => AuditSettings {
        /// Size at which a segment is closed and the next one begun.
        "segment_bytes" => segment_bytes: u64 = Rule::Number(&limits::SEGMENT_BYTES);
        /// Records that may wait to become durable; the next call is refused with `overloaded`.
        "queue_max" => queue_max: usize = Rule::Number(&limits::AUDIT_QUEUE);
        /// Time between two signed checkpoints of the log.
        "checkpoint_s" => checkpoint: Duration = Rule::Number(&limits::CHECKPOINT_S);
        /// How receipts are signed: `batch` for one signature over all calls that became durable together, `single` for one signature a call. Either verifies the same way.
        "receipts" => receipts: ReceiptForm = Rule::Text { default: "batch", shape: "`batch` or `single`" };
    }
}

/// How receipts are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptForm {
    /// One signature for the calls of one commit of the audit log; each receipt carries its path to it.
    Batch,
    /// A compact JWS for each call.
    Single,
}

impl FromStr for ReceiptForm {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "batch" => Ok(Self::Batch),
            "single" => Ok(Self::Single),
            _ => Err("write `batch` or `single`".to_owned()),
        }
    }
}

impl fmt::Display for ReceiptForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batch => "batch",
            Self::Single => "single",
        })
    }
}
