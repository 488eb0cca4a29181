//! Calls in the manner of a platform above: `/uplink/national/...` and `/ebus/{app}/{service}`.
//!
//! Translates headers, members and codes; who calls and what is answered is decided on the road. Whatever comes out of the
//! road is said with status 200 in the platforms' envelope, as their callers expect: most of them take any other status
//! for a broken network. What never reached the road (overload, a body that broke off) is a problem as elsewhere.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use metrics::counter;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
    },
    verifications::{Members, ScalarSide, SignedAnswer, signed_bytes},
};
use crate::{
    exchange::{Answer, Asked, Credential, OutcomeWord, Question},
    identifiers::CallId,
    identity::IdentityError,
    policy::Operation,
    problem::{Code, Problem},
    uplink::{
        self, Carried, ENVELOPE_FAILED, ENVELOPE_NOT_LISTED, ENVELOPE_OK, Manner, Presented, Service, Word, sign,
    },
    verification::{ClaimInput, Outcome, Reason, Scalar},
};

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new().routes(routes!(national)).routes(routes!(refresh)).routes(routes!(tif))
}

/// The platforms' envelope.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Envelope {
    /// `0`: answered. `-1`: not. `E-106` (national): the caller is not on the list of those who may.
    code: &'static str,
    message: String,
    data: EnvelopeData,
}

/// What an answer or a refusal says.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct EnvelopeData {
    /// The outcome in the codes of the service's vocabulary; missing where that has none for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// The outcome in words: `match`, `mismatch`, `not_found`, `abnormal`, `stale`, `undecided`, `unavailable`, `denied`,
    /// `quota`, `invalid`.
    word: &'static str,
    /// The answer as `/v1/verifications` gives it, with its receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SignedAnswer>)]
    answer: Option<Box<RawValue>>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemBody>,
}

/// The answer of `refreshappsecret`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretEnvelope {
    /// `0`; anything else refuses, with `word` and `problem` in `data` as for calls.
    code: &'static str,
    message: &'static str,
    data: SecretData,
}

/// A secret for calls; both members are absent where it is refused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretData {
    /// AES (ECB, PKCS#7 padding, key: the bytes of the appKey), Base64.
    secret: Option<String>,
    /// From then on calls are no longer accepted with it: milliseconds since 1970.
    secret_end_time: Option<i64>,
}

/// Answer one call in the manner of the national exchange platform.
///
/// The body is a JSON object of the service's members. Signed by `gjgxjhpt_sign`; docs/uplink.md lists the headers.
#[utoipa::path(
    post,
    path = "/uplink/national/call",
    tag = "uplink",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses(
        (status = 200, description = "Answered or refused, as `code` says", body = Envelope),
        (status = 408, description = "The request took too long to arrive", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded; see `retry-after`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn national(State(node): State<Arc<Node>>, request: Request) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    answer(&node, carried_national(&headers), &headers, body).await
}

/// Get the secret that calls of the national manner are signed with.
///
/// Signed as a call is, with the appKey.
#[utoipa::path(
    post,
    path = "/uplink/national/auth/refreshappsecret",
    tag = "uplink",
    responses(
        (status = 200, description = "A secret; or refused, as `code` says", body = SecretEnvelope),
        (status = 408, description = "The request took too long to arrive", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded; see `retry-after`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn refresh(State(node): State<Arc<Node>>, request: Request) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    let bytes = match whole(&node, body, Manner::National).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    let issued = node.refresh_secret(&presented(&node, carried_national(&headers), &headers), &bytes);
    let result = if issued.is_ok() { "issued" } else { "refused" };
    counter!("shuqiao_tokens_issued_total", "result" => result).increment(1);
    match issued {
        Ok(sealed) => {
            let data = SecretData { secret: Some(sealed.secret), secret_end_time: Some(sealed.end.timestamp_millis()) };
            unkept(Json(SecretEnvelope { code: ENVELOPE_OK, message: "成功", data }))
        }
        Err(problem) => unkept(Json(refused(Manner::National, None, problem, None))),
    }
}

/// Answer one call in the manner of a provincial gateway of the TIF kind.
///
/// The body is a JSON object of the service's members. Signed by `x-tif-signature`; docs/uplink.md lists the headers.
#[utoipa::path(
    post,
    path = "/ebus/{app}/{service}",
    tag = "uplink",
    params(("app" = String, Path, description = "The calling application, as in `x-tif-paasid`"), ("service" = String, Path)),
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses(
        (status = 200, description = "Answered or refused, as `code` says", body = Envelope),
        (status = 408, description = "The request took too long to arrive", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded; see `retry-after`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn tif(
    State(node): State<Arc<Node>>,
    Path((app, service)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    let carried = Carried::Tif {
        app: &app,
        service: &service,
        paasid: one(&headers, sign::PAASID),
        timestamp: one(&headers, sign::TIMESTAMP),
        nonce: one(&headers, sign::NONCE),
        signature: one(&headers, sign::SIGNATURE),
    };
    answer(&node, carried, &headers, body).await
}

fn carried_national(headers: &HeaderMap) -> Carried<'_> {
    Carried::National {
        rid: one(headers, sign::RID),
        sid: one(headers, sign::SID),
        rtime: one(headers, sign::RTIME),
        sign: one(headers, sign::SIGN),
    }
}

fn presented<'a>(node: &'a Node, carried: Carried<'a>, headers: &'a HeaderMap) -> Presented<'a> {
    let (content_digest, body_signature) = (one(headers, sign::CONTENT_DIGEST), one(headers, sign::BODY_SIGNATURE));
    Presented { desk: &node.uplink.desk, carried, content_digest, body_signature }
}

/// A header that stands once. One that stands twice, or is no visible ASCII, is there and empty.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    match (all.next()?.to_str(), all.next()) {
        (Ok(text), None) => Some(text),
        _ => Some(""),
    }
}

