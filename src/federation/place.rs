//! Where the answer to a call lives. Pure.
//!
//! A record is kept by the authority that is responsible for it: the issuer of a licence, the division of a record. Where a
//! call names that authority, or its subject's number does, that one node is asked. Else every node that keeps a part may
//! have it, and the node above them all, which holds an index, is asked first.

use crate::{
    catalog::{Catalog, Placement},
    identifiers::{DivisionCode, NodeId},
};

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// This node alone has the answer.
    Here,
    Ask(Asking),
    /// The call was sent to a node that does not keep the record and may not send it on.
    Nowhere,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// This node keeps a part as well.
    pub own_part: bool,
    /// Every part may have the record: an index, where there is one, says which do not.
    pub anywhere: bool,
    /// Knows where records are; where it answers, nobody else is asked.
    pub guide: Option<NodeId>,
    /// Of each part, the nodes that keep it, in the order in which they are asked.
    pub parts: Vec<Vec<NodeId>>,
}

/// Find the way. `chain`: the nodes that the call has passed before this one.
pub fn route(
    own: &NodeId,
    placement: &Placement,
    authority: Option<&DivisionCode>,
    chain: &[NodeId],
    catalog: &Catalog,
) -> Route {
    let parts = &placement.0;
    if parts.is_empty() {
        return Route::Here;
    }
    let parent = |node: &NodeId| catalog.nodes.get(node).and_then(|node| node.parent.as_ref());
    // A call is sent on for those who are registered here, and for the nodes below: not for the side or from above.
    let may_send_on = chain.last().is_none_or(|from| parent(from) == Some(own));
    let holders = |part: &crate::catalog::Part| -> Vec<NodeId> {
        part.holders().filter(|node| *node != own && !chain.contains(node)).cloned().collect()
    };
    let directed = match parts.as_slice() {
        [only] => Some(only),
        _ => authority.and_then(|division| placement.responsible(division)),
    };
    if let Some(part) = directed {
        return match part.holders().any(|node| node == own) {
            true => Route::Here,
            false if may_send_on && !holders(part).is_empty() => {
                Route::Ask(Asking { parts: vec![holders(part)], ..Asking::default() })
            }
            false => Route::Nowhere,
        };
    }
    let own_part = placement.part_of(own).is_some();
    if !may_send_on {
        return if own_part { Route::Here } else { Route::Nowhere };
    }
    let others = parts.iter().filter(|part| part.holders().all(|node| node != own) && !chain.contains(&part.node));
    let parts: Vec<_> = others.map(holders).filter(|holders| !holders.is_empty()).collect();
    match (own_part, parts.is_empty()) {
        (true, true) => Route::Here,
        (false, true) => Route::Nowhere,
        (_, false) => Route::Ask(Asking { own_part, anywhere: true, guide: parent(own).cloned(), parts }),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::LazyLock};

    use super::*;
    use crate::catalog::{self, Part};

    static GUANGDONG: LazyLock<Catalog> =
        LazyLock::new(|| catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")).unwrap());

    fn id(node: &str) -> NodeId {
        node.parse().unwrap()
    }

    fn part(node: &str, replicas: &[&str], divisions: &[&str]) -> Part {
        Part {
            node: id(node),
            replicas: replicas.iter().map(|node| id(node)).collect(),
            divisions: divisions.iter().map(|code| code.parse().unwrap()).collect(),
        }
    }

    fn ask(own_part: bool, guide: Option<&str>, parts: &[&[&str]]) -> Route {
        let anywhere = own_part || guide.is_some();
        let parts = parts.iter().map(|part| part.iter().map(|node| id(node)).collect()).collect();
        Route::Ask(Asking { own_part, anywhere, guide: guide.map(id), parts })
    }

    #[test]
    fn the_authority_is_asked_where_it_is_known_and_the_node_above_where_not() {
        let two = Placement(vec![part("guangzhou", &[], &["440100"]), part("shenzhen", &["guangdong"], &["440300"])]);
        let one = Placement(vec![part("guangdong", &[], &["440000"])]);
        let check = |own: &str, placement: &Placement, authority: Option<&str>, chain: &[&str], expect: Route| {
            let authority = authority.map(|code| code.parse().unwrap());
            let chain: Vec<_> = chain.iter().map(|node| id(node)).collect();
            let found = route(&id(own), placement, authority.as_ref(), &chain, &GUANGDONG);
            assert_eq!(found, expect, "at {own}, authority {authority:?}, after {chain:?}");
        };
        check("guangzhou", &Placement::default(), None, &[], Route::Here);
        check("guangdong", &one, None, &[], Route::Here);
        check("guangzhou", &one, None, &[], ask(false, None, &[&["guangdong"]]));

        check("guangzhou", &two, Some("440106"), &[], Route::Here);
        check("guangzhou", &two, Some("440305"), &[], ask(false, None, &[&["shenzhen", "guangdong"]]));
        check("guangzhou", &two, None, &[], ask(true, Some("guangdong"), &[&["shenzhen", "guangdong"]]));
        check("guangdong", &two, Some("440106"), &[], ask(false, None, &[&["guangzhou"]]));
        check("guangdong", &two, None, &[], ask(true, None, &[&["guangzhou"]]));

        // Sent on for a node below, without asking that again; not for the side, nor from above.
        check("guangdong", &two, None, &["guangzhou"], Route::Here);
        check("shenzhen", &two, None, &["guangzhou"], Route::Here);
        check("shenzhen", &two, Some("440106"), &["guangzhou"], Route::Nowhere);
        check("guangzhou", &two, None, &["shenzhen", "guangdong"], Route::Here);
        check("shenzhen", &one, None, &["guangdong"], Route::Nowhere);
    }
}
