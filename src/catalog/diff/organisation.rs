//! Nodes and departments.

use super::{Changes, Effect, Pair, Subject, breaking, compatible, narrowing, pairs};
use crate::{catalog::Catalog, identifiers::NodeId};

pub(super) fn nodes(changes: &mut Changes, old: &Catalog, new: &Catalog) {
    for (id, pair) in pairs(&old.nodes, &new.nodes) {
        let subject = Subject::Node(id.clone());
        match pair {
            Pair::Removed(_) => changes.add(&subject, Effect::Breaking, "removed"),
            Pair::Added(node) => changes.add(&subject, Effect::Compatible, format!("added ({})", node.name.zh)),
            Pair::Both(before, after) => {
                changes.reworded(&subject, "name", &before.name, &after.name);
                changes.turned(&subject, "division", (before.division, after.division), narrowing);
                let parent = |parent: &Option<NodeId>| parent.as_ref().map_or("none".to_owned(), NodeId::to_string);
                changes.turned(&subject, "parent", (parent(&before.parent), parent(&after.parent)), compatible);
            }
        }
    }
}

pub(super) fn departments(changes: &mut Changes, old: &Catalog, new: &Catalog) {
    for (id, pair) in pairs(&old.departments, &new.departments) {
        let subject = Subject::Department(id.clone());
        match pair {
            Pair::Removed(_) => changes.add(&subject, Effect::Breaking, "removed"),
            Pair::Added(one) => changes.add(&subject, Effect::Compatible, format!("added ({})", one.name.zh)),
            Pair::Both(before, after) => {
                changes.reworded(&subject, "name", &before.name, &after.name);
                // Its items' codes and the audit log name it by this code.
                changes.turned(&subject, "credit_code", (before.credit_code, after.credit_code), breaking);
                changes.turned(&subject, "division", (before.division, after.division), narrowing);
                changes.turned(&subject, "node", (&before.node, &after.node), compatible);
            }
        }
    }
}
