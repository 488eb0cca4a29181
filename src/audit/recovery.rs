//! Opening a log that a process left behind: check all of it, drop what was torn, and nothing else.

use std::{fs, io, path::Path};

use uuid::Uuid;

use super::{
    AuditError,
    files::{self, SPARE, Segment},
    segment::Header,
    tree::Frontier,
    walk::{Claim, Walk, scan},
};

/// What was found when the log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Records in the log.
    pub records: u64,
    /// Bytes of an interrupted write that nobody had been told of, and that were taken away.
    pub truncated_bytes: u64,
}

/// A log that can be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) log: Uuid,
    pub(super) frontier: Frontier,
    pub(super) segment: Segment,
    /// Does it end with the empty group of a clean stop?
    pub(super) sealed: bool,
    pub(super) truncated_bytes: u64,
}

/// Read the log in `dir` and make it ready. The caller holds the lock. Nothing where there is no log yet.
pub(super) fn recover(dir: &Path, claim: Option<&Claim>) -> Result<Option<Recovered>, AuditError> {
    let spare = dir.join(SPARE);
    match fs::remove_file(&spare) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(AuditError::file(spare, "removed")(error)),
        _ => {}
    }
    let mut walk = Walk::new(dir, 0)?;
    let Some(scan) = scan(&mut walk, claim.map_or(&[], std::slice::from_ref))? else {
        return match claim {
            Some(claim) if claim.size > 0 => {
                let what = format!("it covers {} records, and there is no segment", claim.size);
                Err(AuditError::damaged(&claim.path, claim.offset, what))
            }
            _ => Ok(None),
        };
    };
    let tail = scan.tail;
    let segment = Segment::open(tail.path.clone(), tail.at as u64, scan.segment_bytes)?;
    let last = scan.last_group.map_or(tail.at, |group| group.start);
    let whole = &walk.bytes()[last..tail.at];
    settle(&segment, whole, last, tail.torn_to - tail.at).map_err(AuditError::file(&tail.path, "repaired"))?;
    Ok(Some(Recovered {
        log: scan.log,
        frontier: scan.frontier,
        segment,
        sealed: scan.last_group.is_some_and(|group| group.records == 0),
        truncated_bytes: (tail.torn_to - tail.at) as u64,
    }))
}

/// Write the last group again and zeros over what was torn behind it, and make both durable.
///
/// The group may have been read from a page cache that the disk never took over: the kernel forgets what it could not
/// write. Writing it makes its pages dirty, so that this sync speaks for them.
fn settle(segment: &Segment, last_group: &[u8], start: usize, torn: usize) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    segment.file.write_all_at(last_group, start as u64)?;
    segment.file.write_all_at(&vec![0; torn], (start + last_group.len()) as u64)?;
    segment.file.sync_data()
}

/// The first segment of a new log.
pub(super) fn begin(dir: &Path, log: Uuid, segment_bytes: u64) -> Result<Recovered, AuditError> {
    let frontier = Frontier::default();
    let never = std::sync::atomic::AtomicBool::new(false);
    let spare =
        files::make_spare(dir, segment_bytes, false, &never).map_err(AuditError::file(dir.join(SPARE), "created"))?;
    let header = Header { log, first: 0, bytes: segment_bytes, root: frontier.root() };
    let segment = files::install(spare, dir, &header)?;
    Ok(Recovered { log, frontier, segment, sealed: false, truncated_bytes: 0 })
}
