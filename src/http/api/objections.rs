//! `/v1/objections` and `/v1/ratings`: "this is wrong", and how good an answer was.

mod record;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    super::{Node, body, problem::ProblemResponse, staff::Staff},
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use crate::{
    calendar,
    identifiers::{DatasetId, ObjectionId, Role},
    ledger::{Actor, Objection, ObjectionFilter, ObjectionState},
    objections::{self, Evidence, NewObjection, NewRating},
    problem::{Code, Problem},
};

/// Objections answered at once, where nothing was said and at most.
const OBJECTIONS: u32 = 50;
const OBJECTIONS_MAX: u32 = 200;
/// Complaints shown for a dataset.
const COMPLAINTS: u32 = 20;

pub(super) fn routes() -> OpenApiRouter<Arc<Node>> {
    OpenApiRouter::new()
        .routes(routes!(list, file))
        .routes(routes!(show))
        .routes(routes!(decide))
        .routes(routes!(record::record))
        .routes(routes!(ratings, rate))
        .routes(routes!(complaints))
}

/// "This is wrong", by whoever holds the receipt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectionBody {
    /// The receipt of the answer that is objected to.
    receipt: String,
    /// The subject's number, as it was asked. Kept until the objection is decided, for those who correct the register.
    #[schema(example = "440100188912310015")]
    subject: String,
    /// Names of the fields that are wrong; none: the record as a whole.
    #[serde(default)]
    fields: Vec<String>,
    /// What is wrong, and how it is right. 1 to 1000 characters.
    #[schema(example = "姓名用字有误，应为“喆”")]
    statement: String,
}

/// How an objection is decided.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectionDecisionBody {
    /// `corrected` (the version that is served now holds the correction), `upheld` (the register is right) or `not_ours`.
    outcome: String,
    /// For the filer. 1 to 1000 characters.
    reason: String,
}

/// An objection, as far as the reader may see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectionView {
    id: String,
    /// `open`, `corrected`, `upheld` or `not_ours`.
    state: &'static str,
    /// The call whose answer is objected to.
    call_id: String,
    dataset: String,
    /// The department that decides.
    provider: String,
    item: String,
    /// The version that answered.
    dataset_version: u64,
    /// When that version's data was true, RFC 3339.
    as_of: String,
    fields: Vec<String>,
    statement: String,
    /// The field by which the subject was named.
    subject_field: String,
    /// The subject's number: for stewards of the provider, while the objection is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    filed_by: String,
    filed_department: String,
    filed_at: String,
    /// Last day to decide, in China.
    due: String,
    /// The holidays of that year are not published yet; the day may move.
    due_provisional: bool,
    /// The day is over, and nothing was decided.
    overdue: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// The version that holds the correction.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrected_version: Option<u64>,
    /// When the filer read the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    told_at: Option<String>,
}

/// Objections, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ObjectionsBody {
    items: Vec<ObjectionView>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which objections.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectionsQuery {
    /// `open`, `corrected`, `upheld` or `not_ours`.
    state: Option<String>,
    /// Only those that are overdue.
    overdue: Option<bool>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// How good an answer was.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingBody {
    /// The receipt of the answer.
    receipt: String,
    /// 5 very satisfied, 4 satisfied, 3 fairly satisfied, 2 dissatisfied, 1 very dissatisfied.
    #[schema(minimum = 1, maximum = 5)]
    grade: u8,
    /// Why; not empty for a grade of 1 or 2.
    #[serde(default)]
    reason: String,
}

/// The ratings of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingView {
    dataset: String,
    provider: String,
    /// How many of each grade, from 1 to 5.
    grades: [u64; 5],
    /// All ratings.
    count: u64,
    /// Mean grade.
    mean: f64,
}

/// The ratings of every dataset that has any.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RatingsBody {
    items: Vec<RatingView>,
}

/// A bad rating.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintView {
    call_id: String,
    grade: u8,
    reason: String,
}

