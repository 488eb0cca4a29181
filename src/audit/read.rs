//! Reading the records of a log, beside or without a process that appends.

use std::{collections::VecDeque, path::Path};

use memchr::memmem;

use super::{
    AuditError, Record, files,
    tree::{Hash, leaf_hash},
    walk::{Event, Walk},
};
use crate::identifiers::CallId;

/// The records of a log from some index on, in their order, with their indexes.
///
/// Ends at the last group that was whole when it came there; after an error it ends as well.
#[derive(Debug)]
pub struct Records {
    walk: Walk,
    from: u64,
    ready: VecDeque<(u64, Vec<u8>)>,
    ended: bool,
}

/// Read the records from index `from` on. Needs no lock; holds one segment in memory; blocks.
pub fn read(dir: &Path, from: u64) -> Result<Records, AuditError> {
    Ok(Records { walk: Walk::new(dir, from)?, from, ready: VecDeque::new(), ended: false })
}

/// One segment of a log, to be read by itself: parts can be read side by side.
#[derive(Debug)]
pub struct LogPart {
    walk: Walk,
    /// Index of the first record of the part after it; nothing for the last part.
    next: Option<u64>,
}

/// The parts of a log, in the order of their records. Needs no lock; a part is opened when it is read.
pub fn parts(dir: &Path) -> Result<Vec<LogPart>, AuditError> {
    let segments = files::segments(dir)?;
    let next = segments.iter().skip(1).map(|segment| Some(segment.first)).chain([None]).collect::<Vec<_>>();
    let part = |(segment, next)| LogPart { walk: Walk::of_segment(segment), next };
    Ok(segments.into_iter().zip(next).map(part).collect())
}

/// The record of a call, looked for from the end of the log.
pub fn find(dir: &Path, call: &CallId) -> Result<Option<Record>, AuditError> {
    let text = call.to_string();
    let wanted = memmem::Finder::new(&text);
    let mut found = None;
    for part in parts(dir)?.into_iter().rev() {
        part.each(|_, payload| {
            // The id may stand in a record of something else, such as an objection to the call.
            if found.is_none() && wanted.find(payload).is_some() {
                found = Record::from_bytes(payload).ok().filter(|record| record.call_id == *call);
            }
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

impl LogPart {
    /// Hand over every record with its index, in their order. Holds the segment in memory; blocks.
    ///
    /// The last part ends at the last group that was whole when it was read; any other must be whole.
    pub fn each(mut self, mut hand_over: impl FnMut(u64, &[u8])) -> Result<(), AuditError> {
        let mut index = 0;
        while let Some(event) = self.walk.next()? {
            match event {
                Event::Segment(header) => index = header.first,
                Event::Group(group) => {
                    for (index, payload) in (group.first..).zip(group.payloads(self.walk.bytes())) {
                        hand_over(index, payload);
                    }
                    index = group.first + group.records;
                }
            }
        }
        match self.next {
            Some(next) if next != index => Err(self.walk.cut_short(index, next)),
            _ => Ok(()),
        }
    }
}

/// The leaf hashes of all records, for [`super::inclusion_path`] and [`super::consistency_path`].
pub fn leaf_hashes(dir: &Path) -> Result<impl Iterator<Item = Result<Hash, AuditError>>, AuditError> {
    Ok(read(dir, 0)?.map(|record| record.map(|(_, payload)| leaf_hash(&payload))))
}

impl Records {
    fn next_group(&mut self) -> Result<(), AuditError> {
        while self.ready.is_empty() && !self.ended {
            match self.walk.next()? {
                None => self.ended = true,
                Some(Event::Segment(_)) => {}
                Some(Event::Group(group)) => {
                    let payloads = (group.first..).zip(group.payloads(self.walk.bytes()));
                    let wanted = payloads.filter(|(index, _)| *index >= self.from);
                    self.ready.extend(wanted.map(|(index, payload)| (index, payload.to_vec())));
                }
            }
        }
        Ok(())
    }
}

impl Iterator for Records {
    type Item = Result<(u64, Vec<u8>), AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(error) = self.next_group() {
            self.ended = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}
