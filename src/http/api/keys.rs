//! `GET /.well-known/jwks.json`: the node's public keys.

use std::sync::Arc;

use axum::{Json, extract::State, http::header, response::IntoResponse};

use super::super::Node;

/// The public keys of this node's receipts, tokens and checkpoints (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "keys",
    responses((status = 200, description = "A JWK set", body = serde_json::Value)),
)]
pub(crate) async fn jwks(State(node): State<Arc<Node>>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(node.public_keys().jwks()))
}
