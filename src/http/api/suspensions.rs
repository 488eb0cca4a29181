//! `/v1/suspensions` and `/v1/acts`: the kill switches, and who did what.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Node, body, problem::ProblemResponse, staff::Staff},
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use crate::{
    catalog::Catalog,
    identifiers::Role,
    ledger::{Act, Actor, Suspension, Target},
    problem::{Code, Problem},
};

/// Acts answered at once, where nothing was said and at most.
const ACTS: u32 = 50;
const ACTS_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(list, suspend)).routes(routes!(resume)).routes(routes!(acts))
}

/// What is to be stopped or to go on, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchBody {
    /// `everything`, `client:NAME`, `agreement:NAME`, `dataset:NAME`, `field:DATASET.FIELD` or `peer:NODE`.
    #[schema(example = "dataset:natural-person")]
    target: String,
    /// Why, for colleagues and auditors; callers are not told. 1 to 2000 characters.
    #[schema(example = "数据源通报错误，暂停核验")]
    reason: String,
}

/// Something that is stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuspensionBody {
    target: String,
    /// RFC 3339.
    since: String,
    /// Who stopped it: an account, or `on-site`.
    account: String,
    reason: String,
}

/// Everything that is stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuspensionsBody {
    items: Vec<SuspensionBody>,
}

/// Acts, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActsBody {
    items: Vec<ActBody>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One act.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActBody {
    /// Rises by the order of acts.
    number: i64,
    /// RFC 3339.
    at: String,
    /// The account, or `on-site`.
    account: String,
    /// What was done.
    act: String,
    /// To what.
    subject: String,
    reason: String,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActsQuery {
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<i64>,
}

/// List what is suspended.
#[utoipa::path(
    get,
    path = "/v1/suspensions",
    tag = "suspensions",
    security(("bearer" = [])),
    responses((status = 200, description = "Everything that is stopped", body = SuspensionsBody), ReadResponses),
)]
pub(crate) async fn list(State(node): State<Arc<Node>>, Staff(actor): Staff) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Operator, Role::Steward, Role::Approver, Role::Auditor])?;
    let all = node.ledger.suspensions().await.map_err(ledger_failed)?;
    let items = all.iter().map(|(target, one)| shown(target, one)).collect();
    Ok(Json(SuspensionsBody { items }).into_response())
}

/// Stop something, within a second and on every node that shares the ledger.
///
/// An operator may stop anything; a steward the datasets and fields of the steward's own department.
#[utoipa::path(
    post,
    path = "/v1/suspensions",
    tag = "suspensions",
    request_body = SwitchBody,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "It is stopped", body = SuspensionBody),
        StaffResponses,
    ),
)]
pub(crate) async fn suspend(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let (target, body) = switch(&node, &actor, request).await?;
    if !node.ledger.suspend(&target, actor.account.as_str(), &body.reason, node.now()).await.map_err(ledger_failed)? {
        let problem = Problem::new(Code::Conflict, format!("`{target}` is suspended already"));
        return Err(problem.remedy("See `GET /v1/suspensions` for since when and why.").into());
    }
    let since = node.now();
    let one = Suspension { reason: body.reason, account: actor.account.to_string(), since };
    Ok((StatusCode::CREATED, Json(shown(&target, &one))).into_response())
}

/// Let something that was stopped go on.
#[utoipa::path(
    post,
    path = "/v1/suspensions/resume",
    tag = "suspensions",
    request_body = SwitchBody,
    security(("bearer" = [])),
    responses((status = 204, description = "It goes on"), StaffResponses),
)]
pub(crate) async fn resume(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let (target, body) = switch(&node, &actor, request).await?;
    if node.ledger.resume(&target, actor.account.as_str(), &body.reason, node.now()).await.map_err(ledger_failed)? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let problem = Problem::new(Code::Conflict, format!("`{target}` is not suspended"));
    Err(problem.remedy("See `GET /v1/suspensions` for what is.").into())
}

/// List who did what in the ledger, and why, the latest first.
#[utoipa::path(
    get,
    path = "/v1/acts",
    tag = "suspensions",
    params(ActsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = ActsBody), ReadResponses),
)]
pub(crate) async fn acts(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<ActsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Auditor, Role::Operator])?;
    let Query(ActsQuery { limit, after }) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(limit, ACTS, ACTS_MAX)?;
    let acts = node.ledger.acts(after, limit).await.map_err(ledger_failed)?;
    let next = (acts.len() == limit as usize).then(|| acts.last().map(|act| act.number.to_string())).flatten();
    let shown = |Act { number, at, account, act, subject, reason }| ActBody {
        number,
        at: body::rfc3339(at),
        account,
        act,
        subject,
        reason,
    };
    Ok(Json(ActsBody { items: acts.into_iter().map(shown).collect(), next }).into_response())
}

/// Read what is to be switched; it exists, and is the actor's to switch.
async fn switch(node: &Node, actor: &Actor, request: Request) -> Result<(Target, SwitchBody), Problem> {
    let body: SwitchBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let target: Target = body.target.parse().map_err(|error: crate::identifiers::IdentifierError| {
        Problem::new(Code::InvalidValue, error.to_string()).at("/target")
    })?;
    let catalog = node.catalog();
    may_switch(actor, &target, &catalog)?;
    Ok((target, body))
}

fn may_switch(actor: &Actor, target: &Target, catalog: &Catalog) -> Result<(), Problem> {
    let (Target::Dataset(dataset) | Target::Field(dataset, _)) = target else {
        return actor.require(&[Role::Operator]);
    };
    actor.require(&[Role::Operator, Role::Steward])?;
    let unknown =
        |code, what: String| Problem::new(code, what).at("/target").remedy("See the catalogue for what there is.");
    let Some(declared) = catalog.datasets.get(dataset) else {
        return Err(unknown(Code::UnknownDataset, format!("the dataset `{dataset}` is not in the catalogue")));
    };
    if let Target::Field(_, field) = target
        && declared.field(field.as_str()).is_none()
    {
        return Err(unknown(Code::UnknownField, format!("the dataset `{dataset}` has no field `{field}`")));
    }
    if actor.roles.has_any(&[Role::Operator]) || declared.provider == actor.department {
        return Ok(());
    }
    let detail = format!("the dataset `{dataset}` is not of the department `{}`", actor.department);
    Err(Problem::new(Code::RoleRequired, detail).remedy("Ask an operator, or a steward of its provider."))
}

fn shown(target: &Target, one: &Suspension) -> SuspensionBody {
    SuspensionBody {
        target: target.to_string(),
        since: body::rfc3339(one.since),
        account: one.account.clone(),
        reason: one.reason.clone(),
    }
}
