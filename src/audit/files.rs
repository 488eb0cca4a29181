//! The files of a log's directory: segments by their names, and how a new one comes to be.
//!
//! A segment gets its name only when it is zero-filled to its full length and durable. From then on a write into it
//! changes neither length nor allocation, so that `fdatasync` has data to write and no journal.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use super::{
    AuditError,
    segment::{HEADER_BYTES, Header, SEGMENT_BYTES_MAX},
};

/// A segment in the making.
pub(super) const SPARE: &str = "spare.tmp";
/// Held by the process that appends.
pub(super) const LOCK: &str = "log.lock";

/// What is written in one step: its sync takes little longer than that of a group.
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// A segment by its name, which says the index of its first record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SegmentPath {
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

pub(super) fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("segment-{first:020}.log"))
}

/// The segments in the order of their records. A directory that does not exist has none.
pub(super) fn segments(dir: &Path) -> Result<Vec<SegmentPath>, AuditError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(AuditError::file(dir, "listed"))?,
    };
    for entry in entries {
        let path = entry.map_err(AuditError::file(dir, "listed"))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".log"));
        if let Some(number) = number {
            let first = number.parse().map_err(|_| AuditError::damaged(&path, 0, "its name has no index"))?;
            found.push(SegmentPath { first, path });
        }
    }
    found.sort();
    Ok(found)
}

/// A whole segment, into a buffer that is used again.
pub(super) fn read_segment(path: &Path, buffer: &mut Vec<u8>) -> Result<(), AuditError> {
    buffer.clear();
    let mut file = File::open(path).map_err(AuditError::file(path, "opened"))?;
    let length = file.metadata().map_err(AuditError::file(path, "read"))?.len();
    if length > SEGMENT_BYTES_MAX {
        return Err(AuditError::damaged(path, 0, "the file is larger than any segment"));
    }
    io::Read::read_to_end(&mut file, buffer).map(drop).map_err(AuditError::file(path, "read"))
}

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Where the next group goes.
    pub(super) offset: u64,
    /// Length of the file.
    pub(super) bytes: u64,
}

impl Segment {
    pub(super) fn open(path: PathBuf, offset: u64, bytes: u64) -> Result<Self, AuditError> {
        let file = File::options().read(true).write(true).open(&path).map_err(AuditError::file(&path, "opened"))?;
        Ok(Self { file, path, offset, bytes })
    }

    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes - self.offset >= bytes as u64
    }

    /// Write at the end and wait until it is durable. After an error nothing is known of the bytes, and a second sync
    /// of the same file may falsely succeed: the caller must give the segment up.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.offset)?;
        self.file.sync_data()?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// Make a file of zeros, durable, a little at a time so that appends need not wait long for the disk. Between two steps it
/// rests for as long as a step takes where it `rests`: then half of the disk's time is the appends'.
///
/// Stops early, with an error, when `stop` is set.
pub(super) fn make_spare(dir: &Path, bytes: u64, rests: bool, stop: &AtomicBool) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(dir.join(SPARE))?;
    let mut at = 0;
    while at < bytes {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the log is being closed"));
        }
        let length = (bytes - at).min(ZEROS.len() as u64);
        let step = Instant::now();
        file.write_all_at(&ZEROS[..length as usize], at)?;
        file.sync_data()?;
        at += length;
        if rests {
            thread::sleep(step.elapsed());
        }
    }
    file.sync_all()?;
    Ok(file)
}

/// Give a spare its header and its name.
pub(super) fn install(spare: File, dir: &Path, header: &Header) -> Result<Segment, AuditError> {
    let path = segment_path(dir, header.first);
    let made = AuditError::file(&path, "created");
    let write = || {
        spare.write_all_at(&header.encode(), 0)?;
        spare.sync_all()?;
        fs::rename(dir.join(SPARE), &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(made)?;
    Ok(Segment { file: spare, path, offset: HEADER_BYTES as u64, bytes: header.bytes })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_segment_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(true);
        let header = Header { log: Uuid::nil(), first: 12, bytes: 3 << 20, root: [1; 32] };
        assert!(make_spare(dir.path(), header.bytes, false, &stop).is_err());
        assert!(segments(dir.path()).unwrap().is_empty());
        stop.store(false, Ordering::Relaxed);
        let spare = make_spare(dir.path(), header.bytes, false, &stop).unwrap();
        install(spare, dir.path(), &header).unwrap();
        let listed = segments(dir.path()).unwrap();
        assert_eq!(listed, [SegmentPath { first: 12, path: dir.path().join("segment-00000000000000000012.log") }]);
        let mut bytes = Vec::new();
        read_segment(&listed[0].path, &mut bytes).unwrap();
        assert_eq!(Header::parse(&bytes), Ok(header));
    }
}
