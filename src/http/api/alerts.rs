//! `/v1/alerts`: who seems to walk through a register, and what its steward does about it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        staff::Staff,
    },
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use crate::{
    identifiers::Role,
    ledger::{Actor, Alert, AlertFilter, AlertState},
    problem::{Code, Problem},
};

/// Alerts answered at once, where nothing was said and at most.
const ALERTS: u32 = 50;
const ALERTS_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(acknowledge))
        .routes(routes!(dismiss))
}

/// Why an alert is acknowledged or dismissed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertReasonBody {
    /// For colleagues and auditors. 1 to 2000 characters.
    #[schema(example = "已核实：学校集中办理新生入学")]
    reason: String,
}

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertView {
    /// Rises by the order of alerts.
    number: i64,
    /// `open`, `acknowledged` or `dismissed`.
    state: &'static str,
    /// `misses`, `walk`, `sweep`, `collusion`, `honey`, `subjects` or `surge`; docs/enumeration.md says what each means.
    signal: String,
    /// `warn`, `slow` or `block`: the highest so far.
    level: String,
    client: String,
    department: String,
    dataset: String,
    /// The department that owns the dataset; its stewards decide.
    provider: String,
    /// Of the last call.
    item: String,
    /// RFC 3339.
    opened_at: String,
    /// When the same was last seen.
    seen_at: String,
    /// Until when it is held against the client, unless more comes.
    held_until: String,
    /// Counts of the day, never who was asked about: `calls`, `misses`, `steps`, `subjects`, `honey`, and `score`.
    #[schema(value_type = HashMap<String, i64>)]
    evidence: serde_json::Value,
    /// Who acknowledged or dismissed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Alerts, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsBody {
    items: Vec<AlertView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertsQuery {
    /// `open`, `acknowledged` or `dismissed`; all where it is left out.
    state: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<i64>,
}

/// List alerts: a steward those of the own department's datasets, operators and auditors all.
#[utoipa::path(
    get,
    path = "/v1/alerts",
    tag = "alerts",
    params(AlertsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = AlertsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Steward, Role::Operator, Role::Auditor])?;
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(query.limit, ALERTS, ALERTS_MAX)?;
    let state = query.state.as_deref().map(state_of).transpose()?;
    let provider = (!sees_all(&actor)).then(|| actor.department.clone());
    let filter = AlertFilter { state, provider, before: query.after, limit };
    let found = node.ledger.alerts(&filter).await.map_err(ledger_failed)?;
    let next = found.last().map(|alert| alert.number.to_string()).filter(|_| found.len() == limit as usize);
    Ok(Json(AlertsBody { items: found.into_iter().map(view).collect(), next }).into_response())
}

/// Show an alert.
#[utoipa::path(
    get,
    path = "/v1/alerts/{number}",
    tag = "alerts",
    params(("number" = i64, Path, description = "Of the alert")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The alert", body = AlertView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(number): Path<String>,
) -> Result<Response, ProblemResponse> {
    Ok(Json(view(find(&node, &actor, &number).await?)).into_response())
}

/// Say that somebody looks into an alert: for a steward of the dataset's provider. What is held against the client stays.
#[utoipa::path(
    post,
    path = "/v1/alerts/{number}/acknowledge",
    tag = "alerts",
    params(("number" = i64, Path, description = "Of the alert")),
    request_body = AlertReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is acknowledged", body = AlertView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn acknowledge(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    act(&node, &actor, &number, request, AlertState::Acknowledged).await
}

/// Dismiss an alert: for a steward of the dataset's provider. Within seconds the client is slowed or blocked no longer, and
/// for a time it is no more than warned.
#[utoipa::path(
    post,
    path = "/v1/alerts/{number}/dismiss",
    tag = "alerts",
    params(("number" = i64, Path, description = "Of the alert")),
    request_body = AlertReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is dismissed", body = AlertView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn dismiss(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(number): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    act(&node, &actor, &number, request, AlertState::Dismissed).await
}

async fn act(
    node: &Node,
    actor: &Actor,
    number: &str,
    request: Request,
    to: AlertState,
) -> Result<Response, ProblemResponse> {
    let body: AlertReasonBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let alert = find(node, actor, number).await?;
    alert.must_be_decided_by(actor)?;
    let account = actor.account.as_str();
    if !node.ledger.act_on_alert(alert.number, to, account, &body.reason, node.now()).await.map_err(ledger_failed)? {
        let problem = Problem::new(Code::Conflict, format!("the alert is {} already", alert.state.as_str()));
        return Err(problem.remedy("Read it again.").into());
    }
    Ok(Json(view(find(node, actor, number).await?)).into_response())
}

/// The alert, where there is one that the actor may see.
async fn find(node: &Node, actor: &Actor, number: &str) -> Result<Alert, Problem> {
    actor.require(&[Role::Steward, Role::Operator, Role::Auditor])?;
    let none = || Problem::new(Code::NotFound, "there is no such alert").remedy("See `GET /v1/alerts`.");
    let number: i64 = number.parse().map_err(|_| none())?;
    let alert = node.ledger.alert(number).await.map_err(ledger_failed)?.ok_or_else(none)?;
    if sees_all(actor) || alert.seen.provider == actor.department { Ok(alert) } else { Err(none()) }
}

fn sees_all(actor: &Actor) -> bool {
    actor.roles.has_any(&[Role::Operator, Role::Auditor])
}

fn state_of(word: &str) -> Result<AlertState, Problem> {
    AlertState::from_word(word).ok_or_else(|| {
        Problem::new(Code::InvalidValue, "`state` is not one of the documented words")
            .at("/state")
            .remedy("Write `open`, `acknowledged` or `dismissed`.")
    })
}

fn view(alert: Alert) -> AlertView {
    let Alert { number, opened_at, seen, state, account, acted_at, reason } = alert;
    AlertView {
        number,
        state: state.as_str(),
        signal: seen.signal,
        level: seen.level,
        client: seen.client.to_string(),
        department: seen.department.to_string(),
        dataset: seen.dataset.to_string(),
        provider: seen.provider.to_string(),
        item: seen.item.to_string(),
        opened_at: body::rfc3339(opened_at),
        seen_at: body::rfc3339(seen.at),
        held_until: body::rfc3339(seen.until),
        evidence: serde_json::from_str(&seen.evidence).unwrap_or_default(),
        account,
        acted_at: acted_at.map(body::rfc3339),
        reason,
    }
}
