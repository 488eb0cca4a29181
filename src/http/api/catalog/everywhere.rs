//! Entries of all nodes: the same lists, with where each entry comes from and how fresh it is.

use std::sync::Arc;

use axum::{http::HeaderMap, response::Response};
use serde::Serialize;

use super::{
    super::super::{Node, body, harvest::View, shelf::tagged_by_content},
    bodies,
    browse::{DatasetsBody, DatasetsQuery, nothing, parsed, part},
};
use crate::{
    cascade::{Listed, Name},
    catalog::DatasetFilter,
    identifiers::NodeId,
    problem::{Code, Problem},
};

/// Entries answered at once, where nothing was said and at most.
const ENTRIES: u32 = 50;
const ENTRIES_MAX: u32 = 200;

/// The part of the list that was asked for.
pub(super) async fn datasets(
    node: &Node,
    headers: &HeaderMap,
    query: &DatasetsQuery,
    filter: &DatasetFilter,
) -> Result<Response, Problem> {
    let limit = body::list_limit(query.limit, ENTRIES, ENTRIES_MAX)?;
    let origin: Option<NodeId> = parsed("origin", query.origin.as_deref())?;
    let view = node.everywhere().await?;
    let found: Vec<&Arc<Listed>> = match &query.q {
        Some(q) => view.all.search(q).into_iter().map(|(listed, _)| listed).collect(),
        None => view.all.iter().collect(),
    };
    let accepted = |listed: &&Arc<Listed>| {
        origin.as_ref().is_none_or(|wanted| listed.name.origin == *wanted)
            && filter.accepts(&listed.entry.dataset, Some(&listed.entry.provider))
    };
    let found: Vec<Name> = found.into_iter().filter(accepted).map(|listed| listed.name.clone()).collect();
    let (part, next) = part(found, query.q.is_some(), query.after.as_deref(), limit)?;
    let items = part.iter().filter_map(|name| view.all.get(name)).map(|listed| {
        let mut line = bodies::dataset_line(&listed.entry.dataset);
        line.origin = Some(origin_of(node, &view, listed));
        line
    });
    let body = DatasetsBody { items: items.collect(), next, revision: node.shelf().revision };
    tagged(headers, &body)
}

/// One entry of one node.
pub(super) async fn dataset(node: &Node, headers: &HeaderMap, id: &str, origin: NodeId) -> Result<Response, Problem> {
    let dataset = id.parse().map_err(|_| nothing("dataset"))?;
    let view = node.everywhere().await?;
    let listed = view.all.get(&Name { dataset, origin }).ok_or_else(|| nothing("dataset"))?;
    let mut body = bodies::provided(&listed.entry.dataset, &listed.entry.provider);
    body.origin = Some(origin_of(node, &view, listed));
    tagged(headers, &body)
}

fn origin_of(node: &Node, view: &View, listed: &Listed) -> bodies::OriginBody {
    bodies::origin(&view.all, listed, &view.freshness, (node.stale_after(), view.now))
}

fn tagged(headers: &HeaderMap, body: &impl Serialize) -> Result<Response, Problem> {
    let text = serde_json::to_string(body).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok(tagged_by_content(headers, "application/json", text))
}
