//! Walking over the records of a log on disk, group by group, and judging what is not as it should be.
//!
//! Reads only, needs no lock and holds one segment in memory. A log that is being appended to can be walked: the walk
//! ends at the last group that was whole when it came there.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{
    AuditError,
    files::{self, SegmentPath},
    segment::{self, Group, HEADER_BYTES, Header, Next},
    tree::{Frontier, Hash, leaf_hash},
};

/// A walk and where it has come to.
#[derive(Debug)]
pub(super) struct Walk {
    /// Segments that are still to be read, the next one last.
    ahead: Vec<SegmentPath>,
    here: Option<Here>,
    /// The segment where the walk is, as a whole.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Here {
    path: PathBuf,
    header: Header,
    /// Offset and index of the group that comes next.
    at: usize,
    index: u64,
    /// Offset for which the segment was read a second time.
    read_again_at: Option<usize>,
}

/// What the walk comes across.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Segment(Header),
    Group(Group),
}

/// Where a log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) path: PathBuf,
    /// Offset behind the last whole group.
    pub(super) at: usize,
    /// Offset behind the last byte of an interrupted write; `at` where there was none.
    pub(super) torn_to: usize,
}

impl Walk {
    /// A walk that begins with the segment of this index, or where the log ends before it, with the last one.
    pub(super) fn new(dir: &Path, from: u64) -> Result<Self, AuditError> {
        let segments = files::segments(dir)?;
        match segments.first() {
            Some(segment) if segment.first != 0 => {
                return Err(AuditError::damaged(&segment.path, 0, "the segments before it are missing"));
            }
            _ => {}
        }
        let start = segments.partition_point(|segment| segment.first <= from).saturating_sub(1);
        let ahead = segments.into_iter().skip(start).rev().collect();
        Ok(Self { ahead, here: None, bytes: Vec::new() })
    }

    /// A walk over one segment.
    pub(super) fn of_segment(segment: SegmentPath) -> Self {
        Self { ahead: vec![segment], here: None, bytes: Vec::new() }
    }

    /// The segment ends before the one after it begins.
    pub(super) fn cut_short(&self, index: u64, next: u64) -> AuditError {
        let at = self.here.as_ref().map_or(0, |here| here.at);
        AuditError::damaged(self.path(), at, format!("it ends before record {index}, and the next begins with {next}"))
    }

    /// The next event; nothing where the log ends, which [`Walk::tail`] then describes.
    pub(super) fn next(&mut self) -> Result<Option<Event>, AuditError> {
        loop {
            let Some(here) = &mut self.here else { return self.enter() };
            match segment::next(&self.bytes, here.at, &here.header.log, here.index) {
                Next::Group(group) => {
                    (here.at, here.index) = (group.end, here.index + group.records);
                    return Ok(Some(Event::Group(group)));
                }
                Next::End => return self.enter(),
                Next::Flaw(flaw) => {
                    if self.ahead.is_empty() && segment::is_torn(&self.bytes, here.at, &flaw, &here.header.log) {
                        return Ok(None);
                    }
                    // A group that was being written while its beginning was read looks like this as well. The same
                    // place read again tells them apart: if a later group was there, this one is whole by now.
                    if here.read_again_at == Some(here.at) {
                        return Err(AuditError::damaged(&here.path, flaw.at, flaw.what));
                    }
                    here.read_again_at = Some(here.at);
                    files::read_segment(&here.path, &mut self.bytes)?;
                }
            }
        }
    }

    /// Go on to the next segment.
    fn enter(&mut self) -> Result<Option<Event>, AuditError> {
        let Some(SegmentPath { first, path }) = self.ahead.pop() else { return Ok(None) };
        files::read_segment(&path, &mut self.bytes)?;
        let damaged = |what: String| AuditError::damaged(&path, 0, what);
        let header = Header::parse(&self.bytes).map_err(|what| damaged(what.to_owned()))?;
        if header.first != first {
            return Err(damaged(format!("its header says that it begins with record {}", header.first)));
        }
        if let Some(before) = &self.here {
            if header.log != before.header.log {
                return Err(damaged(format!("it is of log {}, not of {}", header.log, before.header.log)));
            }
            if header.first != before.index {
                let due = before.index;
                return Err(damaged(format!("it begins with record {first}, and record {due} is due")));
            }
        }
        let here = Here { path, header: header.clone(), at: HEADER_BYTES, index: first, read_again_at: None };
        self.here = Some(here);
        Ok(Some(Event::Segment(header)))
    }

    /// The segment where the walk is.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn path(&self) -> &Path {
        self.here.as_ref().map_or(Path::new(""), |here| &here.path)
    }

    /// How the log ends, after the walk has.
    fn tail(&self) -> Option<Tail> {
        let here = self.here.as_ref()?;
        Some(Tail { path: here.path.clone(), at: here.at, torn_to: segment::used(&self.bytes).max(here.at) })
    }
}

/// What a log is, once all of it has been read.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) log: Uuid,
    pub(super) frontier: Frontier,
    pub(super) segments: usize,
    pub(super) tail: Tail,
    /// Length of the last segment.
    pub(super) segment_bytes: u64,
    /// The last group, if the last segment has any.
    pub(super) last_group: Option<Group>,
}

/// A root that the tree must have at some size, and who says so.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) log: Uuid,
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) path: PathBuf,
    pub(super) offset: usize,
}

/// Read the whole log, rebuild its tree and hold it against the claims, which are in the order of their sizes.
/// Nothing where there are no segments.
pub(super) fn scan(walk: &mut Walk, claimed: &[Claim]) -> Result<Option<Scan>, AuditError> {
    let mut frontier = Frontier::default();
    let mut claims = claimed.iter().peekable();
    let (mut current, mut segments, mut last_group) = (None, 0, None);
    hold(&frontier, &mut claims)?;
    while let Some(event) = walk.next()? {
        match event {
            Event::Segment(header) => {
                if header.root != frontier.root() {
                    let path = walk.path().to_owned();
                    return Err(AuditError::damaged(path, 0, "the records before it are not those it was built on"));
                }
                if let Some(stray) = claimed.iter().find(|claim| claim.log != header.log) {
                    let what = format!("it is of log {}, and the segments are of {}", stray.log, header.log);
                    return Err(AuditError::damaged(&stray.path, stray.offset, what));
                }
                (segments, last_group, current) = (segments + 1, None, Some(header));
            }
            Event::Group(group) => {
                for payload in group.payloads(walk.bytes()) {
                    frontier.push(leaf_hash(payload));
                    hold(&frontier, &mut claims)?;
                }
                last_group = Some(group);
            }
        }
    }
    let (Some(header), Some(tail)) = (current, walk.tail()) else { return Ok(None) };
    if let Some(claim) = claims.next() {
        let (size, covered) = (frontier.size(), claim.size);
        let what = format!("the log ends after {size} records, and a checkpoint covers {covered}");
        return Err(AuditError::damaged(tail.path, tail.at, what));
    }
    Ok(Some(Scan { log: header.log, frontier, segments, tail, segment_bytes: header.bytes, last_group }))
}

/// Check the claims about the present size.
fn hold<'a>(
    frontier: &Frontier,
    claims: &mut std::iter::Peekable<impl Iterator<Item = &'a Claim>>,
) -> Result<(), AuditError> {
    while let Some(claim) = claims.next_if(|claim| claim.size == frontier.size()) {
        if claim.root != frontier.root() {
            let what = format!("the log has another root at {} records than this checkpoint", claim.size);
            return Err(AuditError::damaged(&claim.path, claim.offset, what));
        }
    }
    Ok(())
}
