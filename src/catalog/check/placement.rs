//! Where the records of a dataset are kept.

use std::collections::BTreeSet;

use super::super::{
    Node, Part, Placement,
    complaint::{Path, quoted},
    inspection::{Declared, Inspection},
    raw::RawPart,
    yaml::At,
};
use crate::identifiers::{DivisionCode, NodeId};

/// Each node keeps one part, each division is in one; the outer `None` means that something was wrong.
pub(super) fn placement(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &[At<RawPart>],
    nodes: &Declared<Node>,
) -> Option<Placement> {
    let (mut kept, mut parts) = (BTreeSet::new(), Vec::new());
    for (index, element) in raw.iter().enumerate() {
        let path = path.index(index);
        let raw = &element.value;
        let Some(part) = part(inspection, &path, raw, nodes) else { continue };
        if !kept.insert(part.node.clone()) {
            let message = format!("the node {} keeps two parts", quoted(&raw.node.value));
            inspection.complaints.add(&path.key("node"), raw.node.position, message, "Join its divisions in one part");
        }
        parts.push((part, element.position));
    }
    let mut divided = BTreeSet::new();
    for (index, (part, position)) in parts.iter().enumerate() {
        for division in part.divisions.iter().filter(|division| !divided.insert(**division)) {
            let message = format!("the division {division} is in two parts");
            inspection.complaints.add(&path.index(index), *position, message, "Leave it in one of them");
        }
    }
    (parts.len() == raw.len()).then(|| Placement(parts.into_iter().map(|(part, _)| part).collect()))
}

fn part(inspection: &mut Inspection, path: &Path<'_>, raw: &RawPart, nodes: &Declared<Node>) -> Option<Part> {
    let node = inspection.refer(&path.key("node"), "node", &raw.node, nodes).cloned();
    let replicas: Option<Vec<NodeId>> = {
        let path = path.key("replicas");
        let found =
            raw.replicas.iter().enumerate().map(|(index, name)| {
                inspection.refer(&path.index(index), "node", name, nodes).map(|node| node.id.clone())
            });
        found.collect()
    };
    let divisions: Option<Vec<DivisionCode>> = {
        let path = path.key("divisions");
        let found = raw.divisions.iter().enumerate().map(|(index, code)| inspection.division(&path.index(index), code));
        found.collect()
    };
    let node = node?;
    let divisions = divisions.map(|named| if named.is_empty() { vec![node.division] } else { named });
    Some(Part { node: node.id, replicas: replicas?, divisions: divisions? })
}
