//! `/v1/rechecks`: a call that was answered `indeterminate`, to be finished later.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        rechecks::question,
        staff::Staff,
    },
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
    verifications::SignedAnswer,
};
use crate::{
    identifiers::RecheckId,
    ledger::{Actor, NewRecheck, Recheck, RecheckFilter, RecheckState},
    policy::Operation,
    problem::{Code, Problem},
    rechecks::{NewFiling, Part, examine},
};

/// Re-checks answered at once, where nothing was said and at most.
const RECHECKS: u32 = 50;
const RECHECKS_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(list, file)).routes(routes!(show)).routes(routes!(cancel))
}

/// A call that was answered `indeterminate`, to be finished later.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecheckBody {
    /// The receipt of the answer.
    receipt: String,
    /// The body of the call, as one string, byte for byte as it was sent: the receipt holds its digest.
    #[schema(
        example = r#"{"dataset":"natural-person","item":"11440100MB9YYY997R3440101001000","subject":{"resident_id":"440100188912310015"},"claims":{"name":"张三"}}"#
    )]
    body: String,
}

/// A call that is finished later. A webhook is told the same.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecheckView {
    id: String,
    /// `waiting`, `settled` (`answer` is not indeterminate, or has to be checked by hand), `refused` (`problem` says why), `expired` (`answer` is the last
    /// one, as indeterminate as the first) or `cancelled`.
    state: &'static str,
    /// The call whose answer was indeterminate.
    call_id: String,
    /// `verify` or `disclose`.
    operation: &'static str,
    filed_at: String,
    /// When it is tried for the last time.
    expires_at: String,
    /// Tries so far.
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// When all of it is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_until: Option<String>,
    /// The answer as `/v1/verifications` or `/v1/disclosures` gives it, with its receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SignedAnswer>)]
    answer: Option<Box<RawValue>>,
    /// Why the call was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemBody>)]
    problem: Option<Box<RawValue>>,
}

/// Re-checks, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RechecksBody {
    items: Vec<RecheckView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which re-checks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct RechecksQuery {
    /// `waiting`, `settled`, `refused`, `expired` or `cancelled`.
    state: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// Have a call finished later that was answered `indeterminate`.
///
/// For the system that asked, or another of its department. The node makes the call again, by the rights of that moment, until
/// the answer is not indeterminate, the call is refused, or its time is over; then it tells the client's webhook, if it has
/// one. The same receipt filed again gives the same re-check.
#[utoipa::path(
    post,
    path = "/v1/rechecks",
    tag = "rechecks",
    request_body = RecheckBody,
    security(("bearer" = [])),
    responses(
        (status = 202, description = "It is kept, and tried", body = RecheckView),
        (status = 429, description = "As many as may be are waiting", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn file(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let RecheckBody { receipt, body } = body::of(request, node.settings.http.body_bytes_max).await?;
    let (now, settings) = (node.now(), &node.settings.rechecks);
    let filing = NewFiling { receipt, body };
    let expire = span(settings.expire);
    let examined = examine(&filing, &actor, &node.public_keys(), expire, now)?;
    let bytes = filing.body.as_bytes();
    let (_, question) = question(examined.discloses, bytes);
    question.map_err(|problem| problem.at("/body"))?;
    let id = RecheckId::new(Uuid::now_v7());
    let sealed = node.rechecks.sealer.seal(&id, Part::Body, bytes).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "a call could not be sealed");
        Problem::new(error.code(), "the call could not be kept").remedy("Try again.")
    })?;
    let new = NewRecheck {
        id,
        call: examined.call,
        client: actor.account,
        discloses: examined.discloses,
        sealed_by: node.rechecks.sealer.name().to_owned(),
        body: sealed,
        filed_at: now,
        expires_at: now + expire,
        due_at: now + span(settings.retry).min(expire),
    };
    let filed = node.ledger.file_recheck(&new, settings.waiting_max).await.map_err(ledger_failed)?;
    let recheck = filed.ok_or_else(|| {
        let detail = format!("{} calls of this client wait to be finished already", settings.waiting_max);
        Problem::new(Code::RechecksFull, detail)
            .remedy("Cancel those that are no longer needed, or wait until some have ended.")
            .retry_after(60)
    })?;
    Ok((StatusCode::ACCEPTED, Json(view(&node, &recheck))).into_response())
}

