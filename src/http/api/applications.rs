//! `/v1/applications`: a department applies for data, the provider answers.

use std::{str::FromStr, sync::Arc};

use axum::{
    Json,
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
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
    staff_responses::{ReadResponses, StaffResponses},
};
use crate::{
    agreements::{ApplicationView, DeskError, DossierView, Listing, Review, Wish},
    identifiers::{ApplicationId, IdentifierError},
    ledger::{Application, ApplicationState},
    problem::{Code, Problem},
};

/// Applications answered at once, where nothing was said and at most.
const LISTED: u32 = 50;
const LISTED_MAX: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(list, apply))
        .routes(routes!(show))
        .routes(routes!(review))
        .routes(routes!(answer))
        .routes(routes!(withdraw))
}

/// Applications, in the order in which they were made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApplicationsBody {
    items: Vec<ApplicationView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationsQuery {
    /// Only those in this state, such as `submitted`.
    state: Option<String>,
    /// Only those that are overdue.
    overdue: Option<bool>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// What the consumer answers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerTextBody {
    /// 1 to 2000 characters.
    #[schema(example = "仅用于窗口核验，不留存")]
    text: String,
}

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// 1 to 2000 characters.
    #[schema(example = "业务已调整")]
    pub(super) reason: String,
}

/// Apply for data, for the account's own department.
///
/// A dataset that is shared without conditions is granted at once; one that is not shared is refused with its legal ground.
#[utoipa::path(
    post,
    path = "/v1/applications",
    tag = "applications",
    request_body = Wish,
    security(("bearer" = [])),
    responses((status = 201, description = "It is made, or granted at once", body = ApplicationView), StaffResponses),
)]
pub(crate) async fn apply(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let wish: Wish = body::of(request, node.settings.http.body_bytes_max).await?;
    let rights = node.exchange.rights();
    let made = Box::pin(node.desk(&rights).apply(&wish, &actor, node.now())).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(view(&node, &made))).into_response())
}

/// List the applications of the account's department, and those that it has to answer; an auditor sees all.
#[utoipa::path(
    get,
    path = "/v1/applications",
    tag = "applications",
    params(ApplicationsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = ApplicationsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<ApplicationsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(query.limit, LISTED, LISTED_MAX)?;
    let state = query.state.as_deref().map(state_of).transpose()?;
    let after = query.after.as_deref().map(cursor).transpose()?;
    let listing = Listing { state, overdue: query.overdue.unwrap_or(false), after, limit };
    let rights = node.exchange.rights();
    let found = Box::pin(node.desk(&rights).list(&listing, &actor, node.now())).await.map_err(refused)?;
    let next = (found.len() == limit as usize).then(|| found.last().map(|last| last.id.to_string())).flatten();
    Ok(Json(ApplicationsBody { items: found.iter().map(|one| view(&node, one)).collect(), next }).into_response())
}

/// Show an application with everything that happened to it.
#[utoipa::path(
    get,
    path = "/v1/applications/{id}",
    tag = "applications",
    params(("id" = String, Path, description = "Such as `app-17`")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The application", body = DossierView),
        (status = 404, description = "No such application", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
) -> Result<Response, ProblemResponse> {
    let rights = node.exchange.rights();
    let (application, events) = Box::pin(node.desk(&rights).dossier(named(id)?, &actor)).await.map_err(refused)?;
    Ok(Json(DossierView::new(&application, &events, &node.calendar, node.now())).into_response())
}

/// Answer an application, for its provider: approve, wholly or in part, reject, ask back, or extend the review.
///
/// Whoever acted for the consumer cannot; what a steward says is written down for an approver, who is somebody else.
#[utoipa::path(
    post,
    path = "/v1/applications/{id}/review",
    tag = "applications",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = Review,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The application as it is now", body = ApplicationView),
        (status = 404, description = "No such application", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn review(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let said: Review = body::of(request, node.settings.http.body_bytes_max).await?;
    let rights = node.exchange.rights();
    let desk = node.desk(&rights);
    let done = Box::pin(desk.review(named(id)?, &said, &actor, node.now())).await.map_err(refused)?;
    Ok(Json(view(&node, &done)).into_response())
}

/// Answer what the provider has asked; its clock runs on.
#[utoipa::path(
    post,
    path = "/v1/applications/{id}/answer",
    tag = "applications",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = AnswerTextBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The application as it is now", body = ApplicationView),
        (status = 404, description = "No such application", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn answer(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let said: AnswerTextBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let rights = node.exchange.rights();
    let desk = node.desk(&rights);
    let done = Box::pin(desk.answer(named(id)?, &said.text, &actor, node.now())).await.map_err(refused)?;
    Ok(Json(view(&node, &done)).into_response())
}

/// Take an application back before it is decided.
#[utoipa::path(
    post,
    path = "/v1/applications/{id}/withdraw",
    tag = "applications",
    params(("id" = String, Path, description = "Such as `app-17`")),
    request_body = ReasonBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The application as it is now", body = ApplicationView),
        (status = 404, description = "No such application", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn withdraw(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    id: Named,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let said: ReasonBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let rights = node.exchange.rights();
    let desk = node.desk(&rights);
    let done = Box::pin(desk.withdraw(named(id)?, &said.reason, &actor, node.now())).await.map_err(refused)?;
    Ok(Json(view(&node, &done)).into_response())
}

fn view(node: &Node, application: &Application) -> ApplicationView {
    ApplicationView::new(application, &node.calendar, node.now())
}

/// The part of a path that names something.
pub(super) type Named = Result<Path<String>, PathRejection>;

/// What it names; what is no such name names nothing.
pub(super) fn named<T: FromStr<Err = IdentifierError>>(id: Named) -> Result<T, Problem> {
    let nothing = |reason: String| Problem::new(Code::NotFound, reason).remedy("List the ones that there are.");
    let Path(id) = id.map_err(|_| nothing("the path is not UTF-8".to_owned()))?;
    id.parse().map_err(|error: IdentifierError| nothing(error.to_string()))
}

fn cursor(after: &str) -> Result<ApplicationId, Problem> {
    after.parse().map_err(|_| {
        Problem::new(Code::InvalidValue, "`after` is no place in this list").remedy("Send `next` of the part before.")
    })
}

fn state_of(word: &str) -> Result<ApplicationState, Problem> {
    ApplicationState::from_word(word).ok_or_else(|| {
        let known = ApplicationState::ALL.iter().map(|state| format!("`{state}`")).collect::<Vec<_>>().join(", ");
        Problem::new(Code::InvalidValue, "`state` is none of an application").remedy(format!("Send one of {known}."))
    })
}

pub(super) fn refused(error: DeskError) -> Problem {
    match error {
        DeskError::Refused(problem) => problem,
        DeskError::Ledger(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the ledger failed");
            Problem::new(error.code(), "the ledger failed")
                .remedy("Try again; the node's operator finds the cause in its log.")
        }
    }
}