/// The latest bad ratings of a dataset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintsBody {
    items: Vec<ComplaintView>,
}

/// File an objection against an answer.
///
/// For systems and accounts of the department that asked, and of the dataset's provider. Calls go on; answers about the
/// subject say that there is an objection. The provider has the working days that the node's settings give. After five wrong
/// subjects for a receipt no further one is looked at.
#[utoipa::path(
    post,
    path = "/v1/objections",
    tag = "objections",
    request_body = ObjectionBody,
    security(("bearer" = [])),
    responses((status = 201, description = "It is filed", body = ObjectionView), StaffResponses),
)]
pub(crate) async fn file(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: ObjectionBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let id = ObjectionId::new(Uuid::now_v7());
    let ObjectionBody { receipt, subject, fields, statement } = body;
    let new = NewObjection { receipt, subject: subject.clone(), fields, statement };
    let (by, at) = (actor.clone(), Arc::clone(&node));
    // Reads the log: off the runtime's threads.
    let examined = tokio::task::spawn_blocking(move || {
        let (keys, catalog) = (at.public_keys(), at.catalog());
        let evidence = Evidence {
            keys: &keys,
            pseudonyms: &at.pseudonyms,
            catalog: &catalog,
            calendar: &at.calendar,
            working_days: at.settings.clocks.objection_days,
            log: &at.settings.paths.audit(),
        };
        objections::examine(&new, &by, id, evidence, at.now())
    });
    let examined =
        examined.await.map_err(|_| Problem::new(Code::Internal, "the objection could not be examined"))??;
    let filed = examined.of_the_subject(&node.ledger, node.now()).await?;
    if !node.ledger.file_objection(&filed, &subject).await.map_err(ledger_failed)? {
        let problem = Problem::new(Code::Conflict, "an objection against this answer is open already");
        return Err(problem.remedy("Wait for its decision.").into());
    }
    let objection = Objection { filed, state: ObjectionState::Open, subject_value: Some(subject), decided: None };
    Ok((StatusCode::CREATED, Json(view(&node, &actor, &objection))).into_response())
}

/// List objections, the latest first.
///
/// The provider's stewards see those against its datasets, auditors and operators all, everybody else those of the own
/// department.
#[utoipa::path(
    get,
    path = "/v1/objections",
    tag = "objections",
    params(ObjectionsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = ObjectionsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<ObjectionsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(query.limit, OBJECTIONS, OBJECTIONS_MAX)?;
    let mut filter = filter_of(&node, &query)?;
    if actor.roles.has_any(&[Role::Steward, Role::Approver]) {
        filter.provider = Some(actor.department.clone());
    } else if !actor.roles.has_any(&[Role::Auditor, Role::Operator]) {
        filter.filed_department = Some(actor.department.clone());
    }
    let found = node.ledger.objections(&filter, limit).await.map_err(ledger_failed)?;
    let last = found.last().map(|objection| objection.filed.id.to_string());
    let next = last.filter(|_| found.len() == limit as usize);
    let items = found.iter().map(|objection| view(&node, &actor, objection)).collect();
    Ok(Json(ObjectionsBody { items, next }).into_response())
}

/// Show an objection. Its filer is told the decision so.
#[utoipa::path(
    get,
    path = "/v1/objections/{id}",
    tag = "objections",
    params(("id" = String, Path, description = "Of the objection")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The objection", body = ObjectionView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = super::super::problem::ProblemBody),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let mut objection = find(&node, &actor, &id).await?;
    if let Some(decided) = &mut objection.decided
        && decided.told_at.is_none()
        && actor.department == objection.filed.department
    {
        node.ledger.objection_told(&objection.filed.id, node.now()).await.map_err(ledger_failed)?;
        decided.told_at = Some(node.now());
    }
    Ok(Json(view(&node, &actor, &objection)).into_response())
}

