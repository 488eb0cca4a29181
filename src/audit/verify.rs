//! Checking a log from outside: every checksum, the order, the tree, every signed head.
//!
//! Reads only and needs no lock, so the log may be that of a node that runs, or of one that was killed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    AuditError, TreeHead, checkpoint,
    note::Note,
    tree::Frontier,
    walk::{Walk, scan},
};
use crate::keys::PublicKeys;

/// What an intact log consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// The log's id; none where there are no records yet.
    pub log: Option<Uuid>,
    /// Number of records and root of the tree over them.
    pub head: TreeHead,
    pub segments: usize,
    /// What an interrupted write left at the end, or a write that is going on.
    pub torn: Option<TornTail>,
    /// Checkpoints in the history, all of which the log agrees with.
    pub checkpoints: u64,
    pub last_checkpoint: Option<LastCheckpoint>,
}

/// The newest checkpoint of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheckpoint {
    pub head: TreeHead,
    pub time: DateTime<Utc>,
    /// The key that signed it; none where no keys were given to check with.
    pub kid: Option<String>,
}

/// Bytes behind the last whole group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    pub path: PathBuf,
    pub offset: u64,
    pub bytes: u64,
}

/// Read the whole log and hold it against every checkpoint; with `keys`, against their signatures too.
///
/// A torn tail is reported and no error. Blocks for as long as reading and hashing takes.
pub fn verify_log(dir: &Path, keys: Option<&PublicKeys>) -> Result<LogReport, AuditError> {
    // Checkpoints first: in a log that is growing, the records that they cover are there already.
    let (mut claims, mut checkpoints, mut last_checkpoint) = (Vec::new(), 0, None);
    for path in checkpoint::histories(dir)? {
        for kept in checkpoint::kept(&path)? {
            let (head, time) = (kept.checkpoint.head, kept.checkpoint.time);
            let kid = signer(&kept.checkpoint.note, keys, &path, kept.offset)?;
            claims.push(checkpoint::claim_of(&kept.checkpoint.note, &path, kept.offset)?);
            checkpoints += 1;
            last_checkpoint = Some(LastCheckpoint { head, time, kid });
        }
    }
    if let Some((note, path)) = checkpoint::latest(dir)? {
        signer(&note, keys, &path, 0)?;
        claims.push(checkpoint::claim_of(&note, &path, 0)?);
    }
    claims.sort_by_key(|claim| claim.size);
    let Some(scan) = scan(&mut Walk::new(dir, 0)?, &claims)? else {
        if let Some(claim) = claims.iter().find(|claim| claim.size > 0) {
            let what = format!("it covers {} records, and there is no segment", claim.size);
            return Err(AuditError::damaged(&claim.path, claim.offset, what));
        }
        let head = head_of(&Frontier::default());
        return Ok(LogReport { log: None, head, segments: 0, torn: None, checkpoints, last_checkpoint });
    };
    let tail = scan.tail;
    let (offset, bytes) = (tail.at as u64, (tail.torn_to - tail.at) as u64);
    Ok(LogReport {
        log: Some(scan.log),
        head: head_of(&scan.frontier),
        segments: scan.segments,
        torn: (bytes > 0).then_some(TornTail { path: tail.path, offset, bytes }),
        checkpoints,
        last_checkpoint,
    })
}

fn head_of(frontier: &Frontier) -> TreeHead {
    TreeHead { size: frontier.size(), root: frontier.root() }
}

fn signer(note: &str, keys: Option<&PublicKeys>, path: &Path, offset: usize) -> Result<Option<String>, AuditError> {
    let Some(keys) = keys else { return Ok(None) };
    let signed = Note::parse(note).and_then(|note| note.signer(keys));
    signed.map(|kid| Some(kid.to_owned())).map_err(|what| AuditError::damaged(path, offset, what))
}
