//! What acts of people have in common: the refusals that they document, and what a failed ledger becomes.

use utoipa::IntoResponses;

use super::super::problem::ProblemBody;
use crate::{
    ledger::LedgerError,
    problem::{Code, Problem},
};

/// What acts of staff may be answered with, besides what they are for.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; never made")]
pub(super) enum StaffResponses {
    #[response(status = 400, description = "Not of the documented shape", content_type = "application/problem+json")]
    Malformed(ProblemBody),
    #[response(
        status = 401,
        description = "No token, or a token that was refused",
        content_type = "application/problem+json"
    )]
    Unidentified(ProblemBody),
    #[response(status = 403, description = "The account lacks the role", content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    #[response(
        status = 408,
        description = "The request took too long to arrive",
        content_type = "application/problem+json"
    )]
    TooSlow(ProblemBody),
    #[response(status = 409, description = "Not in a state for this", content_type = "application/problem+json")]
    Conflict(ProblemBody),
    #[response(status = 413, description = "The body is too large", content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    #[response(
        status = 415,
        description = "The content type is not application/json",
        content_type = "application/problem+json"
    )]
    WrongType(ProblemBody),
    #[response(status = 422, description = "A value fails its check", content_type = "application/problem+json")]
    Invalid(ProblemBody),
    #[response(status = 500, description = "The ledger failed", content_type = "application/problem+json")]
    Failed(ProblemBody),
    #[response(status = 503, description = "Overloaded or shutting down", content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// What a look at something may be answered with, besides what it is for.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; never made")]
pub(super) enum ReadResponses {
    #[response(status = 400, description = "Not of the documented shape", content_type = "application/problem+json")]
    Malformed(ProblemBody),
    #[response(
        status = 401,
        description = "No token, or a token that was refused",
        content_type = "application/problem+json"
    )]
    Unidentified(ProblemBody),
    #[response(status = 403, description = "The account lacks the role", content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    #[response(
        status = 408,
        description = "The request took too long to arrive",
        content_type = "application/problem+json"
    )]
    TooSlow(ProblemBody),
    #[response(status = 422, description = "A value fails its check", content_type = "application/problem+json")]
    Invalid(ProblemBody),
    #[response(status = 500, description = "The ledger failed", content_type = "application/problem+json")]
    Failed(ProblemBody),
    #[response(status = 503, description = "Overloaded or shutting down", content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// What a failed act of the ledger is to its caller.
pub(super) fn ledger_failed(error: LedgerError) -> Problem {
    match error.code() {
        code @ Code::InvalidValue => Problem::new(code, error.to_string()).at("/reason"),
        code => {
            tracing::error!(error = &error as &dyn std::error::Error, "the ledger failed");
            Problem::new(code, "the ledger failed").remedy("Try again; the node's operator finds the cause in its log.")
        }
    }
}