/// List the client's own re-checks, the latest first.
#[utoipa::path(
    get,
    path = "/v1/rechecks",
    tag = "rechecks",
    params(RechecksQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = RechecksBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<RechecksQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(RechecksQuery { state, limit, after }) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(limit, RECHECKS, RECHECKS_MAX)?;
    let state = state.map(|word| {
        RecheckState::from_word(&word).ok_or_else(|| bad_state(RecheckState::ALL.iter().map(|one| one.as_str())))
    });
    let before = after.map(|id| id.parse().map_err(|_| bad_cursor())).transpose()?;
    let filter = RecheckFilter { client: Some(actor.account), state: state.transpose()?, before };
    let found = node.ledger.rechecks(&filter, limit).await.map_err(ledger_failed)?;
    let last = found.last().map(|recheck| recheck.id.to_string());
    let next = last.filter(|_| found.len() == limit as usize);
    let items = found.iter().map(|recheck| view(&node, recheck)).collect();
    Ok(Json(RechecksBody { items, next }).into_response())
}

/// Show a re-check, with its answer or refusal once it has ended.
#[utoipa::path(
    get,
    path = "/v1/rechecks/{id}",
    tag = "rechecks",
    params(("id" = String, Path, description = "Of the re-check")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The re-check", body = RecheckView),
        (status = 404, description = "The client has filed none of this id, or it is erased", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let recheck = find(&node, &actor, &id).await?;
    Ok(Json(view(&node, &recheck)).into_response())
}

/// Cancel a re-check that waits; what was kept of the call is erased, and nobody is told.
#[utoipa::path(
    post,
    path = "/v1/rechecks/{id}/cancel",
    tag = "rechecks",
    params(("id" = String, Path, description = "Of the re-check")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is cancelled", body = RecheckView),
        (status = 404, description = "The client has filed none of this id, or it is erased", content_type = "application/problem+json", body = ProblemBody),
        (status = 409, description = "It has ended", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn cancel(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let recheck = find(&node, &actor, &id).await?;
    if !node.ledger.cancel_recheck(&recheck.id, node.now()).await.map_err(ledger_failed)? {
        let problem = Problem::new(Code::Conflict, "the re-check has ended");
        return Err(problem.remedy("Read it again for what came of it.").into());
    }
    metrics::counter!("shuqiao_rechecks_total", "end" => "cancelled").increment(1);
    let cancelled = find(&node, &actor, &id).await?;
    Ok(Json(view(&node, &cancelled)).into_response())
}

/// The re-check, where the client has filed it.
async fn find(node: &Node, actor: &Actor, id: &str) -> Result<Recheck, Problem> {
    let none = || Problem::new(Code::NotFound, "there is no such re-check").remedy("See `GET /v1/rechecks`.");
    let id: RecheckId = id.parse().map_err(|_| none())?;
    let recheck = node.ledger.recheck(&id).await.map_err(ledger_failed)?;
    recheck.filter(|recheck| recheck.client == actor.account).ok_or_else(none)
}

pub(super) fn bad_state(words: impl Iterator<Item = &'static str>) -> Problem {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    Problem::new(Code::InvalidValue, "`state` is not one of the documented words")
        .remedy(format!("Write one of {}.", words.join(", ")))
}

pub(super) fn bad_cursor() -> Problem {
    Problem::new(Code::InvalidValue, "`after` is not `next` of a part of this list")
        .remedy("Send `next` of the part before as it came.")
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(3))
}

/// What its client may see of it, which is all there is.
pub(in crate::http) fn view(node: &Node, recheck: &Recheck) -> RecheckView {
    let Recheck { state, ended_at, .. } = recheck;
    let said = match state {
        RecheckState::Settled | RecheckState::Expired | RecheckState::Refused => said(node, recheck),
        RecheckState::Waiting | RecheckState::Cancelled => None,
    };
    let (problem, answer) = if *state == RecheckState::Refused { (said, None) } else { (None, said) };
    let operation = if recheck.discloses { Operation::Disclose } else { Operation::Verify };
    RecheckView {
        id: recheck.id.to_string(),
        state: state.as_str(),
        call_id: recheck.call.to_string(),
        operation: operation.as_str(),
        filed_at: body::rfc3339(recheck.filed_at),
        expires_at: body::rfc3339(recheck.expires_at),
        tries: recheck.tries,
        next_try_at: (*state == RecheckState::Waiting).then(|| body::rfc3339(recheck.due_at)),
        ended_at: ended_at.map(body::rfc3339),
        kept_until: ended_at.map(|ended| body::rfc3339(ended + span(node.settings.rechecks.kept))),
        answer,
        problem,
    }
}

fn said(node: &Node, recheck: &Recheck) -> Option<Box<RawValue>> {
    let sealed = &recheck.said.as_ref()?.sealed;
    match node.rechecks.sealer.unseal(&recheck.id, Part::Said, sealed) {
        Ok(bytes) => serde_json::from_slice(&bytes).ok(),
        Err(error) => {
            tracing::error!(recheck = %recheck.id, error = &error as &dyn std::error::Error, "an answer was lost");
            None
        }
    }
}
