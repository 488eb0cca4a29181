//! `GET /v1/calls/{call_id}/explanation`: which policies decided a call, and what made them.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        staff::Staff,
    },
    staff_responses::ReadResponses,
};
use crate::{
    exchange::trials::{self, Explained},
    identifiers::CallId,
    policy::{Condition, PolicyExplained},
    problem::{Code, Problem},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Why a call was decided so.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplanationView {
    call_id: String,
    /// When it arrived, RFC 3339.
    time: String,
    /// What has changed since, in words.
    notes: Vec<String>,
    /// `allow` or `deny`.
    decision: &'static str,
    decided_by: Vec<String>,
    obligations: Vec<String>,
    /// Those that decided first.
    policies: Vec<PolicyExplainedView>,
}

/// A policy, evaluated by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyExplainedView {
    id: String,
    /// `permit` or `forbid`.
    effect: &'static str,
    why: String,
    decided: bool,
    /// `true`, `false`, `not reached` or `failed`.
    verdict: &'static str,
    /// Does it speak of this caller, operation and dataset at all?
    in_scope: bool,
    conditions: Vec<ConditionView>,
}

/// A condition of a policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConditionView {
    /// `when` or `unless`.
    clause: &'static str,
    text: String,
    /// `true`, `false`, `not reached` or `failed`.
    verdict: &'static str,
    /// What it reads, with the values in this call. Never a register value.
    attributes: BTreeMap<String, String>,
    /// What a set lacks, where the condition asks whether one set holds another.
    lacking: Option<String>,
}

/// Explain the decision of a recorded call: which policies decided, and which condition and attribute made them.
///
/// For auditors, and for stewards of the department that asked or of the dataset's provider. By the policy set that decided it,
/// where the ledger has it; catalogue and agreements are as they are now. One at a time: the log is read for it.
#[utoipa::path(
    get,
    path = "/v1/calls/{call_id}/explanation",
    tag = "policies",
    params(("call_id" = String, Path, description = "Id of the call, as its answer or refusal names it")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The explanation", body = ExplanationView),
        (status = 404, description = "There is no such call, or none that the reader may see", content_type = "application/problem+json", body = ProblemBody),
        (status = 409, description = "Policy was not asked, or what the call was about is gone", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn explain(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(call): Path<String>,
) -> Result<Response, ProblemResponse> {
    let call: CallId = call.parse().map_err(|_| {
        Problem::new(Code::NotFound, "this is the id of no call").remedy("Send it as an answer or a refusal names it.")
    })?;
    let _place = node.study_place()?;
    let (log, rights) = (node.settings.paths.audit(), node.exchange.rights());
    let explained = Box::pin(trials::explain_call(call, &node.ledger, &log, &rights, &actor)).await?;
    Ok(Json(view(&call, explained)).into_response())
}

fn view(call: &CallId, explained: Explained) -> ExplanationView {
    let Explained { time, notes, explanation } = explained;
    ExplanationView {
        call_id: call.to_string(),
        time: body::rfc3339(time),
        notes,
        decision: if explanation.decision.allows() { "allow" } else { "deny" },
        decided_by: explanation.decision.policies().to_vec(),
        obligations: explanation.decision.obligation_words(),
        policies: explanation.policies.into_iter().map(policy).collect(),
    }
}

fn policy(policy: PolicyExplained) -> PolicyExplainedView {
    let PolicyExplained { id, permits, why, decided, verdict, in_scope, conditions } = policy;
    PolicyExplainedView {
        id,
        effect: if permits { "permit" } else { "forbid" },
        why,
        decided,
        verdict: verdict.as_str(),
        in_scope,
        conditions: conditions.into_iter().map(condition).collect(),
    }
}

fn condition(condition: Condition) -> ConditionView {
    let Condition { unless, text, verdict, attributes, lacking } = condition;
    ConditionView {
        clause: if unless { "unless" } else { "when" },
        text,
        verdict: verdict.as_str(),
        attributes: attributes.into_iter().collect(),
        lacking,
    }
}
