//! Whose token came with a request: a system's or a person's.

use chrono::{DateTime, Utc};

use super::answer::Exchange;
use crate::{
    identifiers::{CallId, ClientId},
    identity::Caller,
    problem::{Code, Problem},
};

impl Exchange {
    /// Who is registered here, and shows this token.
    pub(super) async fn registered(&self, bearer: &str, now: DateTime<Utc>) -> Result<Caller, Problem> {
        self.parts.verifier.verify(bearer, now).await.map_err(|error| {
            Problem::new(error.code(), error.to_string()).remedy("Get a new token at /oauth/token and send it whole.")
        })
    }

    /// The registered client that has proved itself in another manner than by a token, if it may call.
    pub(super) fn proven(
        &self,
        client: &ClientId,
        call: CallId,
        signed: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Caller, Problem> {
        self.parts.verifier.stands(client, call.to_string(), signed).map_err(|error| {
            Problem::new(error.code(), error.to_string()).remedy("Ask the node's operator about the client.")
        })
    }
}

pub(super) fn no_token() -> Problem {
    Problem::new(Code::TokenMissing, "no bearer token was sent")
        .remedy("Get one at /oauth/token and send it as `authorization: Bearer ...`.")
}
