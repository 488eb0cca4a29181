//! `POST /v1/disclosures`: the agreed fields of a record, masked as obliged.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    super::{Node, body},
    verifications::{CallResponses, Members, call},
};
use crate::{
    exchange::{Asked, Question},
    policy::Operation,
};

/// A request for fields of one record, for the sake of a service item.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisclosureBody {
    /// Dataset id, such as `legal-entity`.
    #[schema(example = "legal-entity")]
    pub dataset: String,
    /// The service item for whose sake the call is made: its 31-character implementation code (GB/T 39554.1).
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
    /// Whom or what the request is about: exactly one key field with its value.
    #[schema(value_type = HashMap<String, String>)]
    pub subject: Members<String>,
    /// The fields wanted, 1 to 64.
    pub fields: Vec<String>,
}

/// Disclose fields of one record.
///
/// Only fields that the agreement grants and the item needs, masked where the catalogue or a policy says so.
#[utoipa::path(
    post,
    path = "/v1/disclosures",
    tag = "calls",
    request_body = DisclosureBody,
    security(("bearer" = [])),
    responses(CallResponses),
)]
pub(crate) async fn disclose(State(node): State<Arc<Node>>, request: Request) -> Response {
    let asked = |headers: &HeaderMap, bytes: &[u8]| body::json::<DisclosureBody>(headers, bytes).map(Question::from);
    call(&node, Operation::Disclose, request, asked).await
}

impl From<DisclosureBody> for Question {
    fn from(body: DisclosureBody) -> Self {
        Self {
            dataset: body.dataset,
            item: body.item,
            case: body.case,
            authority: body.authority,
            consent: body.consent,
            operator: body.operator,
            approver: body.approver,
            subject: body.subject.0,
            asked: Asked::Fields(body.fields),
        }
    }
}
