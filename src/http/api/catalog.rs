//! `/v1/catalog`: what exists, for every account of every department; and how it is changed.
//!
//! The law wants departments to see what the others have. No register value is in it.

pub(crate) mod bodies;
mod browse;
mod everywhere;
mod export;
mod revisions;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::Node;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(browse::datasets))
        .routes(routes!(browse::dataset))
        .routes(routes!(browse::items))
        .routes(routes!(browse::item))
        .routes(routes!(browse::departments))
        .routes(routes!(export::jsonld))
        .routes(routes!(revisions::list, revisions::draft))
        .routes(routes!(revisions::show))
        .routes(routes!(revisions::files))
        .routes(routes!(revisions::submit))
        .routes(routes!(revisions::approve))
        .routes(routes!(revisions::reject))
}
