//! `POST /v1/verifications`: are these claims right?

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, ToSchema};

use super::super::{
    Node, body,
    problem::{ProblemBody, ProblemResponse},
};
use crate::{
    exchange::{Answer, AnswerBody, Asked, Credential, Question},
    policy::Operation,
    problem::Problem,
    verification::{ClaimInput, Scalar},
};

/// A question about one record, for the sake of a service item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationBody {
    /// Dataset id, such as `natural-person`.
    #[schema(example = "natural-person")]
    pub dataset: String,
    /// The service item for whose sake the call is made: its 31-character implementation code (GB/T 39554.1).
    #[schema(example = "11440100MB9YYY997R3440101001000")]
    pub item: String,
    /// The caller's own number for the case, 1 to 64 visible ASCII characters.
    #[serde(default)]
    pub case: Option<String>,
    /// The division whose authority is responsible for the record (GB/T 2260), where the caller knows it: then that
    /// authority's node alone is asked. Most useful for registers that are divided over cities.
    #[serde(default)]
    #[schema(example = "440300")]
    pub authority: Option<String>,
    /// The caller's reference to the record of the subject's consent, 1 to 64 visible ASCII characters.
    #[serde(default)]
    pub consent: Option<String>,
    /// The official in whose name the system calls: the account's name at the department, 1 to 64 visible ASCII
    /// characters. The log keeps a pseudonym of it.
    #[serde(default)]
    pub operator: Option<String>,
    /// A second official, who approved the call; takes `operator`, and is somebody else.
    #[serde(default)]
    pub approver: Option<String>,
    /// Whom or what the question is about: exactly one key field with its value.
    #[schema(value_type = HashMap<String, String>, example = json!({"resident_id": "440100188912310015"}))]
    pub subject: Members<String>,
    /// What is claimed, by field: a value, or operators that must all hold.
    #[schema(value_type = HashMap<String, ClaimSide>, example = json!({"name": "张三", "birth_date": {"before": "2008-11-24"}}))]
    pub claims: Members<ClaimSide>,
}

/// A claim: a value (equality) or a predicate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "not a claim: expected a text, a whole number, true, false or an object of operators")]
pub(crate) enum ClaimSide {
    Value(ScalarSide),
    #[serde(deserialize_with = "body::object")]
    Predicate(Predicate),
}

/// Operators on a date or a number; all that are given must hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Predicate {
    /// The register's value is earlier or smaller.
    pub before: Option<ScalarSide>,
    /// The register's value is later or larger.
    pub after: Option<ScalarSide>,
    /// The register's value is the same, later or larger.
    pub at_least: Option<ScalarSide>,
    /// The register's value is the same, earlier or smaller.
    pub at_most: Option<ScalarSide>,
    /// The register's value is one of these, 1 to 32.
    pub one_of: Option<Vec<ScalarSide>>,
}

/// A JSON scalar.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ScalarSide {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

/// The members of a JSON object in their order. A member that stands twice is refused: JSON readers differ in which of
/// the two they take, and a signed request must mean one thing.
#[derive(Debug)]
pub(crate) struct Members<T>(pub(crate) Vec<(String, T)>);

/// What a call may be answered with, for OpenAPI.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; never made")]
pub(super) enum CallResponses {
    #[response(status = 200, description = "The call was answered and recorded")]
    Answered(SignedAnswer),
    #[response(
        status = 400,
        description = "The body is not of the documented shape",
        content_type = "application/problem+json"
    )]
    Malformed(ProblemBody),
    #[response(
        status = 401,
        description = "No token, or a token that was refused",
        content_type = "application/problem+json"
    )]
    Unidentified(ProblemBody),
    #[response(
        status = 403,
        description = "Denied by policy, or allowed only with a consent or a second official that the call does not \
                       name; `policies` names those that decided",
        content_type = "application/problem+json"
    )]
    Denied(ProblemBody),
    #[response(
        status = 408,
        description = "The request took too long to arrive",
        content_type = "application/problem+json"
    )]
    TooSlow(ProblemBody),
    #[response(status = 413, description = "The body is too large", content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    #[response(
        status = 415,
        description = "The content type is not application/json",
        content_type = "application/problem+json"
    )]
    WrongType(ProblemBody),
    #[response(
        status = 422,
        description = "A value fails its check; `field` points at it",
        content_type = "application/problem+json"
    )]
    Invalid(ProblemBody),
    #[response(
        status = 429,
        description = "Too many calls; see `retry-after`",
        content_type = "application/problem+json"
    )]
    TooMany(ProblemBody),
    #[response(
        status = 503,
        description = "Overloaded, shutting down, or the call could not be recorded; see `retry-after`",
        content_type = "application/problem+json"
    )]
    Unavailable(ProblemBody),
}

