//! To which nodes a dataset is returned (数据回流), and from which one this catalogue's copy of it comes.
//!
//! Uses the types of the catalogue. The node that keeps a register for a whole province hands each city the records of the
//! city's own residents: for a department of that city and one of its service items, as anything that is disclosed.

use crate::identifiers::{DepartmentId, DivisionCode, FieldName, ItemCode, NodeId};

/// A dataset is returned to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    pub node: NodeId,
    /// That node's own: it gets the records of this division, and of no other.
    pub division: DivisionCode,
    /// Who uses it there, for the sake of which of its items. The agreement of the two is the ground.
    pub department: DepartmentId,
    pub item: ItemCode,
    /// What leaves at the most, in the order of the dataset's fields; the key is among them.
    pub fields: Vec<FieldName>,
}

/// Both ends of the returns of a dataset. A catalogue usually has one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    /// The nodes that get their part of it, each once.
    pub to: Vec<Return>,
    /// The node whose returns fill it here.
    pub from: Option<NodeId>,
}

impl Returns {
    /// What that node gets, if anything.
    pub fn to_node(&self, node: &NodeId) -> Option<&Return> {
        self.to.iter().find(|one| one.node == *node)
    }

    /// The node that fills the dataset here, where this one is not that node itself.
    pub fn source(&self, own: &NodeId) -> Option<&NodeId> {
        self.from.as_ref().filter(|from| *from != own)
    }

    /// For people, such as `to shenzhen (resident_id, name)`.
    pub fn words(&self) -> String {
        let to = |one: &Return| {
            let fields: Vec<_> = one.fields.iter().map(FieldName::as_str).collect();
            format!("to {} for {} ({})", one.node, one.item, fields.join(", "))
        };
        let from = self.from.iter().map(|node| format!("from {node}"));
        let words: Vec<_> = from.chain(self.to.iter().map(to)).collect();
        if words.is_empty() { "none".to_owned() } else { words.join("; ") }
    }
}
