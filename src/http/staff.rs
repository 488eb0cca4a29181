//! Who acts through the API: a person's account, by the same tokens as systems have.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Node, body, problem::ProblemResponse};
use crate::{
    ledger::Actor,
    problem::{Code, Problem},
};

/// The account that acts. What it may do is for the services to say, by its roles.
pub(super) struct Staff(pub(super) Actor);

impl FromRequestParts<Arc<Node>> for Staff {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, ProblemResponse> {
        let Some(bearer) = body::bearer(&parts.headers) else {
            return Err(Problem::new(Code::TokenMissing, "no bearer token was sent")
                .remedy("Get one at /oauth/token and send it as `authorization: Bearer ...`.")
                .into());
        };
        let caller = Box::pin(node.verifier.verify(bearer, node.now())).await.map_err(|error| {
            Problem::new(error.code(), error.to_string()).remedy("Get a new token at /oauth/token and send it whole.")
        })?;
        Ok(Self(Actor { account: caller.client, department: caller.department, roles: caller.roles }))
    }
}