/// Decide an objection: for a steward of the provider who has not filed it.
#[utoipa::path(
    post,
    path = "/v1/objections/{id}/decide",
    tag = "objections",
    params(("id" = String, Path, description = "Of the objection")),
    request_body = ObjectionDecisionBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is decided", body = ObjectionView),
        (status = 404, description = "There is none, or none that the reader may see", content_type = "application/problem+json", body = super::super::problem::ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn decide(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: ObjectionDecisionBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let mut objection = find(&node, &actor, &id).await?;
    let state = ObjectionState::from_word(&body.outcome).filter(|state| *state != ObjectionState::Open);
    let state = state.ok_or_else(|| {
        Problem::new(Code::InvalidValue, "`outcome` is not one of the documented words")
            .at("/outcome")
            .remedy("Write `corrected`, `upheld` or `not_ours`.")
    })?;
    let serving = node.engine.serving(&objection.filed.dataset).map(|serving| serving.version);
    let decision = objections::Decision { state, reason: body.reason };
    let decided = objections::decide(&objection, decision, &actor, serving, node.now())?;
    if !node.ledger.decide_objection(&objection.filed.id, state, &decided).await.map_err(ledger_failed)? {
        return Err(Problem::new(Code::Conflict, "somebody else has decided meanwhile")
            .remedy("Read it again.")
            .into());
    }
    (objection.state, objection.subject_value, objection.decided) = (state, None, Some(decided));
    Ok(Json(view(&node, &actor, &objection)).into_response())
}

/// Rate an answer: one rating an answer, by the department that asked.
#[utoipa::path(
    post,
    path = "/v1/ratings",
    tag = "objections",
    request_body = RatingBody,
    security(("bearer" = [])),
    responses((status = 204, description = "It is kept"), StaffResponses),
)]
pub(crate) async fn rate(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let RatingBody { receipt, grade, reason } = body::of(request, node.settings.http.body_bytes_max).await?;
    let new = NewRating { receipt, grade, reason };
    let rating = objections::rating(new, &actor, &node.public_keys(), &node.catalog(), node.now())?;
    if node.ledger.rate(&rating).await.map_err(ledger_failed)? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Err(Problem::new(Code::Conflict, "this answer has been rated").remedy("A rating stands.").into())
}

/// The ratings of every dataset, counted.
#[utoipa::path(
    get,
    path = "/v1/ratings",
    tag = "objections",
    security(("bearer" = [])),
    responses((status = 200, description = "By dataset", body = RatingsBody), ReadResponses),
)]
pub(crate) async fn ratings(State(node): State<Arc<Node>>, Staff(actor): Staff) -> Result<Response, ProblemResponse> {
    actor.require(Role::ALL)?;
    let summaries = node.ledger.rating_summaries().await.map_err(ledger_failed)?;
    let items = summaries.into_iter().map(|summary| {
        let count: u64 = summary.grades.iter().sum();
        let sum: u64 = summary.grades.iter().zip(1..).map(|(count, grade)| count * grade).sum();
        RatingView {
            dataset: summary.dataset.to_string(),
            provider: summary.provider.to_string(),
            grades: summary.grades,
            count,
            mean: if count == 0 { 0.0 } else { sum as f64 / count as f64 },
        }
    });
    Ok(Json(RatingsBody { items: items.collect() }).into_response())
}

