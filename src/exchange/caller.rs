//! Whose token came with a request: a system's or a person's.

use chrono::{DateTime, Utc};

use super::answer::Exchange;
use crate::{
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
}

pub(super) fn no_token() -> Problem {
    Problem::new(Code::TokenMissing, "no bearer token was sent")
        .remedy("Get one at /oauth/token and send it as `authorization: Bearer ...`.")
}
