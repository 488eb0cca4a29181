//! Calls from one node to another: taken in from those who forward them, and sent on to those who keep the record.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{
    answer::{Answer, Asker, Exchange, Purpose, Refusal},
    call::Call,
    elsewhere::Elsewhere,
    incoming::{Credential, Incoming},
    rights::InForce,
    shape::{self, Columns, Shaped},
};
use crate::{
    audit::{AskedNode, sha256},
    catalog::Catalog,
    engine::Found,
    federation::{Asking, End, Errand, Federation, Forwarding, LIFE, Repeated, Route, Told, route},
    identifiers::{ClientId, NodeId, Roles},
    identity::Caller,
    ledger::Target,
    policy::Obligations,
    problem::{Code, Problem},
    verification::Reason,
};

/// How long an answer is kept for a second try, beyond the life of its token.
const KEPT_LONGER: TimeDelta = TimeDelta::seconds(60);

/// What step 6 has learnt.
pub(super) enum Looked {
    Here { found: Result<Found, Reason>, columns: Columns },
    Elsewhere(Elsewhere),
    Nowhere,
}

impl Looked {
    pub(super) fn shape(&self, call: &Call, obligations: &Obligations) -> Shaped {
        match self {
            Self::Here { found: Ok(found), columns } => shape::shape(call, found, *columns, obligations),
            Self::Here { found: Err(reason), .. } => shape::unanswered(call, *reason),
            Self::Elsewhere(elsewhere) => elsewhere.shape(call, obligations),
            Self::Nowhere => shape::unanswered(call, Reason::HolderUnknown),
        }
    }

    /// What this node's own register had, where it alone was asked.
    pub(super) fn found(&self) -> Option<&Found> {
        match self {
            Self::Here { found, .. } => found.as_ref().ok(),
            Self::Elsewhere(_) | Self::Nowhere => None,
        }
    }

    pub(super) fn into_found(self) -> Option<Found> {
        match self {
            Self::Here { found, .. } => found.ok(),
            Self::Elsewhere(_) | Self::Nowhere => None,
        }
    }

    /// The nodes that were asked, for the record.
    pub(super) fn asked(&self) -> Vec<AskedNode> {
        let Self::Elsewhere(elsewhere) = self else { return Vec::new() };
        let asked = elsewhere.told.iter().map(|told| AskedNode {
            node: told.node.clone(),
            end: told.end.word().to_owned(),
            receipt_sha256: match &told.end {
                End::Answered(answered) => Some(sha256(answered.receipt.as_bytes())),
                _ => None,
            },
        });
        asked.collect()
    }
}

impl<'a> Incoming<'a> {
    /// What other nodes are sent, and its digest: the caller's own body, where they can read it.
    fn to_send(&self) -> (&'a [u8], [u8; 32]) {
        match self.credential {
            Credential::Signed { own_form, .. } => (own_form, sha256(own_form).0),
            Credential::Missing | Credential::Bearer(_) | Credential::Forwarded(_) | Credential::Filed { .. } => {
                (self.body, self.request_sha256)
            }
        }
    }
}

impl Exchange {
    /// Answer a call that another node forwards. A second try of the same call gets the answer of the first.
    pub async fn answer_forwarded(
        &self,
        token: Option<&str>,
        from: &NodeId,
        incoming: Incoming<'_>,
    ) -> Result<Answer, Refusal> {
        let (digest, now) = (incoming.request_sha256, incoming.received);
        let accepted = self.accept(token, from, digest, now).await;
        let Ok(forwarding) = &accepted else {
            return self.answer(Incoming { credential: Credential::Forwarded(&accepted), ..incoming }).await;
        };
        let (key, until) = ((from.clone(), forwarding.call_id), now + LIFE + KEPT_LONGER);
        let again = incoming.clone();
        let answer = || self.answer(Incoming { credential: Credential::Forwarded(&accepted), ..incoming });
        match Box::pin(self.repeats.once(key, digest, (now, until), answer)).await {
            Ok(answered) => answered,
            Err(repeated) => {
                let refused = Err(repeated_call(repeated));
                self.answer(Incoming { credential: Credential::Forwarded(&refused), ..again }).await
            }
        }
    }

