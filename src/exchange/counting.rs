//! Statements over several nodes: which nodes keep the records, and how they are asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    answer::{Asker, Exchange, sha256},
    rights::InForce,
    statistics::Statement,
};
use crate::{
    catalog::{Catalog, Item},
    engine::statistics::{PeerCounts, PeerFailure, PeerSaid, Peers, Spread},
    federation::{Federation, Forwarding, NoCounts},
    identifiers::{CaseNo, NodeId},
    ledger::Target,
};

/// Of the time that a statement may take, what other nodes may: what they tell must still be put together.
const SHARE_OF_OTHERS: f64 = 0.8;

/// The nodes that a statement may be put to; none where it was forwarded, for then only records that are kept here count.
pub(super) struct Nodes(Option<(Spread, Arc<Others>)>);

impl Nodes {
    pub(super) fn of(
        exchange: &Exchange,
        (asked, asker): (&Statement<'_>, &Asker),
        (item, case): (&Item, &CaseNo),
        in_force: &InForce,
    ) -> Self {
        let Some(federation) = exchange.parts.federation.clone().filter(|_| asker.forwarding.is_none()) else {
            return Self(None);
        };
        let spread = spread(federation.own(), &in_force.rights.catalog);
        let others = spread.nodes.values().flatten();
        let stopped = others.filter(|node| in_force.rights.suspensions.get(&Target::Peer((*node).clone())).is_some());
        let others = Others {
            stopped: stopped.cloned().collect(),
            forwarding: Forwarding {
                chain: vec![federation.own().clone()],
                client: asker.caller.client.clone(),
                department: asker.caller.department.clone(),
                roles: asker.caller.roles.clone(),
                item: item.code.clone(),
                case: Some(case.clone()),
                operator: None, // the account is the person's own
                call_id: asked.call_id,
                request_sha256: [0; 32], // each node is asked its own statement
                budget_ms: 0,
                came_with: None, // a statement is sent on by nobody
            },
            federation,
            budget: exchange.statistics.limits.deadline.mul_f64(SHARE_OF_OTHERS),
            now: asked.received,
        };
        Self(Some((spread, Arc::new(others))))
    }

    pub(super) fn spread(&self) -> Option<&Spread> {
        self.0.as_ref().map(|(spread, _)| spread)
    }

    pub(super) fn peers(self) -> Option<Arc<dyn Peers>> {
        self.0.map(|(_, others)| others as Arc<dyn Peers>)
    }
}

/// The datasets whose records this node does not keep alone. A part of which this node has a copy is counted here.
fn spread(own: &NodeId, catalog: &Catalog) -> Spread {
    let mut nodes = BTreeMap::new();
    for (id, dataset) in &catalog.datasets {
        let parts = dataset.placement.0.iter();
        let holders = parts.map(|part| if part.holders().any(|node| node == own) { own } else { &part.node });
        let holders: BTreeSet<NodeId> = holders.cloned().collect();
        if holders.iter().any(|node| node != own) {
            nodes.insert(id.clone(), holders.into_iter().collect());
        }
    }
    Spread { own: own.clone(), nodes }
}

/// Asks other nodes, each with a token over the statement that it gets.
struct Others {
    federation: Arc<Federation>,
    forwarding: Forwarding,
    /// Suspended here.
    stopped: BTreeSet<NodeId>,
    budget: Duration,
    now: DateTime<Utc>,
}

#[async_trait]
impl Peers for Others {
    async fn count(&self, node: &NodeId, statement: &str) -> Result<PeerCounts, PeerFailure> {
        if self.stopped.contains(node) {
            return Err(PeerFailure { end: "suspended", code: None });
        }
        let request_sha256 = sha256(statement.as_bytes());
        let forwarding = Forwarding { request_sha256, ..self.forwarding.clone() };
        let counted = self.federation.count(node, statement, &forwarding, (self.budget, self.now)).await;
        let counts = counted.map_err(|none| PeerFailure {
            end: none.word(),
            code: match none {
                NoCounts::Refused { code } => Some(code),
                NoCounts::Late | NoCounts::Unreachable => None,
            },
        })?;
        let said = |name: &str| counts.said.get(name).cloned().unwrap_or_default();
        let about = PeerSaid {
            suppressed: said("suppressed").parse().unwrap_or_default(),
            cell_min: said("cell_min").parse().unwrap_or_default(),
            call_id: said("call_id"),
            dataset_version: said("dataset_version"),
            as_of: said("as_of"),
        };
        Ok(PeerCounts { batches: counts.batches, about })
    }
}
