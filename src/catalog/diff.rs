//! What one catalogue changes of another: by node, department, dataset, field and item, in words, and how much it costs.
//!
//! Pure. Uses the types of the catalogue alone; who holds an agreement that a change would break is for a floor above.
//!
//! Promises: a catalogue differs from itself in nothing; what stands in one only is named; every change says whether what
//! worked before still does.

mod dataset;
mod item;
mod organisation;

use std::{collections::BTreeMap, fmt};

use super::Catalog;
use crate::identifiers::{DatasetId, DepartmentId, FieldName, ItemCode, NodeId};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub subject: Subject,
    pub effect: Effect,
    /// One line, such as `disclosure: plain -> masked`.
    pub what: String,
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Node(NodeId),
    Department(DepartmentId),
    Dataset(DatasetId),
    Field(DatasetId, FieldName),
    /// A version of an item.
    Item(ItemCode, u32),
}

/// What a change does to those who use what it changes. The later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// What could be asked can be asked, and is answered as before.
    Compatible,
    /// Less may be asked or shown than before, or it is answered otherwise; nothing that is named goes.
    Narrowing,
    /// Something that an agreement or a call may name is no longer there, or no longer what it was.
    Breaking,
}

impl Effect {
    pub fn word(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Narrowing => "narrowing",
            Self::Breaking => "breaking",
        }
    }
}

/// What `new` changes of `old`, in the order of subjects.
pub fn diff(old: &Catalog, new: &Catalog) -> Vec<Change> {
    let mut changes = Changes::default();
    organisation::nodes(&mut changes, old, new);
    organisation::departments(&mut changes, old, new);
    dataset::datasets(&mut changes, old, new);
    item::items(&mut changes, old, new);
    changes.list
}

/// The worst of some changes; `None` where there are none.
pub fn worst(changes: &[Change]) -> Option<Effect> {
    changes.iter().map(|change| change.effect).max()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "node {id}"),
            Self::Department(id) => write!(f, "department {id}"),
            Self::Dataset(id) => write!(f, "dataset {id}"),
            Self::Field(dataset, field) => write!(f, "field {dataset}.{field}"),
            Self::Item(code, 1) => write!(f, "item {code}"),
            Self::Item(code, version) => write!(f, "item {code} version {version}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10}  {}: {}", self.effect.word(), self.subject, self.what)
    }
}

/// The changes found so far.
#[derive(Default)]
struct Changes {
    list: Vec<Change>,
}

impl Changes {
    fn add(&mut self, subject: &Subject, effect: Effect, what: impl Into<String>) {
        self.list.push(Change { subject: subject.clone(), effect, what: what.into() });
    }

    /// `key: old -> new`, where the two differ.
    fn turned<T: PartialEq + fmt::Display>(
        &mut self,
        subject: &Subject,
        key: &str,
        (old, new): (T, T),
        effect: impl FnOnce(&T, &T) -> Effect,
    ) {
        if old != new {
            let effect = effect(&old, &new);
            self.add(subject, effect, format!("{key}: {old} -> {new}"));
        }
    }

    /// The same where both texts would be long.
    fn reworded<T: PartialEq>(&mut self, subject: &Subject, key: &str, old: &T, new: &T) {
        if old != new {
            self.add(subject, Effect::Compatible, format!("{key} changed"));
        }
    }
}

fn compatible<T>(_: &T, _: &T) -> Effect {
    Effect::Compatible
}

fn narrowing<T>(_: &T, _: &T) -> Effect {
    Effect::Narrowing
}

fn breaking<T>(_: &T, _: &T) -> Effect {
    Effect::Breaking
}

/// A name that is in one of two maps, or in both.
enum Pair<'a, T> {
    Removed(&'a T),
    Added(&'a T),
    Both(&'a T, &'a T),
}

/// Every name of two maps, in order.
fn pairs<'a, K: Ord, T>(
    old: &'a BTreeMap<K, T>,
    new: &'a BTreeMap<K, T>,
) -> impl Iterator<Item = (&'a K, Pair<'a, T>)> {
    let mut all: BTreeMap<&K, Pair<'a, T>> = old.iter().map(|(key, one)| (key, Pair::Removed(one))).collect();
    for (key, after) in new {
        let pair = old.get(key).map_or(Pair::Added(after), |before| Pair::Both(before, after));
        all.insert(key, pair);
    }
    all.into_iter()
}

#[cfg(test)]
mod tests;
