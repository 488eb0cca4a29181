//! How the audit log is kept.

use std::time::Duration;

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
    }
}
