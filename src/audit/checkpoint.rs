//! The signed heads that a log has published, on disk.
//!
//! `checkpoint.latest` is the newest, as a note that other programs can read. `checkpoints/<year>-<month>.jsonl` keeps
//! every one, a line each: `{"time":"…","note":"…"}`. The time is the node's word and not part of what is signed (the
//! standard has no place for it); the records below the head carry times of their own.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    AuditError,
    log::TreeHead,
    note::{self, Note},
    walk::Claim,
};
use crate::{keys::SigningKey, storage};

const LATEST: &str = "checkpoint.latest";
const HISTORY: &str = "checkpoints";

/// A head that has been signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub head: TreeHead,
    /// When the node signed it.
    pub time: DateTime<Utc>,
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    time: String,
    note: String,
}

/// A line of the history, with its place.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) checkpoint: Checkpoint,
    pub(super) path: PathBuf,
    pub(super) offset: usize,
}

/// The published heads of a log that is open.
#[derive(Debug)]
pub(super) struct Checkpoints {
    dir: PathBuf,
    /// What the log must reach, when it is opened.
    claim: Option<Claim>,
    /// The last one of this process.
    last: Option<Checkpoint>,
}

impl Checkpoints {
    /// The caller holds the lock. A line that was cut off in the middle is taken away: nobody was given it.
    pub(super) fn open(dir: &Path) -> Result<Self, AuditError> {
        if let Some(newest) = histories(dir)?.pop() {
            cut_torn_line(&newest).map_err(AuditError::file(&newest, "repaired"))?;
        }
        let latest = latest(dir)?.map(|(note, path)| claim_of(&note, &path, 0)).transpose()?;
        let kept = last_kept(dir)?.map(|kept| claim_of(&kept.checkpoint.note, &kept.path, kept.offset)).transpose()?;
        // Between the two writes of a checkpoint the history is ahead; where somebody removed one, the other stands.
        let claim = [latest, kept].into_iter().flatten().max_by_key(|claim| claim.size);
        Ok(Self { dir: dir.to_owned(), claim, last: None })
    }

    pub(super) fn latest(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    pub(super) fn write(
        &mut self,
        log: Uuid,
        head: TreeHead,
        key: &SigningKey,
        now: DateTime<Utc>,
    ) -> Result<Checkpoint, AuditError> {
        if let Some(last) = self.last.as_ref().filter(|last| last.head == head) {
            return Ok(last.clone());
        }
        let checkpoint = Checkpoint { head, time: now, note: note::sign(log, head, key) };
        let path = self.dir.join(HISTORY).join(format!("{}.jsonl", now.format("%Y-%m")));
        keep(&path, &checkpoint).map_err(AuditError::file(&path, "written"))?;
        let latest = self.dir.join(LATEST);
        storage::write_whole(&latest, checkpoint.note.as_bytes())
            .map_err(|error| AuditError::file(&latest, "written")(io::Error::other(error)))?;
        self.last = Some(checkpoint.clone());
        Ok(checkpoint)
    }
}

/// Add a line. If an earlier write failed in the middle of one, that one is ended first.
fn keep(path: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    cut_torn_line(path)?;
    let mut file = File::options().append(true).create(true).open(path)?;
    let time = checkpoint.time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut line = serde_json::to_vec(&Line { time, note: checkpoint.note.clone() })?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

fn cut_torn_line(path: &Path) -> io::Result<()> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if whole == bytes.len() {
        return Ok(());
    }
    let file = File::options().write(true).open(path)?;
    file.set_len(whole as u64)?;
    file.sync_all()
}

/// The files of the history, oldest first.
pub(super) fn histories(dir: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let folder = dir.join(HISTORY);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(AuditError::file(&folder, "listed"))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(AuditError::file(&folder, "listed"))?.path());
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    found.sort();
    Ok(found)
}

/// Every whole line of one file of the history.
pub(super) fn kept(path: &Path) -> Result<Vec<Kept>, AuditError> {
    let bytes = fs::read(path).map_err(AuditError::file(path, "read"))?;
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // The last line may be in the middle of being written.
        if let Some(text) = line.strip_suffix(b"\n") {
            lines.push(Kept { checkpoint: parse_line(text, path, offset)?, path: path.to_owned(), offset });
        }
        offset += line.len();
    }
    Ok(lines)
}

fn parse_line(text: &[u8], path: &Path, offset: usize) -> Result<Checkpoint, AuditError> {
    let damaged = |what: &str| AuditError::damaged(path, offset, what);
    let line: Line = serde_json::from_slice(text).map_err(|_| damaged("the line is not a checkpoint with its time"))?;
    let time = DateTime::parse_from_rfc3339(&line.time).map_err(|_| damaged("the line has no time"))?.to_utc();
    let head = Note::parse(&line.note).map_err(damaged)?.head;
    Ok(Checkpoint { head, time, note: line.note })
}

fn last_kept(dir: &Path) -> Result<Option<Kept>, AuditError> {
    for path in histories(dir)?.iter().rev() {
        if let Some(last) = kept(path)?.pop() {
            return Ok(Some(last));
        }
    }
    Ok(None)
}

/// The note in `checkpoint.latest`, with its path.
pub(super) fn latest(dir: &Path) -> Result<Option<(String, PathBuf)>, AuditError> {
    let path = dir.join(LATEST);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(AuditError::damaged(path, 0, "it is not text")),
        Err(error) => Err(AuditError::file(path, "read")(error)),
        Ok(text) => Ok(Some((text, path))),
    }
}

pub(super) fn claim_of(text: &str, path: &Path, offset: usize) -> Result<Claim, AuditError> {
    let note = Note::parse(text).map_err(|what| AuditError::damaged(path, offset, what))?;
    let TreeHead { size, root } = note.head;
    Ok(Claim { log: note.log, size, root, path: path.to_owned(), offset })
}
