//! `/v1/webhooks`: at which addresses clients are told of re-checks. Acts of operators.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{Node, body, problem::ProblemResponse, staff::Staff},
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use crate::{
    identifiers::{ClientId, IdentifierError, Role},
    ledger::{LedgerError, Webhook},
    problem::{Code, Problem},
    rechecks,
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(list, set)).routes(routes!(remove))
}

/// Where a client is to be told, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookBody {
    client: String,
    /// `https`, or `http` on the node's own machine; no name or password in it.
    #[schema(example = "https://window.example/rechecks")]
    url: String,
    /// For colleagues and auditors. 1 to 2000 characters.
    reason: String,
}

/// Who is not to be told any more, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookRemovalBody {
    client: String,
    /// For colleagues and auditors. 1 to 2000 characters.
    reason: String,
}

/// Where a client is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookView {
    client: String,
    url: String,
    /// Who named it: an account, or `on-site`.
    account: String,
    /// RFC 3339.
    since: String,
}

/// Every address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhooksBody {
    items: Vec<WebhookView>,
}

/// List the webhooks: for operators and auditors.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    tag = "rechecks",
    security(("bearer" = [])),
    responses((status = 200, description = "By client", body = WebhooksBody), ReadResponses),
)]
pub(crate) async fn list(State(node): State<Arc<Node>>, Staff(actor): Staff) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Operator, Role::Auditor])?;
    let all = node.ledger.webhooks().await.map_err(ledger_failed)?;
    Ok(Json(WebhooksBody { items: all.iter().map(view).collect() }).into_response())
}

/// Set the webhook of a client, in the place of one that it may have: for operators.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    tag = "rechecks",
    request_body = WebhookBody,
    security(("bearer" = [])),
    responses((status = 201, description = "It is told there", body = WebhookView), StaffResponses),
)]
pub(crate) async fn set(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Operator])?;
    let WebhookBody { client, url, reason } = body::of(request, node.settings.http.body_bytes_max).await?;
    let (client, url) = (client_of(&client)?, rechecks::address(&url)?);
    let (account, since) = (actor.account.to_string(), node.now());
    node.ledger.set_webhook(&client, &url, &account, &reason, since).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(view(&Webhook { client, url, account, since }))).into_response())
}

/// Remove the webhook of a client: for operators. What waits for it is dead.
#[utoipa::path(
    post,
    path = "/v1/webhooks/remove",
    tag = "rechecks",
    request_body = WebhookRemovalBody,
    security(("bearer" = [])),
    responses((status = 204, description = "It is told nowhere"), StaffResponses),
)]
pub(crate) async fn remove(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Operator])?;
    let WebhookRemovalBody { client, reason } = body::of(request, node.settings.http.body_bytes_max).await?;
    let client = client_of(&client)?;
    let removed = node.ledger.remove_webhook(&client, actor.account.as_str(), &reason, node.now()).await;
    if removed.map_err(failed)? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let problem = Problem::new(Code::Conflict, format!("`{client}` has no webhook"));
    Err(problem.remedy("See `GET /v1/webhooks` for who has.").into())
}

fn client_of(text: &str) -> Result<ClientId, Problem> {
    text.parse().map_err(|error: IdentifierError| {
        Problem::new(Code::InvalidValue, error.reason).at("/client").remedy("Name a registered client.")
    })
}

fn failed(error: LedgerError) -> Problem {
    match error {
        LedgerError::ClientUnknown { .. } => {
            Problem::new(Code::InvalidValue, error.to_string()).at("/client").remedy("Name a registered client.")
        }
        other => ledger_failed(other),
    }
}

fn view(webhook: &Webhook) -> WebhookView {
    WebhookView {
        client: webhook.client.to_string(),
        url: webhook.url.to_string(),
        account: webhook.account.clone(),
        since: body::rfc3339(webhook.since),
    }
}