/// The body as it was sent; or what is to be said instead, before the road has begun.
async fn whole(node: &Node, body: Body, manner: Manner) -> Result<Vec<u8>, Response> {
    body::read(body, node.settings.http.body_bytes_max).await.map_err(|problem| match problem.code {
        Code::BodyTooLarge => unkept(Json(refused(manner, None, problem, None))),
        _ => ProblemResponse::from(problem).into_response(),
    })
}

async fn answer(node: &Node, carried: Carried<'_>, headers: &HeaderMap, body: Body) -> Response {
    let manner = carried.manner();
    let bytes = match whole(node, body, manner).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    let service = node.uplink.desk.service(manner, carried.service());
    let asked = service.clone().and_then(|service| Ok((service, asked(service, headers, &bytes)?)));
    let own_form = asked.as_ref().map(|(service, asked)| own_form(service, asked)).unwrap_or_default();
    let question = asked.map(|(service, asked)| question(service, asked));
    let credential = Credential::Signed { request: &presented(node, carried, headers), own_form: &own_form };
    let answered = node.answer(Operation::Verify, credential, &bytes, question).await;
    match answered {
        Ok(answer) => match answered_envelope(service.ok(), answer) {
            Ok(envelope) => unkept(Json(envelope)),
            Err(problem) => ProblemResponse::from(problem).into_response(),
        },
        Err(refusal) => unkept(Json(refused(manner, service.ok(), refusal.problem, Some(refusal.call_id)))),
    }
}

fn asked(service: &Service, headers: &HeaderMap, bytes: &[u8]) -> Result<uplink::Asked, Problem> {
    let Members(members) = body::json::<Members<ScalarSide>>(headers, bytes)?;
    service.read(members.into_iter().map(|(member, value)| (member, Scalar::from(value))).collect())
}

/// The question as `/v1/verifications` takes it: another node that keeps the record knows no service of ours.
fn own_form(service: &Service, asked: &uplink::Asked) -> Vec<u8> {
    let uplink::Asked { subject: (field, subject), claims, case } = asked;
    let claims: serde_json::Map<_, _> =
        claims.iter().map(|(field, value)| (field.as_str().to_owned(), uplink::in_json(value))).collect();
    let body = serde_json::json!({
        "dataset": service.dataset.as_str(),
        "item": service.item.as_str(),
        "case": case,
        "subject": { field.as_str(): subject },
        "claims": claims,
    });
    body.to_string().into_bytes()
}

fn question(service: &Service, asked: uplink::Asked) -> Question {
    let uplink::Asked { subject: (field, subject), claims, case } = asked;
    let claim = |(field, value): (crate::identifiers::FieldName, Scalar)| {
        (field.as_str().to_owned(), vec![ClaimInput::Equals(value)])
    };
    Question {
        dataset: service.dataset.as_str().to_owned(),
        item: service.item.as_str().to_owned(),
        case,
        authority: None, // No platform says it; where it matters, the key tells.
        consent: None,
        operator: None,
        approver: None,
        subject: vec![(field.as_str().to_owned(), subject)],
        asked: Asked::Claims(claims.into_iter().map(claim).collect()),
    }
}

