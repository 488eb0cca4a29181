//! Step 7 for what other nodes have said: their answers become one. Pure.
//!
//! `not_found` is said only where every node that may have the record has said so, or its index has. Of a node that was
//! not heard, nobody knows: unless another has found the record, nothing can be said.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::{
    body::{AnswerBody, OutcomeWord},
    call::{Call, Wanted},
    shape::{self, Columns, Shaped},
};
use crate::{
    catalog::Value,
    engine::Found,
    federation::{End, Told},
    identifiers::NodeId,
    policy::Obligations,
    problem::Code,
    verification::{Reason, mask},
};

/// Refusals that pass by themselves: the case is accepted provisionally, as if the node were away.
const PASSING: [Code; 4] = [Code::RateLimited, Code::QuotaExceeded, Code::EnumerationSlowed, Code::Suspended];

/// What one node had to do with an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeBody {
    /// Its answer, as it has signed it. Left out where a policy of this node says less than that one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Json>,
    /// Since when what its index says has been true, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Why it refused: the problem code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The version that its index was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<u64>,
    /// `answered`, `refused`, `late`, `unreachable`, `suspended` (here), `ruled_out` (by its index), or `own` (this node).
    pub end: String,
    pub node: String,
    /// The policies of that node that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<String>>,
    /// Its receipt for `answer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// What was learnt where the answer lives elsewhere.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// What this node found in the part that it keeps itself.
    pub(super) own: Option<(NodeId, Result<Found, Reason>)>,
    pub(super) columns: Columns,
    pub(super) told: Vec<Told>,
}

/// One part, in this node's words.
struct Part {
    shaped: Shaped,
    node: NodeBody,
}

impl Elsewhere {
    /// The one answer that all parts make.
    pub(super) fn shape(&self, call: &Call, obligations: &Obligations) -> Shaped {
        // What is kept from the caller whatever other parts say; the rest is obliged when they are one.
        let kept = Obligations { fold_not_found: false, masked: Default::default(), ..obligations.clone() };
        let own = self.own.iter().map(|(node, found)| {
            let shaped = match found {
                Ok(found) => {
                    let version = Some((found.version.0, super::answer::timestamp(found.as_of)));
                    Shaped { version, ..shape::shape(call, found, self.columns, &kept) }
                }
                Err(reason) => shape::unanswered(call, *reason),
            };
            Part { shaped, node: node_body(node, "own") }
        });
        let told = self.told.iter().map(|told| part(call, told, obligations));
        let parts: Vec<Part> = own.chain(told).collect();
        let merged = merge(call, &parts);
        Shaped { nodes: parts.into_iter().map(|part| part.node).collect(), ..obliged(call, merged, obligations) }
    }
}

/// One finding, or none anywhere; else nothing can be said.
fn merge(call: &Call, parts: &[Part]) -> Shaped {
    let said = |wanted: fn(OutcomeWord) -> bool| parts.iter().filter(move |part| wanted(part.shaped.outcome));
    let mut finding = said(is_finding);
    let unknown = said(|word| word == OutcomeWord::Indeterminate).next();
    match (finding.next(), finding.next(), unknown) {
        (Some(one), None, _) => one.shaped.clone(),
        // Two registers hold the record: where they say the same, it is said.
        (Some(one), Some(other), _)
            if one.shaped.says_as(&other.shaped) && finding.all(|more| one.shaped.says_as(&more.shaped)) =>
        {
            one.shaped.clone()
        }
        (Some(_), Some(_), _) => shape::unanswered(call, Reason::Ambiguous),
        (None, _, Some(unknown)) => unknown.shaped.clone(),
        (None, _, None) => match parts.first() {
            Some(part) if parts.len() == 1 => part.shaped.clone(),
            Some(_) => shape::not_found(),
            None => shape::unanswered(call, Reason::HolderUnknown),
        },
    }
}

fn is_finding(word: OutcomeWord) -> bool {
    matches!(word, OutcomeWord::Match | OutcomeWord::Mismatch | OutcomeWord::Found)
}

fn part(call: &Call, told: &Told, obligations: &Obligations) -> Part {
    let node = node_body(&told.node, told.end.word());
    let unanswered = |reason| shape::unanswered(call, reason);
    match &told.end {
        End::Answered(answered) => match understood(call, &answered.answer) {
            // Only its own register shows a node to which division a record belongs.
            Some(shaped) if obligations.rows_of.is_some() && is_finding(shaped.outcome) => {
                Part { shaped: unanswered(Reason::OutsideDivision), node }
            }
            Some(shaped) => {
                // What this node's policy withholds is not handed on in another's words.
                let whole = says_no_more(&shaped, call, obligations);
                let answer = whole.then(|| answered.answer.clone());
                let receipt = whole.then(|| answered.receipt.clone());
                Part { shaped, node: NodeBody { answer, receipt, ..node } }
            }
            None => {
                let node = node_body(&told.node, "unreachable");
                Part { shaped: unanswered(Reason::SourceUnavailable), node }
            }
        },
        End::Refused { code, policies } => {
            let policies = Some(policies.clone()).filter(|policies| !policies.is_empty());
            let node = NodeBody { code: Some(code.clone()), policies, ..node };
            let reason = match PASSING.iter().any(|passing| passing.as_str() == code) {
                true => Reason::SourceUnavailable,
                false => Reason::HolderRefused,
            };
            Part { shaped: unanswered(reason), node }
        }
        End::RuledOut { version, as_of } => {
            let node = NodeBody { dataset_version: Some(*version), as_of: Some(as_of.clone()), ..node };
            Part { shaped: shape::not_found(), node }
        }
        End::Late => Part { shaped: unanswered(Reason::DeadlineExceeded), node },
        End::Unreachable | End::Suspended => Part { shaped: unanswered(Reason::SourceUnavailable), node },
    }
}

