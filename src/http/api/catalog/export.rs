//! `GET /v1/catalog.jsonld`: the catalogue for programs that are not ours.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::super::{
    super::{Node, problem::ProblemResponse, staff::Staff},
    staff_responses::ReadResponses,
};
use crate::catalog::dcat;

/// The whole catalogue as DCAT 3 in JSON-LD.
#[utoipa::path(
    get,
    path = "/v1/catalog.jsonld",
    tag = "catalog",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A `dcat:Catalog`", body = serde_json::Value, content_type = "application/ld+json"),
        (status = 304, description = "Unchanged since the tag in `If-None-Match`"),
        ReadResponses,
    ),
)]
pub(crate) async fn jsonld(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let shelf = node.shelf();
    let whole = || dcat::export(&shelf.catalog, node.settings.node.url.as_str()).to_string();
    Ok(shelf.tagged(&headers, || ([(header::CONTENT_TYPE, "application/ld+json")], whole()).into_response()))
}