/// The latest bad ratings of a dataset (grades 1 and 2), with their reasons: for its provider's stewards, and auditors.
#[utoipa::path(
    get,
    path = "/v1/ratings/{dataset}/complaints",
    tag = "objections",
    params(("dataset" = String, Path, description = "Dataset id")),
    security(("bearer" = [])),
    responses((status = 200, description = "The latest first", body = ComplaintsBody), ReadResponses),
)]
pub(crate) async fn complaints(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    Path(dataset): Path<String>,
) -> Result<Response, ProblemResponse> {
    let catalog = node.catalog();
    let unknown = || Problem::new(Code::UnknownDataset, "the dataset is not in the catalogue");
    let id: DatasetId = dataset.parse().map_err(|_| unknown())?;
    let dataset = catalog.datasets.get(&id).ok_or_else(unknown)?;
    actor.require(&[Role::Steward, Role::Approver, Role::Auditor])?;
    if !actor.roles.has_any(&[Role::Auditor]) && dataset.provider != actor.department {
        let detail = format!("the dataset `{id}` is not of the department `{}`", actor.department);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Ask a steward of its provider.").into());
    }
    let complaints = node.ledger.complaints(&id, COMPLAINTS).await.map_err(ledger_failed)?;
    let shown = |(call, grade, reason): (crate::identifiers::CallId, _, _)| ComplaintView {
        call_id: call.to_string(),
        grade,
        reason,
    };
    Ok(Json(ComplaintsBody { items: complaints.into_iter().map(shown).collect() }).into_response())
}

fn filter_of(node: &Node, query: &ObjectionsQuery) -> Result<ObjectionFilter, Problem> {
    let wrong =
        |name: &str, remedy: &str| Problem::new(Code::InvalidValue, format!("`{name}` is not usable")).remedy(remedy);
    let state = match &query.state {
        None => None,
        Some(word) => Some(
            ObjectionState::from_word(word)
                .ok_or_else(|| wrong("state", "Write `open`, `corrected`, `upheld` or `not_ours`."))?,
        ),
    };
    let before = query.after.as_deref().map(str::parse).transpose();
    let before =
        before.map_err(|_: crate::identifiers::IdentifierError| wrong("after", "Write `next` of the part before."))?;
    let overdue = query.overdue.unwrap_or(false);
    Ok(ObjectionFilter {
        state: if overdue { Some(ObjectionState::Open) } else { state },
        due_before: overdue.then(|| calendar::day_in_china(node.now())),
        before,
        ..ObjectionFilter::default()
    })
}

/// The objection, where the reader may see it.
async fn find(node: &Node, actor: &Actor, id: &str) -> Result<Objection, Problem> {
    let none = || Problem::new(Code::NotFound, "there is no such objection").remedy("See `GET /v1/objections`.");
    let id: ObjectionId = id.parse().map_err(|_| none())?;
    let objection = node.ledger.objection(&id).await.map_err(ledger_failed)?.ok_or_else(none)?;
    if objections::may_see(actor, &objection) { Ok(objection) } else { Err(none()) }
}

fn view(node: &Node, actor: &Actor, objection: &Objection) -> ObjectionView {
    let Objection { filed, state, subject_value, decided } = objection;
    let open = *state == ObjectionState::Open;
    let decided = decided.as_ref();
    ObjectionView {
        id: filed.id.to_string(),
        state: state.as_str(),
        call_id: filed.call.to_string(),
        dataset: filed.dataset.to_string(),
        provider: filed.provider.to_string(),
        item: filed.item.to_string(),
        dataset_version: filed.version.0,
        as_of: filed.as_of.clone(),
        fields: filed.fields.iter().map(ToString::to_string).collect(),
        statement: filed.statement.clone(),
        subject_field: filed.subject_field.to_string(),
        subject: subject_value.clone().filter(|_| objections::may_see_subject(actor, objection)),
        filed_by: filed.by.to_string(),
        filed_department: filed.department.to_string(),
        filed_at: body::rfc3339(filed.at),
        due: filed.due.to_string(),
        due_provisional: filed.due_provisional,
        overdue: open && calendar::day_in_china(node.now()) > filed.due,
        decided_by: decided.map(|decided| decided.by.to_string()),
        decided_at: decided.map(|decided| body::rfc3339(decided.at)),
        decision: decided.map(|decided| decided.reason.clone()),
        corrected_version: decided.and_then(|decided| decided.corrected_version).map(|version| version.0),
        told_at: decided.and_then(|decided| decided.told_at).map(body::rfc3339),
    }
}