fn answered_envelope(service: Option<&Service>, answer: Answer) -> Result<Envelope, Problem> {
    let word = word_of(answer.body.outcome, answer.body.reason.as_deref());
    let result = service.and_then(|service| service.vocabulary.say(word)).map(str::to_owned);
    // A word without a code of its own is said by the envelope: it is no yes and no no.
    let code = if result.is_some() { ENVELOPE_OK } else { ENVELOPE_FAILED };
    let answer: Box<RawValue> = serde_json::from_slice(&signed_bytes(answer)).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "an answer is not the JSON that it was written as");
        Problem::new(Code::Internal, "the node could not compose the answer")
    })?;
    let data = EnvelopeData { result, word: word.as_str(), answer: Some(answer), problem: None };
    Ok(Envelope { code, message: word.in_chinese().to_owned(), data })
}

fn word_of(outcome: OutcomeWord, reason: Option<&str>) -> Word {
    let reason = Reason::ALL.into_iter().find(|known| Some(known.as_str()) == reason);
    match outcome {
        OutcomeWord::Match => Word::Match,
        OutcomeWord::Mismatch => Word::Mismatch,
        OutcomeWord::NotFound => Word::NotFound,
        OutcomeWord::Indeterminate => {
            reason.map_or(Word::Undecided, |reason| Word::of(&Outcome::Indeterminate(reason)))
        }
        OutcomeWord::Found => Word::Undecided, // Of disclosures, which no service of a platform asks for.
    }
}

fn refused(manner: Manner, service: Option<&Service>, problem: Problem, call_id: Option<CallId>) -> Envelope {
    let word = Word::of_refusal(problem.code);
    let code = match (manner, problem.code) {
        (
            Manner::National,
            Code::ClientRejected
            | Code::CallerSuspended
            | Code::Denied
            | Code::NotShared
            | Code::RoleRequired
            | Code::UnknownService,
        ) => ENVELOPE_NOT_LISTED,
        (Manner::National | Manner::Tif, _) => ENVELOPE_FAILED,
    };
    let result = service.and_then(|service| service.vocabulary.say(word)).map(str::to_owned);
    let message = match &problem.remedy {
        Some(remedy) => format!("{}：{}. {remedy}", word.in_chinese(), problem.detail),
        None => format!("{}：{}", word.in_chinese(), problem.detail),
    };
    let problem = Some(ProblemBody::of(problem, call_id));
    Envelope { code, message, data: EnvelopeData { result, word: word.as_str(), answer: None, problem } }
}

fn unkept(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Node {
    /// The secret for a client that may call.
    fn refresh_secret(&self, request: &Presented<'_>, body: &[u8]) -> Result<uplink::SealedSecret, Problem> {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body).as_ref());
        let (proven, sealed) = request.refresh(&sha256, self.now())?;
        let refused = |error: IdentityError| {
            Problem::new(error.code(), error.to_string()).remedy("Ask the node's operator about the client.")
        };
        self.verifier.stands(&proven.client, String::new(), (proven.signed_at, proven.expires)).map_err(refused)?;
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use super::{super::verifications::VerificationBody, *};
    use crate::uplink::Vocabulary;

    #[test]
    fn another_node_reads_the_same_question_from_the_form_that_it_is_sent() {
        let codes: BTreeMap<_, _> =
            [Word::Match, Word::Mismatch, Word::NotFound].map(|word| (word, vec![word.as_str().to_owned()])).into();
        let service = Service {
            id: "person".to_owned(),
            dataset: "natural-person".parse().unwrap(),
            item: "11440100MB9YYY997R3440101001000".parse().unwrap(),
            subject: ("sfzh".to_owned(), "resident_id".parse().unwrap()),
            claims: vec![("xm".to_owned(), "name".parse().unwrap()), ("n".to_owned(), "age".parse().unwrap())],
            case: Some("ywlsh".to_owned()),
            vocabulary: Arc::new(Vocabulary::new("t", &codes).unwrap()),
        };
        let text = |member: &str, value: &str| (member.to_owned(), Scalar::Text(value.to_owned()));
        let sent = vec![text("sfzh", "440100188912310015"), ("n".to_owned(), Scalar::Integer(7)), text("xm", "张三")];
        for more in [vec![], vec![text("ywlsh", "CASE-7")]] {
            let asked = service.read([sent.clone(), more].concat()).unwrap();
            let form: VerificationBody = serde_json::from_slice(&own_form(&service, &asked)).unwrap();
            let mut here = question(&service, asked);
            let Asked::Claims(claims) = &mut here.asked else { unreachable!() };
            claims.sort_by(|one, other| one.0.cmp(&other.0)); // A JSON object here has its members in that order.
            assert_eq!(format!("{:?}", Question::from(form)), format!("{here:?}"));
        }
    }
}
