//! `POST /v1/objections/{id}/record`: the record that an objection is about, then and now.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{
        super::{
            Node, body,
            problem::{ProblemBody, ProblemResponse},
            staff::Staff,
        },
        staff_responses::StaffResponses,
    },
    find,
};
use crate::objections::{Archive, Look, Seen, Side, look};

/// Who it is about, and why somebody looks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookBody {
    /// The subject's number, as it was asked.
    #[schema(example = "440100188912310015")]
    subject: String,
    /// Written down with the look. 1 to 2000 characters.
    #[schema(example = "核对异议所指的登记内容")]
    reason: String,
}

/// The fields that the call asked, in two versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordView {
    /// In the version that answered.
    then: SideView,
    /// In the version that is served; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<SideView>,
    /// Fields that were asked and are not shown: never disclosed, or no longer in the catalogue.
    withheld: Vec<String>,
}

/// What one version says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SideView {
    dataset_version: u64,
    /// When that version's data was true, RFC 3339.
    as_of: String,
    /// Values by field, as text; null where there is none. Empty where there is no record; several where the subject is no key.
    records: Vec<BTreeMap<String, Option<String>>>,
}

/// Look at the record that an objection is about, as it was in the version that answered and as it is now.
///
/// For a steward of the provider who has not filed the objection. The subject is named again: one that is not the objection's
/// shows nothing, and after five wrong ones no further one is looked at. Each look is written down, with its reason.
#[utoipa::path(
    post,
    path = "/v1/objections/{id}/record",
    tag = "objections",
    params(("id" = String, Path, description = "Of the objection")),
    request_body = LookBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The record, then and now", body = RecordView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = ProblemBody),
        (status = 410, description = "The version that answered has been removed", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn record(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let LookBody { subject, reason } = body::of(request, node.settings.http.body_bytes_max).await?;
    let objection = find(&node, &actor, &id).await?;
    let (catalog, log) = (node.catalog(), node.settings.paths.audit());
    let archive = Archive {
        ledger: &node.ledger,
        engine: &node.engine,
        catalog: &catalog,
        pseudonyms: &node.pseudonyms,
        log: &log,
    };
    let seen = Box::pin(look(&objection, Look { subject, reason }, &actor, archive, node.now())).await?;
    Ok(Json(view(seen)).into_response())
}

fn view(seen: Seen) -> RecordView {
    let Seen { then, now, withheld } = seen;
    let withheld = withheld.iter().map(ToString::to_string).collect();
    RecordView { then: side(then), now: now.map(side), withheld }
}

fn side(side: Side) -> SideView {
    let named = |record: BTreeMap<_, _>| {
        record
            .into_iter()
            .map(|(field, value): (crate::identifiers::FieldName, _)| (field.to_string(), value))
            .collect()
    };
    SideView {
        dataset_version: side.version.0,
        as_of: body::rfc3339(side.as_of),
        records: side.records.into_iter().map(named).collect(),
    }
}
