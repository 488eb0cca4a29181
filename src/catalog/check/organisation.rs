//! Nodes and departments: who takes part, and where.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        Department, Node,
        complaint::Path,
        inspection::{Declared, Inspection},
        raw::{RawDepartment, RawFile, RawNode},
    },
    bilingual, each,
};
use crate::identifiers::CreditCode;

pub(super) fn nodes(inspection: &mut Inspection, files: &[(String, RawFile)]) -> Declared<Node> {
    let nodes = each(inspection, files, ("nodes", "node", "id"), |file| &file.nodes, |raw| &raw.id, node);
    check_parents(inspection, files, &nodes);
    nodes
}

fn node(inspection: &mut Inspection, path: &Path<'_>, raw: &RawNode) -> Option<Node> {
    let id = inspection.parse(&path.key("id"), &raw.id);
    let name = bilingual(inspection, &path.key("name"), &raw.name);
    let division = inspection.division(&path.key("division"), &raw.division);
    let parent = match &raw.parent {
        Some(parent) => Some(inspection.parse(&path.key("parent"), parent)?),
        None => None,
    };
    Some(Node { id: id?, name: name?, division: division?, parent })
}

/// Every parent is declared, administers its children's divisions, and is not its own descendant.
fn check_parents(inspection: &mut Inspection, files: &[(String, RawFile)], nodes: &Declared<Node>) {
    let mut circles = Circles::default();
    for (file, raw) in files {
        let file = Path::file(file);
        let heading = file.key("nodes");
        for (index, element) in raw.nodes.iter().enumerate() {
            let Some(name) = &element.value.parent else { continue };
            let path = heading.index(index);
            let path = path.key("parent");
            let Some(parent) = inspection.refer(&path, "node", name, nodes) else { continue };
            let Some(node) = nodes.get(&element.value.id.value).and_then(|declared| declared.sound.as_ref()) else {
                continue;
            };
            if circles.holds(node, nodes) {
                let message = format!("the node `{}` stands above itself", node.id);
                inspection.complaints.add(
                    &path,
                    name.position,
                    message,
                    "Break the circle: the topmost node has no parent",
                );
            } else if !parent.division.contains(&node.division) {
                let message = format!("the parent `{}` does not cover division {}", parent.id, node.division);
                inspection.complaints.add(
                    &path,
                    name.position,
                    message,
                    "Name a parent whose division contains this one",
                );
            }
        }
    }
}

/// Which nodes stand above themselves, found out along the way.
#[derive(Default)]
struct Circles<'n> {
    clear: BTreeSet<&'n str>,
    circling: BTreeSet<&'n str>,
}

impl<'n> Circles<'n> {
    /// Walks up until a root or a node already judged, and judges every node on the way, so that each is walked once.
    fn holds(&mut self, node: &'n Node, nodes: &'n Declared<Node>) -> bool {
        let (mut order, mut walked) = (Vec::new(), BTreeMap::new());
        let mut current = Some(node);
        let mut circle_from = None;
        while let Some(node) = current {
            let id = node.id.as_str();
            if self.clear.contains(id) || self.circling.contains(id) {
                break;
            }
            if let Some(&earlier) = walked.get(id) {
                circle_from = Some(earlier);
                break;
            }
            walked.insert(id, order.len());
            order.push(id);
            current = node.parent.as_ref().and_then(|parent| nodes.get(parent.as_str())?.sound.as_ref());
        }
        let circle = order.split_off(circle_from.unwrap_or(order.len()));
        self.clear.extend(order);
        self.circling.extend(circle);
        self.circling.contains(node.id.as_str())
    }
}

pub(super) fn departments(
    inspection: &mut Inspection,
    files: &[(String, RawFile)],
    nodes: &Declared<Node>,
) -> Declared<Department> {
    let mut owners = BTreeMap::new();
    each(
        inspection,
        files,
        ("departments", "department", "id"),
        |file| &file.departments,
        |raw| &raw.id,
        |inspection, path, raw| department(inspection, path, raw, nodes, &mut owners),
    )
}

fn department(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDepartment,
    nodes: &Declared<Node>,
    owners: &mut BTreeMap<CreditCode, String>,
) -> Option<Department> {
    let id = inspection.parse(&path.key("id"), &raw.id);
    let name = bilingual(inspection, &path.key("name"), &raw.name);
    let credit_code = credit_code(inspection, &path.key("credit_code"), raw, owners);
    let division = inspection.division(&path.key("division"), &raw.division);
    let node = inspection.refer(&path.key("node"), "node", &raw.node, nodes);
    if let (Some(division), Some(node)) = (&division, node)
        && !node.division.contains(division)
    {
        let message = format!("the node `{}` does not cover division {division}", node.id);
        let remedy = "Name the node that serves the department's division";
        inspection.complaints.add(&path.key("node"), raw.node.position, message, remedy);
    }
    Some(Department { id: id?, name: name?, credit_code: credit_code?, division: division?, node: node?.id.clone() })
}

/// A credit code belongs to one department: tokens and item codes are traced back through it.
fn credit_code(
    inspection: &mut Inspection,
    path: &Path<'_>,
    raw: &RawDepartment,
    owners: &mut BTreeMap<CreditCode, String>,
) -> Option<CreditCode> {
    let code: CreditCode = inspection.parse(path, &raw.credit_code)?;
    match owners.get(&code) {
        Some(owner) if *owner != raw.id.value => {
            let message = format!("the credit code is already that of the department `{owner}`");
            inspection.complaints.add(path, raw.credit_code.position, message, "Give each department its own");
            None
        }
        Some(_) => Some(code),
        None => {
            owners.insert(code, raw.id.value.clone());
            Some(code)
        }
    }
}
