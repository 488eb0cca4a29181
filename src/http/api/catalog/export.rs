//! `GET /v1/catalog.jsonld`: the catalogue for programs that are not ours.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    super::{
        super::{Node, body, problem::ProblemResponse, shelf::tagged_by_content, staff::Staff},
        staff_responses::ReadResponses,
    },
    browse::is_everywhere,
};
use crate::catalog::dcat;

const KIND: &str = "application/ld+json";

/// How much of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// `own`: this node's catalogue. `all`: also the entries of the nodes below it, each attributed to its node.
    #[param(default = "own")]
    scope: Option<String>,
}

/// The whole catalogue as DCAT 3 in JSON-LD.
#[utoipa::path(
    get,
    path = "/v1/catalog.jsonld",
    tag = "catalog",
    params(ExportQuery),
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
    query: Result<Query<ExportQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let (shelf, url) = (node.shelf(), node.settings.node.url.as_str());
    if is_everywhere(query.scope.as_deref())? {
        let view = node.everywhere().await?;
        let whole = dcat::export(&shelf.catalog, &view.all.elsewhere(), url).to_string();
        return Ok(tagged_by_content(&headers, KIND, whole));
    }
    let whole = || dcat::export(&shelf.catalog, &[], url).to_string();
    Ok(shelf.tagged(&headers, || ([(header::CONTENT_TYPE, KIND)], whole()).into_response()))
}