/// Answer one verification call.
///
/// The answer says `match`, `mismatch`, `not_found` or `indeterminate`, and the same for each claim; never a register
/// value. Its `receipt` is signed (JWS, EdDSA) over the request's and the answer's digests.
#[utoipa::path(
    post,
    path = "/v1/verifications",
    tag = "calls",
    request_body = VerificationBody,
    security(("bearer" = [])),
    responses(CallResponses),
)]
pub(crate) async fn verify(State(node): State<Arc<Node>>, request: Request) -> Response {
    let asked = |headers: &HeaderMap, bytes: &[u8]| body::json::<VerificationBody>(headers, bytes).map(Question::from);
    call(&node, Operation::Verify, request, asked).await
}

/// An answer with its receipt. Describes the JSON for OpenAPI; the bytes are put together in `signed`, from those that the
/// receipt binds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedAnswer {
    #[serde(flatten)]
    answer: AnswerBody,
    /// The node's signed statement of this answer, in one of two forms; docs/receipts.md describes both and how to verify.
    /// `batch`: `<head>~<claims>~<place>`, where `head` is a compact JWS (EdDSA, `typ` `receipt-head+jwt`) over a Merkle
    /// root, and the others are base64url of the claims and of their position and path. `single`: a compact JWS (EdDSA,
    /// `typ` `receipt+jwt`) over the claims. `request_sha256` is over the request body as sent, `answer_sha256` over this
    /// answer without `receipt` in RFC 8785 canonical form.
    receipt: String,
}

/// Extract, ask, shape: what both kinds of call share.
pub(super) async fn call(
    node: &Node,
    operation: Operation,
    request: Request,
    question: impl FnOnce(&HeaderMap, &[u8]) -> Result<Question, Problem>,
) -> Response {
    // Taken apart and not extracted: an extractor copies every header.
    let (Parts { headers, .. }, body) = request.into_parts();
    let bytes = match body::read(body, node.settings.http.body_bytes_max).await {
        Ok(bytes) => bytes,
        Err(problem) => return ProblemResponse::from(problem).into_response(),
    };
    let credential = body::bearer(&headers).map_or(Credential::Missing, Credential::Bearer);
    let answered = node.answer(operation, credential, &bytes, question(&headers, &bytes)).await;
    match answered {
        Ok(answer) => signed(answer),
        Err(refusal) => ProblemResponse::of_call(refusal.problem, refusal.call_id).into_response(),
    }
}

pub(in crate::http) fn signed(answer: Answer) -> Response {
    let unkept = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (unkept, signed_bytes(answer)).into_response()
}

/// The canonical bytes with `receipt` put in as the last member.
pub(in crate::http) fn signed_bytes(answer: Answer) -> Vec<u8> {
    let mut bytes = answer.canonical;
    bytes.pop(); // The closing brace of a JSON object, which the canonical form ends with.
    bytes.extend_from_slice(b",\"receipt\":\"");
    bytes.extend_from_slice(answer.receipt.as_bytes()); // Base64url, `.` and `~` need no escaping.
    bytes.extend_from_slice(b"\"}");
    bytes
}

impl From<VerificationBody> for Question {
    fn from(body: VerificationBody) -> Self {
        let claims = body.claims.0.into_iter().map(|(field, claim)| (field, claim.into())).collect();
        Self {
            dataset: body.dataset,
            item: body.item,
            case: body.case,
            authority: body.authority,
            consent: body.consent,
            operator: body.operator,
            approver: body.approver,
            subject: body.subject.0,
            asked: Asked::Claims(claims),
        }
    }
}

impl From<ClaimSide> for Vec<ClaimInput> {
    fn from(side: ClaimSide) -> Self {
        match side {
            ClaimSide::Value(value) => vec![ClaimInput::Equals(value.into())],
            ClaimSide::Predicate(predicate) => {
                let Predicate { before, after, at_least, at_most, one_of } = predicate;
                [
                    before.map(|value| ClaimInput::Before(value.into())),
                    after.map(|value| ClaimInput::After(value.into())),
                    at_least.map(|value| ClaimInput::AtLeast(value.into())),
                    at_most.map(|value| ClaimInput::AtMost(value.into())),
                    one_of.map(|values| ClaimInput::OneOf(values.into_iter().map(Scalar::from).collect())),
                ]
                .into_iter()
                .flatten()
                .collect()
            }
        }
    }
}

impl From<ScalarSide> for Scalar {
    fn from(side: ScalarSide) -> Self {
        match side {
            ScalarSide::Text(text) => Self::Text(text),
            ScalarSide::Integer(number) => Self::Integer(number),
            ScalarSide::Boolean(truth) => Self::Boolean(truth),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Members<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members: Vec<(String, T)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}
