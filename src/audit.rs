//! The audit log, its signed heads and the receipts that point into it: the node's evidence.
//!
//! Floor 2: may use `identifiers`, `problem`, `keys` and `storage`. Promises that an append which has returned is on the
//! disk, that a log which opens holds every such record, and that anything else is said and not repaired in silence.
//!
//! ```text
//!  append ──> queue ──> appender thread ──> segment-<first index>.log    one write, one fdatasync and one signature
//!    ▲       (bounded)       │                                           for a whole group
//!    └── Appended ───────────┴──> frontier of the RFC 6962 tree ──> checkpoint.latest, checkpoints/<month>.jsonl
//! ```
//!
//! # Torn or damaged?
//!
//! What waits while the disk syncs goes out together in the next write, a *group*: a header of 24 bytes and one frame a
//! record. Nobody is told of a record before the sync of its group has returned, and the appender writes no group
//! before that of the one before. So the header of a group, which names its first index, is itself the proof that every
//! record below that index was durable. From this follows how a flaw is judged when the log is read again:
//!
//! - A power cut may keep any subset of the pages of *the last* group, in any order. Whatever of it is left, also whole
//!   frames after a lost page, was never acknowledged. The group is dropped as a whole: groups are atomic.
//! - A valid group header anywhere after a flaw, or a later segment (its header proves the same), shows that what is now
//!   flawed had been durable. That is damage. Nothing is changed, and the log does not open.
//! - Bytes beyond what one group can reach are not explained by one interrupted write: damage. So is a file of another
//!   length than its header says (segments are made in full length and made durable before they get their name), and a
//!   header that is intact but names another index, another log or another root.
//! - The last group before a stop has no group after it. Two things stand for it: a clean stop ends the log with an
//!   empty group, and the latest checkpoint must be reached with its very root. What is left open is a fault of the disk
//!   in the records since the last checkpoint, when the node did not stop cleanly either.
//!
//! Assumed of the disk: bytes of a sector that a write does not change are kept when the write is interrupted.
//!
//! A group that is whole, but whose sync had failed or not returned, is kept: it may exist in the page cache only, so
//! opening writes it once more and syncs before anything builds on it.

mod appender;
mod checkpoint;
mod digest;
mod files;
mod log;
mod nodes;
mod note;
mod operation;
mod proof;
mod pseudonym;
mod read;
pub mod receipt;
mod record;
mod recovery;
mod returned;
mod segment;
mod tree;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf};

pub use checkpoint::Checkpoint;
pub use digest::{Digest, sha256};
pub use log::{Appended, Log, LogOptions, TreeHead};
pub use nodes::{AskedNode, CountingNode, Counts};
pub use operation::{Operation, RecordedDecision};
pub use proof::{consistency_path, inclusion_path, verify_consistency, verify_inclusion};
pub use pseudonym::Pseudonymiser;
pub use read::{LogPart, Records, find, leaf_hashes, parts, read};
pub use record::{Answered, Record};
pub use recovery::Recovery;
pub use returned::{ReturnPurpose, Returned};
pub use segment::PAYLOAD_BYTES_MAX;
pub use tree::{Hash, leaf_hash};
pub use verify::{LastCheckpoint, LogReport, TornTail, verify_log};

use crate::problem::Code;

/// Why the log could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("the audit log has as many records waiting as it takes")]
    Overloaded,
    /// The cause was logged once, where it happened.
    #[error("the audit log could not be made durable and takes no further records")]
    Unavailable,
    #[error("the audit log in `{}` is in use by another process. Stop that one, or give this one its own directory", dir.display())]
    InUse { dir: PathBuf },
    /// Acknowledged records are gone or changed, or cannot be proved not to be.
    #[error("`{}` is damaged at byte {offset}: {what}. Keep the files as they are and restore the log from a copy", path.display())]
    LogDamaged { path: PathBuf, offset: u64, what: String },
    #[error("`{}` could not be {action}", path.display())]
    File {
        path: PathBuf,
        /// What was tried: `read`, `written`, `created`.
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("a record has {bytes} bytes; 1 to {PAYLOAD_BYTES_MAX} fit")]
    PayloadSize { bytes: usize },
    #[error("a segment of {bytes} bytes is too small or too large. Choose 128 KiB to 1 GiB")]
    SegmentSize { bytes: u64 },
    #[error("the record is not one of this log's: {reason}")]
    NotARecord { reason: String },
    #[error("a call that was not answered has no receipt: `{missing}` is not known")]
    NotAnswered { missing: &'static str },
    #[error("a tree of {size} records has no proof for {asked}")]
    NoSuchProof { asked: u64, size: u64 },
}

impl AuditError {
    pub fn code(&self) -> Code {
        match self {
            Self::Overloaded => Code::Overloaded,
            Self::Unavailable | Self::InUse { .. } => Code::AuditUnavailable,
            Self::LogDamaged { .. } => Code::LogDamaged,
            Self::File { .. } => Code::StorageFailed,
            Self::SegmentSize { .. } => Code::ConfigInvalid,
            Self::NoSuchProof { .. } => Code::InvalidValue,
            Self::PayloadSize { .. } | Self::NotARecord { .. } | Self::NotAnswered { .. } => Code::Internal,
        }
    }

    fn file(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, action, source }
    }

    fn damaged(path: impl Into<PathBuf>, offset: usize, what: impl Into<String>) -> Self {
        Self::LogDamaged { path: path.into(), offset: offset as u64, what: what.into() }
    }
}
