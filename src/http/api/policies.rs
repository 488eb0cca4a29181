//! `/v1/policies`: policy sets, from proposal to roll-back.

mod trials;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Node, body, problem::ProblemBody, problem::ProblemResponse, staff::Staff},
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use crate::{
    exchange::review::{self, Act, Proposal},
    identifiers::Role,
    ledger::{Actor, KeptPolicySet},
    policy::PolicyFiles,
    problem::{Code, Problem},
};

/// Sets answered at once, where nothing was said and at most.
const SETS: u32 = 50;
const SETS_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(roll_back))
        .routes(routes!(trials::check))
        .routes(routes!(trials::test))
        .routes(routes!(trials::replay))
}

/// A set to be proposed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalBody {
    /// Every file of the policies' folder by its name: `shuqiao.cedarschema`, `*.cedar`, `tests/*.yaml`.
    files: BTreeMap<String, String>,
    /// What the change is for. 1 to 2000 characters.
    #[schema(example = "夜间不办理的事项不再受理查询")]
    reason: String,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyReasonBody {
    /// 1 to 2000 characters.
    reason: String,
}

/// Where to roll back to, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBackBody {
    /// The set to roll back to; without it, the one that was active before.
    to: Option<String>,
    /// 1 to 2000 characters.
    reason: String,
}

/// A set that has passed, with what is worth knowing about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExaminedView {
    hash: String,
    /// Cases that were tried, and the share of the policies that decide one, in percent.
    cases: usize,
    coverage: f64,
    /// Questions that were put to prove the locks.
    probes: usize,
    /// What is doubtful, one line each.
    warnings: Vec<String>,
}

/// A policy set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicySetView {
    hash: String,
    /// `proposed`, `active`, `retired` or `rejected`.
    state: &'static str,
    proposed_by: String,
    /// RFC 3339.
    proposed_at: String,
    reason: String,
    /// Who approved or rejected it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    /// The last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
    /// The set that was active when this one was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<String>,
    /// Its files; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<BTreeMap<String, String>>,
}

/// Policy sets, the last proposed first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicySetsBody {
    items: Vec<PolicySetView>,
    /// The set that this node decides by: one of these, or the one in its folder.
    deciding: String,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySetsQuery {
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// List the policy sets, the last proposed first.
#[utoipa::path(
    get,
    path = "/v1/policies",
    tag = "policies",
    params(PolicySetsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = PolicySetsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<PolicySetsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(Role::ALL)?;
    let Query(PolicySetsQuery { limit, after }) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(limit, SETS, SETS_MAX)?;
    let after = after.as_deref().map(cursor).transpose()?;
    let sets = node.ledger.policy_sets(after, limit).await.map_err(ledger_failed)?;
    let last = sets.last().map(|set| format!("{}.{}", set.proposed_at.timestamp_millis(), set.hash));
    let next = last.filter(|_| sets.len() == limit as usize);
    let deciding = node.exchange.rights().policies.hash().to_owned();
    let items = sets.into_iter().map(|set| view(set, None)).collect();
    Ok(Json(PolicySetsBody { items, deciding, next }).into_response())
}

/// Show a policy set with its files.
#[utoipa::path(
    get,
    path = "/v1/policies/{hash}",
    tag = "policies",
    params(("hash" = String, Path, description = "Of the set")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The set", body = PolicySetView),
        (status = 404, description = "There is none of that hash", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(hash): Path<String>,
) -> Result<Response, ProblemResponse> {
    actor.require(Role::ALL)?;
    let kept = review::known(&node.ledger, &hash).await?;
    let files = node.ledger.policy_set_files(&hash).await.map_err(ledger_failed)?;
    Ok(Json(view(kept, files)).into_response())
}

/// Propose a policy set, for somebody else to approve.
///
/// It is read strictly, its cases are tried and the locks are proved; what does not pass is not proposed.
#[utoipa::path(
    post,
    path = "/v1/policies",
    tag = "policies",
    request_body = ProposalBody,
    security(("bearer" = [])),
    responses((status = 201, description = "It is proposed", body = ExaminedView), StaffResponses),
)]
pub(crate) async fn propose(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: ProposalBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let files = review::files(body.files).map_err(|problem| problem.at("/files"))?;
    let act = act(&node, &actor, &body.reason);
    let proposal = Box::pin(review::propose(&node.ledger, &files, &node.exchange.rights(), act)).await?;
    Ok((StatusCode::CREATED, Json(examined(proposal))).into_response())
}

