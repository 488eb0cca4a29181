//! What a replay comes to: how many calls flip, whose, and because of which policy.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    identifiers::{DatasetId, DepartmentId, ItemCode},
    policy::Difference,
};

/// Calls, with the first of them as examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub calls: u64,
    /// Call ids, in the order of the log.
    #[serde(serialize_with = "ids")]
    pub examples: Vec<(u64, String)>,
}

impl Tally {
    pub(super) fn add(&mut self, index: u64, call_id: &str, examples_max: usize) {
        self.calls += 1;
        let is_early = self.examples.len() < examples_max || self.examples.last().is_some_and(|last| index < last.0);
        if is_early && examples_max > 0 {
            let at = self.examples.partition_point(|(earlier, _)| *earlier < index);
            self.examples.insert(at, (index, call_id.to_owned()));
            self.examples.truncate(examples_max);
        }
    }

    pub(super) fn merge(&mut self, other: Self, examples_max: usize) {
        self.calls += other.calls;
        self.examples.extend(other.examples);
        self.examples.sort();
        self.examples.dedup();
        self.examples.truncate(examples_max);
    }

    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().map(|(_, id)| id.as_str())
    }
}

fn ids<S: serde::Serializer>(examples: &[(u64, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(examples.iter().map(|(_, id)| id))
}

/// How an answer would differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlipKind {
    AllowToDeny,
    DenyToAllow,
    /// Allowed before and after, under other obligations.
    Obligations,
    /// The same answer; other policies give it.
    Reasons,
}

impl FlipKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowToDeny => "allow -> deny",
            Self::DenyToAllow => "deny -> allow",
            Self::Obligations => "obligations",
            Self::Reasons => "reasons",
        }
    }
}

/// Calls by the way in which their answer differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub allow_to_deny: u64,
    pub deny_to_allow: u64,
    pub obligations: u64,
    pub reasons: u64,
}

impl Counts {
    pub(super) fn add(&mut self, kind: FlipKind, calls: u64) {
        let count = match kind {
            FlipKind::AllowToDeny => &mut self.allow_to_deny,
            FlipKind::DenyToAllow => &mut self.deny_to_allow,
            FlipKind::Obligations => &mut self.obligations,
            FlipKind::Reasons => &mut self.reasons,
        };
        *count += calls;
    }

    /// Calls that would be answered otherwise.
    pub fn answers(&self) -> u64 {
        self.allow_to_deny + self.deny_to_allow + self.obligations
    }

    pub fn all(&self) -> u64 {
        self.answers() + self.reasons
    }
}

/// Calls of one department, dataset and item that flip in the same way for the same reason.
#[derive(Clone, Debug, Serialize)]
pub struct Flip {
    pub kind: FlipKind,
    pub department: DepartmentId,
    pub dataset: DatasetId,
    pub item: ItemCode,
    /// The policies that make the difference; none where it is the data's, or an earlier set's.
    pub because_of: Vec<String>,
    /// The policies that decide, before and after.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// Obligations that come and that go.
    pub obligations_added: Vec<String>,
    pub obligations_removed: Vec<String>,
    #[serde(flatten)]
    pub tally: Tally,
}

/// A policy that differs between the sets, with the calls that show it.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFlips {
    pub policy: String,
    #[serde(serialize_with = "difference")]
    pub difference: Difference,
    #[serde(flatten)]
    pub counts: Counts,
    pub examples: Vec<String>,
}

fn difference<S: serde::Serializer>(difference: &Difference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(difference.as_str())
}

/// Calls that cannot be decided again.
#[derive(Clone, Debug, Serialize)]
pub struct Undecidable {
    /// One line, lower case: what is gone.
    pub reason: String,
    #[serde(flatten)]
    pub tally: Tally,
}

/// What all calls of a time would be answered under a candidate.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Hashes of the two sets.
    pub in_force: String,
    pub candidate: String,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Was all of that time read? Else the latest calls of it were.
    pub complete: bool,
    /// Records read; calls in the time; of them those that policy decided and those that were refused before it.
    pub records: u64,
    pub calls: u64,
    pub decided: u64,
    pub refused_before: u64,
    /// Different questions among the calls.
    pub questions: u64,
    pub undecidable: Vec<Undecidable>,
    /// Calls that the set in force would today decide otherwise than is recorded: catalogue, agreements or policies have
    /// changed since.
    pub drift: Counts,
    pub drifts: Vec<Flip>,
    /// What the candidate changes.
    pub flipped: Counts,
    pub by_department: BTreeMap<DepartmentId, Counts>,
    pub by_dataset: BTreeMap<DatasetId, Counts>,
    pub by_item: BTreeMap<ItemCode, Counts>,
    /// Every policy that differs, those that no recorded call shows included.
    pub by_policy: Vec<PolicyFlips>,
    /// The most frequent first.
    pub flips: Vec<Flip>,
}
