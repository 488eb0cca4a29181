//! `GET /healthz`, `/readyz`, `/metrics`: for those who watch the node.

use std::sync::Arc;

use axum::{extract::State, http::header, response::IntoResponse};

use super::super::{
    Node,
    problem::{ProblemBody, ProblemResponse},
};

/// Is the process alive?
#[utoipa::path(get, path = "/healthz", tag = "watching", responses((status = 200, description = "It is", body = String)))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// May calls be sent here? Only after every start-up probe has passed, while the audit log takes records.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "watching",
    responses(
        (status = 200, description = "Ready", body = String),
        (status = 503, description = "Not ready, with the reason", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn ready(State(node): State<Arc<Node>>) -> Result<&'static str, ProblemResponse> {
    node.readiness().map(|()| "ready\n").map_err(ProblemResponse::from)
}

/// Metrics in the Prometheus text format; `docs/metrics.md` lists them.
#[utoipa::path(get, path = "/metrics", tag = "watching", responses((status = 200, description = "Prometheus text format", body = String)))]
pub(crate) async fn metrics(State(node): State<Arc<Node>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], node.metrics())
}
