//! Problems as RFC 9457 `application/problem+json`: the only place with status numbers.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    identifiers::CallId,
    problem::{Code, Problem},
};

/// The body of a refusal or failure (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// URI of the problem type: `urn:shuqiao:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem type in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable code; `docs/errors.md` lists them.
    pub code: &'static str,
    /// What was wrong with this request, in one line. Never a register value.
    pub detail: String,
    /// JSON pointer (RFC 6901) of the offending member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the caller can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The policies that decided, where policy refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The call's id in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

impl ProblemBody {
    pub(crate) fn of(problem: Problem, call_id: Option<CallId>) -> Self {
        Self {
            kind: format!("urn:shuqiao:problem:{}", problem.code),
            title: title_of(problem.code),
            status: status_of(problem.code),
            code: problem.code.as_str(),
            detail: problem.detail,
            field: problem.field,
            remedy: problem.remedy,
            policies: problem.policies,
            call_id: call_id.map(|id| id.to_string()),
        }
    }
}

/// A problem on its way out, with the call it belongs to, if there was one.
#[derive(Debug)]
pub(crate) struct ProblemResponse {
    problem: Problem,
    call_id: Option<CallId>,
}

impl ProblemResponse {
    pub(crate) fn of_call(problem: Problem, call_id: CallId) -> Self {
        Self { problem, call_id: Some(call_id) }
    }
}

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Self { problem, call_id: None }
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let Self { problem, call_id } = self;
        let (code, retry_after) = (problem.code, problem.retry_after);
        let body = ProblemBody::of(problem, call_id);
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750 section 3: say which scheme, and with a bad token, that it was the token.
            let challenge = match code {
                Code::TokenMissing => "Bearer realm=\"shuqiao\"",
                _ => "Bearer realm=\"shuqiao\", error=\"invalid_token\"",
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// The HTTP status of a code.
pub fn status_of(code: Code) -> u16 {
    match code {
        Code::MalformedBody | Code::TokenRequestInvalid => 400,
        Code::TokenMissing
        | Code::TokenInvalid
        | Code::ClientRejected
        | Code::PeerTokenInvalid
        | Code::SignatureRefused => 401,
        Code::Denied
        | Code::ConsentRequired
        | Code::SecondApproverRequired
        | Code::RoleRequired
        | Code::CallerSuspended
        | Code::SeparationOfDuties
        | Code::NotShared
        | Code::NotReturned
        | Code::PeerUnknown
        | Code::PeerDepartment => 403,
        // Not 429: waiting does not help.
        Code::GuessesExceeded => 403,
        Code::NoSuchPath | Code::NotFound | Code::UnknownService => 404,
        Code::MethodNotAllowed => 405,
        Code::RequestTimeout => 408,
        Code::Conflict | Code::PeerCallRepeated | Code::Replayed => 409,
        Code::VersionRemoved => 410,
        Code::BodyTooLarge => 413,
        Code::UnsupportedMediaType => 415,
        Code::InvalidValue
        | Code::UnknownDataset
        | Code::UnknownItem
        | Code::UnknownField
        | Code::PublicationRefused
        | Code::StatementRefused
        | Code::CatalogInvalid
        | Code::ConfigInvalid
        | Code::PolicyInvalid
        | Code::ReceiptInvalid => 422,
        Code::RateLimited
        | Code::QuotaExceeded
        | Code::RechecksFull
        | Code::EnumerationSlowed
        | Code::EnumerationBlocked => 429,
        Code::Internal | Code::LogDamaged | Code::StorageFailed => 500,
        Code::PeerUnreachable | Code::ReturnInvalid => 502,
        Code::ForwardingLoop => 508,
        Code::Overloaded
        | Code::AuditUnavailable
        | Code::NotReady
        | Code::Suspended
        | Code::StatementTooSlow
        | Code::NodesMissing => 503,
    }
}

/// A short, unchanging title for each code (RFC 9457 section 3.1.3).
fn title_of(code: Code) -> &'static str {
    match code {
        Code::MalformedBody => "Malformed body",
        Code::InvalidValue => "Invalid value",
        Code::UnsupportedMediaType => "Unsupported media type",
        Code::BodyTooLarge => "Body too large",
        Code::UnknownDataset => "Unknown dataset",
        Code::UnknownItem => "Unknown service item",
        Code::UnknownField => "Unknown field",
        Code::TokenMissing => "Token missing",
        Code::TokenInvalid => "Token refused",
        Code::ClientRejected => "Client refused",
        Code::SignatureRefused => "Signature refused",
        Code::Replayed => "Answered before",
        Code::UnknownService => "Unknown service",
        Code::TokenRequestInvalid => "Malformed token request",
        Code::Denied => "Denied by policy",
        Code::ConsentRequired => "Consent required",
        Code::SecondApproverRequired => "Second approver required",
        Code::RoleRequired => "Role required",
        Code::CallerSuspended => "Caller suspended",
        Code::Suspended => "Suspended",
        Code::NotFound => "Not found",
        Code::Conflict => "Conflict",
        Code::VersionRemoved => "Version removed",
        Code::GuessesExceeded => "Too many wrong subjects",
        Code::SeparationOfDuties => "Separation of duties",
        Code::NotShared => "Dataset not shared",
        Code::RateLimited => "Too many calls",
        Code::QuotaExceeded => "Quota used up",
        Code::RechecksFull => "Too many re-checks wait",
        Code::EnumerationSlowed => "Slowed: looks like enumeration",
        Code::EnumerationBlocked => "Blocked: looks like enumeration",
        Code::PeerUnknown => "Unknown node",
        Code::PeerTokenInvalid => "Forwarded call refused",
        Code::PeerDepartment => "Department of another node",
        Code::PeerCallRepeated => "Forwarded call repeated",
        Code::ForwardingLoop => "Forwarding loop",
        Code::PeerUnreachable => "Node unreachable",
        Code::StatementRefused => "Statement refused",
        Code::StatementTooSlow => "Statement too slow",
        Code::NodesMissing => "Nodes missing",
        Code::NotReturned => "Dataset not returned",
        Code::ReturnInvalid => "Return refused",
        Code::NoSuchPath => "No such path",
        Code::MethodNotAllowed => "Method not allowed",
        Code::RequestTimeout => "Request too slow",
        Code::Overloaded => "Overloaded",
        Code::AuditUnavailable => "Audit log unavailable",
        Code::NotReady => "Not ready",
        Code::CatalogInvalid => "Invalid catalogue",
        Code::ConfigInvalid => "Invalid configuration",
        Code::PolicyInvalid => "Invalid policies",
        Code::PublicationRefused => "Publication refused",
        Code::StorageFailed => "Storage failed",
        Code::LogDamaged => "Audit log damaged",
        Code::ReceiptInvalid => "Invalid receipt",
        Code::Internal => "Internal fault",
    }
}
