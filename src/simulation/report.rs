//! What came of a run.

use std::collections::BTreeMap;

use super::harvest::Kind;
use crate::enumeration::{Level, Signal};

/// How one harvest went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Calls of the harvest that were answered.
    pub calls: u64,
    /// Of those, how many until the steward was told, or the client slowed.
    pub told_after: Option<u64>,
    /// And until a client was blocked.
    pub blocked_after: Option<u64>,
    /// The signal that told first.
    pub signal: Option<Signal>,
    /// Subjects of whom the harvester learnt something before he was told of, and until the end of the run.
    pub learnt_before: u64,
    pub learnt: u64,
}

/// How honest clients fared, and how harvests went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub harvests: BTreeMap<Kind, Found>,
    /// Honest clients, and their calls.
    pub clients: u64,
    pub calls: u64,
    /// Honest clients by the highest level that they rose to: clear, warned, slowed, blocked.
    pub levels: [u64; 4],
    /// Honest calls that were not answered.
    pub refused: u64,
    /// Notices to the steward about honest clients, by their work and the signal.
    pub notices: BTreeMap<(&'static str, Signal), u64>,
}

impl Report {
    /// Honest clients that rose to this level and no higher.
    pub fn at(&self, level: Level) -> u64 {
        self.levels[usize::from(level.number())]
    }

    /// Honest clients that were slowed or blocked.
    pub fn false_alarms(&self) -> u64 {
        self.at(Level::Slow) + self.at(Level::Block)
    }
}
