//! `/v1/deliveries`: what clients were told of re-checks, what they could not be told, and telling it again.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
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
    rechecks::{bad_cursor, bad_state},
    staff_responses::{ReadResponses, ledger_failed},
};
use crate::{
    identifiers::{ClientId, DeliveryId, Role},
    ledger::{Actor, Delivery, DeliveryFilter, DeliveryState},
    problem::{Code, Problem},
};

/// Deliveries answered at once, where nothing was said and at most.
const DELIVERIES: u32 = 50;
const DELIVERIES_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(replay))
}

/// What a client is told, as far as it is about the telling.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    /// The same in `shuqiao-delivery` of every try.
    id: String,
    /// The re-check that has ended.
    recheck: String,
    client: String,
    /// `waiting`, `delivered` or `dead`.
    state: &'static str,
    /// Tries since it was made, or replayed.
    tries: u32,
    made_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// Why the last try that failed did.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// Deliveries, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveriesBody {
    items: Vec<DeliveryView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliveriesQuery {
    /// `waiting`, `delivered` or `dead`.
    state: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// List deliveries, the latest first: a client those to itself, an operator all.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "rechecks",
    params(DeliveriesQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = DeliveriesBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<DeliveriesQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(DeliveriesQuery { state, limit, after }) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(limit, DELIVERIES, DELIVERIES_MAX)?;
    let words = || DeliveryState::ALL.iter().map(|one| one.as_str());
    let state = state.map(|word| DeliveryState::from_word(&word).ok_or_else(|| bad_state(words()))).transpose()?;
    let before = after.map(|id| id.parse().map_err(|_| bad_cursor())).transpose()?;
    let filter = DeliveryFilter { client: of(&actor), state, before };
    let found = node.ledger.deliveries(&filter, limit).await.map_err(ledger_failed)?;
    let last = found.last().map(|delivery| delivery.id.to_string());
    let next = last.filter(|_| found.len() == limit as usize);
    Ok(Json(DeliveriesBody { items: found.iter().map(view).collect(), next }).into_response())
}

/// Send a delivery again that is dead, or that was delivered and lost: for its client, and for operators.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/replay",
    tag = "rechecks",
    params(("id" = String, Path, description = "Of the delivery")),
    security(("bearer" = [])),
    responses(
        (status = 202, description = "It is on its way", body = DeliveryView),
        (status = 404, description = "There is none, or none that the caller may see", content_type = "application/problem+json", body = ProblemBody),
        (status = 409, description = "It is on its way already, or its client has no webhook", content_type = "application/problem+json", body = ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn replay(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let delivery = find(&node, &actor, &id).await?;
    let replayed = node.ledger.replay_delivery(&delivery.id, actor.account.as_str(), node.now()).await;
    if !replayed.map_err(ledger_failed)? {
        let problem = Problem::new(Code::Conflict, "the delivery is on its way already, or its client has no webhook");
        return Err(problem.remedy("Wait, or let an operator set the webhook.").into());
    }
    let delivery = find(&node, &actor, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&delivery))).into_response())
}

/// Whose deliveries somebody may see: an operator everybody's.
fn of(actor: &Actor) -> Option<ClientId> {
    (!actor.roles.has_any(&[Role::Operator])).then(|| actor.account.clone())
}

async fn find(node: &Node, actor: &Actor, id: &str) -> Result<Delivery, Problem> {
    let none = || Problem::new(Code::NotFound, "there is no such delivery").remedy("See `GET /v1/deliveries`.");
    let id: DeliveryId = id.parse().map_err(|_| none())?;
    let delivery = node.ledger.delivery(&id).await.map_err(ledger_failed)?;
    delivery.filter(|delivery| of(actor).is_none_or(|client| client == delivery.client)).ok_or_else(none)
}

fn view(delivery: &Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id.to_string(),
        recheck: delivery.recheck.to_string(),
        client: delivery.client.to_string(),
        state: delivery.state.as_str(),
        tries: delivery.tries,
        made_at: body::rfc3339(delivery.made_at),
        next_try_at: (delivery.state == DeliveryState::Waiting).then(|| body::rfc3339(delivery.due_at)),
        ended_at: delivery.ended_at.map(body::rfc3339),
        failure: delivery.failure.clone(),
    }
}
