//! The floor: a bare axum server that reads the same JSON and gives it back. It checks nothing, finds nothing, keeps nothing.

use std::collections::BTreeMap;

use axum::{Json, Router, routing::post};
use serde::{Deserialize, Serialize};

/// The body of a call. Typed, because that is the fastest way through serde.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Call {
    pub(crate) dataset: String,
    pub(crate) item: String,
    pub(crate) case: String,
    pub(crate) subject: BTreeMap<String, String>,
    pub(crate) claims: BTreeMap<String, String>,
}

pub(crate) fn router() -> Router {
    Router::new().route("/v1/verifications", post(|Json(call): Json<Call>| async { Json(call) }))
}
