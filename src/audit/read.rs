//! Reading the records of a log, beside or without a process that appends.

use std::{collections::VecDeque, path::Path};

use super::{
    AuditError,
    tree::{Hash, leaf_hash},
    walk::{Event, Walk},
};

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
