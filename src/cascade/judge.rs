//! Which entries are taken of what another node tells. Pure.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use serde_json::Value;

use super::page::Told;
use crate::{
    catalog::{Catalog, Entry},
    identifiers::{DatasetId, NodeId},
    ledger::NamedEntry,
};

/// Nodes that an entry may pass: city, province, nation, and one for a district.
const PATH_MAX: usize = 4;

/// Whose entries are judged, by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judge<'j> {
    pub(super) own: &'j NodeId,
    pub(super) sender: &'j NodeId,
    /// The judging node's own.
    pub(super) catalog: &'j Catalog,
}

/// An entry that is not taken.
#[derive(Debug)]
pub(super) struct Refused {
    /// Where it can be told: what stood under that name before is no longer what its origin says.
    pub(super) named: Option<NamedEntry>,
    pub(super) reason: String,
}

impl Judge<'_> {
    /// Take one change of a feed, or say what is wrong with it.
    pub(super) fn judge(&self, change: Value) -> Result<NamedEntry, Box<Refused>> {
        let refused = |named, reason| Box::new(Refused { named, reason });
        let told: Told = serde_json::from_value(change).map_err(|error| refused(None, error.to_string()))?;
        self.speaks_for(&told).map_err(|reason| refused(None, reason))?;
        let Told { origin, dataset, path, changed, entry, .. } = told;
        let text = entry.as_ref().map(Value::to_string);
        let judged = text.as_deref().map_or(Ok(()), |text| self.check(&origin, &dataset, text));
        let named = NamedEntry { origin, dataset, path, changed, text: text.filter(|_| judged.is_ok()) };
        match judged {
            Ok(()) => Ok(named),
            Err(reason) => Err(refused(Some(named), reason)),
        }
    }

    /// May the sender tell of that origin? Each node tells of itself, and of nodes below it.
    fn speaks_for(&self, told: &Told) -> Result<(), String> {
        let (origin, path) = (&told.origin, &told.path);
        if path.first() != Some(origin) || path.last() != Some(self.sender) {
            return Err(format!("its path does not lead from `{origin}` to `{}`", self.sender));
        }
        if path.contains(self.own) {
            return Err("it has passed this node before".to_owned());
        }
        if path.len() > PATH_MAX || (1..path.len()).any(|index| path[..index].contains(&path[index])) {
            return Err("it has passed too many nodes, or one of them twice".to_owned());
        }
        match self.catalog.nodes.contains_key(origin) && !self.is_below(origin) {
            true => Err(format!("`{origin}` is not below `{}` in this node's catalogue", self.sender)),
            false => Ok(()),
        }
    }

    /// Is the sender met before this node, on the way up?
    fn is_below(&self, origin: &NodeId) -> bool {
        let mut at = Some(origin);
        while let Some(node) = at.filter(|node| *node != self.own) {
            if node == self.sender {
                return true;
            }
            at = self.catalog.nodes.get(node).and_then(|node| node.parent.as_ref());
        }
        false
    }

    fn check(&self, origin: &NodeId, dataset: &DatasetId, text: &str) -> Result<(), String> {
        let entry = Entry::read(text).map_err(|error| match error.complaints() {
            [] => error.to_string(),
            [first, ..] => format!("{}: {}", first.path, first.message),
        })?;
        if entry.dataset.id != *dataset || entry.node.id != *origin {
            return Err(format!("it is `{}` of `{}`, not what it is told as", entry.dataset.id, entry.node.id));
        }
        let area = self.catalog.nodes.get(origin).map(|node| &node.division);
        match area.filter(|area| !area.contains(&entry.provider.division)) {
            Some(area) => Err(format!("its provider's division {} is not in {area}", entry.provider.division)),
            None => Ok(()),
        }
    }
}

/// What entries are judged by, in short: the program, and the nodes of this node's catalogue.
pub(super) fn rules(catalog: &Catalog) -> String {
    let mut text = env!("CARGO_PKG_VERSION").to_owned();
    for node in catalog.nodes.values() {
        let parent = node.parent.as_ref().map_or("", NodeId::as_str);
        let _ = write!(text, "\n{} {} {parent}", node.id, node.division);
    }
    hex::encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}