fn node_body(node: &NodeId, end: &str) -> NodeBody {
    NodeBody {
        answer: None,
        as_of: None,
        code: None,
        dataset_version: None,
        end: end.to_owned(),
        node: node.as_str().to_owned(),
        policies: None,
        receipt: None,
    }
}

/// Another node's answer in this node's terms, if it is one to this call: about the same dataset, and of no field that
/// was not asked.
fn understood(call: &Call, answer: &Json) -> Option<Shaped> {
    let body: AnswerBody = AnswerBody::deserialize(answer).ok()?;
    let asked = |name: &str| call.fields.iter().any(|field| field.as_str() == name);
    let names = |names: &Option<Vec<String>>| -> Vec<_> {
        call.fields.iter().filter(|field| names.iter().flatten().any(|name| name == field.as_str())).cloned().collect()
    };
    let of_the_kind = match (&call.wanted, body.outcome) {
        (_, OutcomeWord::Indeterminate | OutcomeWord::NotFound) => true,
        (Wanted::Comparison(_), OutcomeWord::Match | OutcomeWord::Mismatch) => {
            body.values.is_none() && body.claims.as_ref().is_some_and(|claims| claims.len() == call.fields.len())
        }
        (Wanted::Values, OutcomeWord::Found) => body.values.is_some() && body.claims.is_none(),
        _ => false,
    };
    let of_fields = body.claims.iter().flat_map(|claims| claims.keys()).all(|name| asked(name))
        && body.values.iter().flat_map(|values| values.keys()).all(|name| asked(name));
    if !of_the_kind || !of_fields || body.dataset != call.dataset.id.as_str() {
        return None;
    }
    let unknown = Reason::SourceUnavailable; // A reason that a newer node gives, and this one does not know.
    let reason = body.reason.as_deref().map(|text| Reason::from_text(text).unwrap_or(unknown));
    let (masked, withheld) = (names(&body.masked), names(&body.withheld));
    let objection = match body.objection.as_deref() {
        Some("open") => Some("open"),
        Some("corrected") => Some("corrected"),
        _ => None,
    };
    Some(Shaped {
        outcome: body.outcome,
        reason: reason.or((body.outcome == OutcomeWord::Indeterminate).then_some(unknown)),
        claims: body.claims,
        values: body.values,
        masked,
        withheld,
        objection,
        version: body.dataset_version.zip(body.as_of),
        nodes: Vec::new(),
    })
}

/// Would this node say all of that as well?
fn says_no_more(shaped: &Shaped, call: &Call, obligations: &Obligations) -> bool {
    *shaped == obliged(call, shaped.clone(), obligations)
}

/// This node's own obligations on top of those that the other has met.
fn obliged(call: &Call, mut shaped: Shaped, obligations: &Obligations) -> Shaped {
    let is_hidden = shaped.outcome == OutcomeWord::NotFound || shaped.reason == Some(Reason::OutsideDivision);
    if is_hidden && obligations.fold_not_found {
        let folded = shape::folded(call);
        return Shaped { version: None, nodes: shaped.nodes, ..folded };
    }
    // A claim on a field that may not be used is neither confirmed nor denied, whoever has compared it.
    if is_finding(shaped.outcome) && shaped.values.is_none() && !obligations.dropped.is_empty() {
        return Shaped { nodes: shaped.nodes, ..shape::unanswered(call, Reason::NoValue) };
    }
    let Some(values) = &mut shaped.values else { return shaped };
    for (field, &position) in call.fields.iter().zip(&call.positions) {
        let name = field.as_str();
        if obligations.dropped.contains(field) && values.remove(name).is_some() {
            shaped.masked.retain(|masked| masked != field);
            shaped.withheld.push(field.clone());
        } else if obligations.masked.contains(field)
            && !shaped.masked.contains(field)
            && let Some(value) = values.get_mut(name).filter(|value| !value.is_null())
        {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            *value = mask(call.dataset.fields[position].mask, &Value::Text(text)).into();
            shaped.masked.push(field.clone());
        }
    }
    shaped
}

#[cfg(test)]
mod tests;
