//! Where the records of a dataset are kept: here, at another node, or divided over several.
//!
//! Uses the types of the catalogue. A part is found by the division responsible for the record, which its subject's number
//! does not tell: people move, and numbers stay.

use crate::identifiers::{DivisionCode, NodeId};

/// The records that one node keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub node: NodeId,
    /// Nodes that keep a copy, to be asked where the first is slow or away.
    pub replicas: Vec<NodeId>,
    /// Responsible for the records: the divisions named, else the node's own.
    pub divisions: Vec<DivisionCode>,
}

impl Part {
    /// The node and those that keep a copy, in the order in which they are asked.
    pub fn holders(&self) -> impl Iterator<Item = &NodeId> {
        std::iter::once(&self.node).chain(&self.replicas)
    }
}

/// All parts of a dataset; none where every node that publishes it answers by its own records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement(pub Vec<Part>);

impl Placement {
    /// The part whose authority is responsible for that division: of several, the one of the smallest area.
    pub fn responsible(&self, division: &DivisionCode) -> Option<&Part> {
        let areas = self.0.iter().flat_map(|part| part.divisions.iter().map(move |area| (area, part)));
        areas.filter(|(area, _)| area.contains(division)).max_by_key(|(area, _)| area.level()).map(|(_, part)| part)
    }

    /// Does that node keep a part of the records, or a copy of one?
    pub fn part_of(&self, node: &NodeId) -> Option<&Part> {
        let of_its_own = self.0.iter().find(|part| part.node == *node);
        of_its_own.or_else(|| self.0.iter().find(|part| part.replicas.contains(node)))
    }

    /// One word for every part, for people: `shenzhen (copies: guangdong)`.
    pub fn words(&self) -> String {
        if self.0.is_empty() {
            return "here".to_owned();
        }
        let words = |part: &Part| match part.replicas.as_slice() {
            [] => part.node.to_string(),
            replicas => {
                let replicas: Vec<_> = replicas.iter().map(NodeId::as_str).collect();
                format!("{} (copies: {})", part.node, replicas.join(", "))
            }
        };
        self.0.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(node: &str, divisions: &[&str]) -> Part {
        let divisions = divisions.iter().map(|code| code.parse().unwrap()).collect();
        Part { node: node.parse().unwrap(), replicas: Vec::new(), divisions }
    }

    #[test]
    fn the_smallest_area_is_responsible_and_nobody_is_for_what_is_outside() {
        let placement = Placement(vec![part("guangdong", &["440000"]), part("shenzhen", &["440300"])]);
        let node = |code: &str| placement.responsible(&code.parse().unwrap()).map(|part| part.node.to_string());
        assert_eq!(node("440305").as_deref(), Some("shenzhen"));
        assert_eq!(node("440106").as_deref(), Some("guangdong"));
        assert_eq!(node("110000"), None);
    }
}
