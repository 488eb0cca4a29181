//! `/v1/agreements`: what was granted, and what becomes of it.

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
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        staff::Staff,
    },
    applications::{Named, ReasonBody, named, refused},
    staff_responses::{ReadResponses, StaffResponses},
};
use crate::{
    agreements::{AgreementView, ApplicationView, GrantedEventView, Renewal},
    identifiers::AgreementId,
    ledger::{Actor, AgreementStep},
    problem::{Code, Problem},
};

/// Agreements answered at once, where nothing was said and at most.
const LISTED: u32 = 50;
const LISTED_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(revoke))
        .routes(routes!(renew))
}

/// Agreements: those of the file in its order, then those that began as applications.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgreementsBody {
    items: Vec<AgreementView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An agreement with everything that was done to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgreementBody {
    #[serde(flatten)]
    agreement: AgreementView,
    timeline: Vec<GrantedEventView>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementsQuery {
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// List the agreements of the account's department, as consumer or as provider; an auditor sees all.
#[utoipa::path(
    get,
    path = "/v1/agreements",
    tag = "agreements",
    params(AgreementsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = AgreementsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<AgreementsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(query.limit, LISTED, LISTED_MAX)? as usize;
    let rights = node.exchange.rights();
    let mut items = Box::pin(node.desk(&rights).agreements(&actor, node.now())).await.map_err(refused)?;
    if let Some(after) = query.after {
        let Some(place) = items.iter().position(|one| one.id == after) else {
            let problem = Problem::new(Code::InvalidValue, "`after` is no place in this list");
            return Err(problem.remedy("Send `next` of the part before.").into());
        };
        items.drain(..=place);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = more.then(|| items.last().map(|last| last.id.clone())).flatten();
    Ok(Json(AgreementsBody { items, next }).into_response())
}

/// Show an agreement with everything that was done to it.
#[utoipa::path(
    get,
    path = "/v1/agreements/{id}",
    tag = "agreements",
    params(("id" = String, Path, description = "Such as `app-17`")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The agreement", body = AgreementBody),
        (status = 404, description = "No such agreement", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
) -> Result<Response, ProblemResponse> {
    let id: AgreementId = named(id)?;
    let rights = node.exchange.rights();
    let agreement = Box::pin(node.desk(&rights).agreement(&id, &actor, node.now())).await.map_err(refused)?;
    let events = node.ledger.agreement_events(&id).await.map_err(|error| refused(error.into()))?;
    let timeline = events.iter().map(GrantedEventView::from).collect();
    Ok(Json(AgreementBody { agreement, timeline }).into_response())
}

/// Stop an agreement for a while, within a second and on every node that shares the ledger. For its provider.
#[utoipa::path(
    post,
    path = "/v1/agreements/{id}/suspend",
    tag = "agreements",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = ReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The agreement as it stands now", body = AgreementView),
        (status = 404, description = "No such agreement", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn suspend(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    Ok(stand(&node, &actor, id, AgreementStep::Suspended, request).await?)
}

/// Let a suspended agreement be used again. For an approver of its provider.
#[utoipa::path(
    post,
    path = "/v1/agreements/{id}/resume",
    tag = "agreements",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = ReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The agreement as it stands now", body = AgreementView),
        (status = 404, description = "No such agreement", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn resume(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    Ok(stand(&node, &actor, id, AgreementStep::Resumed, request).await?)
}

/// End an agreement for good, within a second and on every node that shares the ledger. For an approver of its provider.
#[utoipa::path(
    post,
    path = "/v1/agreements/{id}/revoke",
    tag = "agreements",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = ReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The agreement as it stands now", body = AgreementView),
        (status = 404, description = "No such agreement", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn revoke(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    Ok(stand(&node, &actor, id, AgreementStep::Revoked, request).await?)
}

/// Apply for the time after an agreement, on its terms. For its consumer.
#[utoipa::path(
    post,
    path = "/v1/agreements/{id}/renew",
    tag = "agreements",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = Renewal,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The application that was made", body = ApplicationView),
        (status = 404, description = "No such agreement", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn renew(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let renewal: Renewal = body::of(request, node.settings.http.body_bytes_max).await?;
    let id: AgreementId = named(id)?;
    let (rights, now) = (node.exchange.rights(), node.now());
    let made = Box::pin(node.desk(&rights).renew(&id, &renewal, &actor, now)).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(ApplicationView::new(&made, &node.calendar, now))).into_response())
}

async fn stand(
    node: &Node,
    actor: &Actor,
    id: Named,
    step: AgreementStep,
    request: Request,
) -> Result<Response, Problem> {
    let said: ReasonBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let id: AgreementId = named(id)?;
    let rights = node.exchange.rights();
    let stands = Box::pin(node.desk(&rights).stand(&id, step, &said.reason, actor, node.now())).await;
    Ok(Json(stands.map_err(refused)?).into_response())
}