    /// The token of what another node forwards, as far as it holds.
    pub async fn accept(
        &self,
        token: Option<&str>,
        from: &NodeId,
        request_sha256: [u8; 32],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Forwarding, Problem> {
        let Some(federation) = &self.parts.federation else {
            return Err(Problem::new(Code::PeerUnknown, "this node takes no calls from others"));
        };
        let Some(token) = token else {
            return Err(Problem::new(Code::TokenMissing, "the forwarded call came without its token")
                .remedy("Send it as `authorization: Bearer ...`."));
        };
        federation.accept(token, from, request_sha256, now).await.map_err(|error| {
            Problem::new(error.code(), error.to_string()).remedy("The operators of the two nodes have to look at this.")
        })
    }

    /// Where the answer lives.
    pub(super) fn route(&self, asker: &Asker, call: &Call, catalog: &Catalog) -> Route {
        match &self.parts.federation {
            Some(federation) => {
                let placement = &call.dataset.placement;
                route(federation.own(), placement, call.authority.as_ref(), asker.chain(), catalog)
            }
            None => Route::Here,
        }
    }

    /// Step 6: look where the answer lives.
    pub(super) async fn look_up(
        &self,
        incoming: &Incoming<'_>,
        asker: &Asker,
        call: &Call,
        (purpose, obligations): (&Purpose, &Obligations),
        in_force: &InForce,
    ) -> Looked {
        let (positions, columns) = shape::positions_to_read(call, obligations);
        match (&purpose.route, &self.parts.federation) {
            (Route::Ask(asking), Some(federation)) => {
                let elsewhere = self.ask(federation, asking, (incoming, asker, call), in_force, &positions);
                Looked::Elsewhere(Elsewhere { columns, ..Box::pin(elsewhere).await })
            }
            (Route::Nowhere, _) => Looked::Nowhere,
            _ => Looked::Here { found: self.look_up_here(call, &positions).await, columns },
        }
    }

    async fn ask(
        &self,
        federation: &Arc<Federation>,
        asking: &Asking,
        (incoming, asker, call): (&Incoming<'_>, &Asker, &Call),
        in_force: &InForce,
        positions: &[usize],
    ) -> Elsewhere {
        let (body, request_sha256) = incoming.to_send();
        let (chain, now) = ([asker.chain(), &[federation.own().clone()]].concat(), incoming.received);
        let forwarding = Forwarding {
            chain,
            client: asker.forwarding.as_ref().map_or_else(|| asker.caller.client.clone(), |it| it.client.clone()),
            department: asker.caller.department.clone(),
            roles: Roles::default(), // calls are made by systems
            item: call.item.code.clone(),
            case: call.case.clone(),
            operator: call.operator.clone(),
            call_id: incoming.call_id,
            request_sha256,
            budget_ms: 0, // each try has its own
            came_with: asker.forwarding.as_ref().and_then(|it| it.came_with.clone()),
        };
        let errand = Errand { operation: incoming.operation, body, forwarding };
        let budget = asker.forwarding.as_ref().map(|it| Duration::from_millis(it.budget_ms));
        let deadline = federation.deadline(budget);
        let own = async {
            match asking.own_part {
                true => Some((federation.own().clone(), self.look_up_here(call, positions).await)),
                false => None,
            }
        };
        let others = async {
            if let Some(guide) = &asking.guide {
                let (parts, mut told) = going_on(in_force, vec![vec![guide.clone()]]);
                told.extend(federation.ask(&errand, &parts, deadline, now).await);
                if guide_has_said(&told) {
                    return told;
                }
            }
            let (parts, stopped) = going_on(in_force, asking.parts.clone());
            let subject = (&call.subject_field, call.subject.as_str());
            let (parts, ruled_out) = match asking.anywhere {
                true => federation.rule_out(parts, &call.dataset.id, subject),
                false => (parts, Vec::new()), // Whoever is responsible says it better than its index.
            };
            let told = federation.ask(&errand, &parts, deadline, now).await;
            [stopped, ruled_out, told].concat()
        };
        let (own, told) = tokio::join!(own, others);
        Elsewhere { own, told, columns: Columns::default() }
    }
}

/// Has the node been heard that knows where records are? Without it everybody is asked, which is slower and as good.
pub(super) fn guide_has_said(told: &[Told]) -> bool {
    !matches!(told, [Told { end: End::Unreachable | End::Suspended | End::Late, .. }])
}

/// Leave out the nodes that are suspended here, and tell of parts that nobody is left to ask for.
fn going_on(in_force: &InForce, parts: Vec<Vec<NodeId>>) -> (Vec<Vec<NodeId>>, Vec<Told>) {
    let suspended = |node: &NodeId| in_force.rights.suspensions.get(&Target::Peer(node.clone())).is_some();
    let (mut left, mut told) = (Vec::new(), Vec::new());
    for mut holders in parts {
        let first = holders.first().cloned();
        holders.retain(|node| !suspended(node));
        match (holders.is_empty(), first) {
            (true, Some(node)) => told.push(Told { node, end: End::Suspended, took: Duration::ZERO }),
            _ => left.push(holders),
        }
    }
    (left, told)
}

/// Step 1 for a forwarded call. The client is another node's, and is named so.
pub(super) fn forwarded(accepted: &Result<Forwarding, Problem>) -> Result<Asker, Problem> {
    let forwarding = accepted.as_ref().map_err(Problem::clone)?;
    let origin = forwarding.origin().map_or("", NodeId::as_str);
    let client: ClientId = format!("{origin}--{}", forwarding.client).parse().map_err(|_| {
        Problem::new(Code::PeerTokenInvalid, "the client's name is too long to be known by at another node")
    })?;
    let caller = Caller {
        client,
        department: forwarding.department.clone(),
        roles: Default::default(),
        token_id: forwarding.call_id.to_string(),
        expires: chrono::DateTime::<chrono::Utc>::MAX_UTC,
    };
    Ok(Asker { caller, forwarding: Some(forwarding.clone()) })
}

/// The token was made for the item, the case and the operator that the body names.
pub(super) fn same_purpose(forwarding: &Forwarding, call: &Call) -> Result<(), Problem> {
    match forwarding.item == call.item.code && forwarding.case == call.case && forwarding.operator == call.operator {
        true => Ok(()),
        false => {
            let detail = "the token names another item, case or operator than the call";
            Err(Problem::new(Code::PeerTokenInvalid, detail))
        }
    }
}

/// A node speaks for the departments that are registered with it, by this node's catalogue, and for no other.
pub(super) fn speaks_for_its_own(forwarding: &Forwarding, catalog: &Catalog) -> Result<(), Problem> {
    let (department, origin) = (&forwarding.department, forwarding.origin());
    let home = catalog.departments.get(department).map(|department| &department.node);
    if home.is_some() && home == origin {
        return Ok(());
    }
    let home = home.map_or_else(|| "is in no catalogue here".to_owned(), |home| format!("belongs to node `{home}`"));
    let origin = origin.map_or("", NodeId::as_str);
    Err(Problem::new(Code::PeerDepartment, format!("the call came in at `{origin}`; department `{department}` {home}"))
        .remedy("Call at the department's own node, or let the stewards bring the two catalogues together."))
}

fn repeated_call(repeated: Repeated) -> Problem {
    let detail = match repeated {
        Repeated::OtherBody => "the same call came with another body before",
        Repeated::Gone => "the call was answered before, and its answer is no longer here",
    };
    Problem::new(Code::PeerCallRepeated, detail).remedy("Let the caller make a new call.")
}