/// Let a proposed set decide: for an approver who has not proposed it.
///
/// Every node that shares the ledger decides by it within a second.
#[utoipa::path(
    post,
    path = "/v1/policies/{hash}/approve",
    tag = "policies",
    params(("hash" = String, Path, description = "Of the set")),
    request_body = PolicyReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It decides", body = ExaminedView),
        (status = 404, description = "There is none of that hash", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn approve(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(hash): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: PolicyReasonBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let folder = PolicyFiles::read(&node.settings.paths.policies).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the policies in the folder cannot be read");
        Problem::new(error.code(), "the policies in the node's folder cannot be read")
    })?;
    let act = act(&node, &actor, &body.reason);
    let proposal = Box::pin(review::approve(&node.ledger, &hash, &folder, &node.exchange.rights(), act)).await?;
    Ok(Json(examined(proposal)).into_response())
}

/// Refuse a proposed set: for an approver; or take it back: for who has proposed it.
#[utoipa::path(
    post,
    path = "/v1/policies/{hash}/reject",
    tag = "policies",
    params(("hash" = String, Path, description = "Of the set")),
    request_body = PolicyReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 204, description = "It is rejected"),
        (status = 404, description = "There is none of that hash", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn reject(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(hash): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: PolicyReasonBody = body::of(request, node.settings.http.body_bytes_max).await?;
    review::reject(&node.ledger, &hash, act(&node, &actor, &body.reason)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Let the set decide again that was active before: for an approver or an operator.
#[utoipa::path(
    post,
    path = "/v1/policies/rollback",
    tag = "policies",
    request_body = RollBackBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The set that decides now", body = PolicySetView),
        (status = 404, description = "There is none of that hash", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn roll_back(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: RollBackBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let act = act(&node, &actor, &body.reason);
    let hash = Box::pin(review::roll_back(&node.ledger, body.to.as_deref(), &node.exchange.rights(), act)).await?;
    let kept = review::known(&node.ledger, &hash).await?;
    Ok(Json(view(kept, None)).into_response())
}

fn act<'a>(node: &Node, actor: &'a Actor, reason: &'a str) -> Act<'a> {
    Act { actor, reason, now: node.now() }
}

fn cursor(text: &str) -> Result<(DateTime<Utc>, &str), Problem> {
    let parts = text.split_once('.');
    let read = parts.and_then(|(millis, hash)| Some((DateTime::from_timestamp_millis(millis.parse().ok()?)?, hash)));
    read.ok_or_else(|| {
        Problem::new(Code::InvalidValue, "`after` is not where a list went on").remedy("Send `next` as it was given.")
    })
}

fn examined(proposal: Proposal) -> ExaminedView {
    let warnings = proposal.doubts.iter().map(|doubt| format!("{}: {}", doubt.policy, doubt.message()));
    ExaminedView {
        cases: proposal.trial.cases.len(),
        coverage: proposal.trial.coverage(),
        probes: proposal.probes,
        warnings: warnings.collect(),
        hash: proposal.hash,
    }
}

fn view(kept: KeptPolicySet, files: Option<BTreeMap<String, String>>) -> PolicySetView {
    PolicySetView {
        hash: kept.hash,
        state: kept.state.as_str(),
        proposed_by: kept.proposed_by,
        proposed_at: body::rfc3339(kept.proposed_at),
        reason: kept.reason,
        decided_by: kept.decided_by,
        decided_at: kept.decided_at.map(body::rfc3339),
        activated_at: kept.activated_at.map(body::rfc3339),
        replaced: kept.replaced,
        files,
    }
}
