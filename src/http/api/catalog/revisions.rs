//! How the catalogue is changed: drafts, review, publication.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        staff::Staff,
    },
    staff_responses::{ReadResponses, StaffResponses, ledger_failed},
};
use super::bodies::{RevisionBody, shown};
use crate::{
    catalog::Sources,
    exchange::{day_in_china, review},
    identifiers::{AgreementId, DatasetId, Role},
    ledger::Agreement,
    problem::{Code, Problem},
    revisions::{self, Broken, Moment, Proposal},
};

/// Revisions answered at once, where nothing was said and at most.
const REVISIONS: u32 = 50;
const REVISIONS_MAX: u32 = 200;
/// A whole catalogue may come in one body; only accounts of people get so far.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Who may look at what is not published.
const READERS: &[Role] = &[Role::Steward, Role::Approver, Role::Auditor, Role::Operator];

/// A change to the published catalogue: files, or a dataset to retire, or a revision to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftBody {
    /// Names and new texts of the files that change; `null` removes a file.
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    /// Take this dataset out of the catalogue.
    #[serde(default)]
    retire: Option<String>,
    /// Put the files of this revision back.
    #[serde(default)]
    restore: Option<i64>,
    /// Why, for the reviewer and those who come later.
    #[schema(min_length = 1, max_length = 2000, example = "新增登记状态代码")]
    reason: String,
    /// Agreements that the change breaks and that end with it.
    #[serde(default)]
    ended: Vec<String>,
}

/// What a reviewer says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    #[schema(min_length = 1, max_length = 2000, example = "同意")]
    note: String,
}

/// A draft that was kept, and the agreements that it would break.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DraftedBody {
    #[serde(flatten)]
    revision: RevisionBody,
    broken: Vec<BrokenBody>,
}

/// An agreement that would not hold any more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrokenAgreement)]
pub(crate) struct BrokenBody {
    agreement: String,
    consumer: String,
    reasons: Vec<String>,
}

/// A part of the list of revisions, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RevisionsBody {
    items: Vec<RevisionBody>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The files of a revision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FilesBody {
    /// Names and texts.
    files: BTreeMap<String, String>,
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevisionsQuery {
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<i64>,
}

fn broken(one: &Broken) -> BrokenBody {
    BrokenBody {
        agreement: one.agreement.to_string(),
        consumer: one.consumer.to_string(),
        reasons: one.reasons.clone(),
    }
}

fn moment(node: &Node) -> Moment {
    let now = node.now();
    Moment { now, today: day_in_china(now) }
}

/// Every agreement that calls are decided by.
fn agreements(node: &Node) -> Vec<Arc<Agreement>> {
    node.exchange.rights().agreements.iter().cloned().collect()
}

/// A number in a path that is none names nothing.
fn numbered(path: Result<Path<i64>, PathRejection>) -> Result<i64, Problem> {
    path.map(|Path(number)| number).map_err(|_| {
        Problem::new(Code::NotFound, "there is no such revision").remedy("See `GET /v1/catalog/revisions`.")
    })
}

/// List the revisions of the catalogue, the newest first.
#[utoipa::path(
    get,
    path = "/v1/catalog/revisions",
    tag = "catalog",
    params(RevisionsQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "A part of the list", body = RevisionsBody), ReadResponses),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    query: Result<Query<RevisionsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(READERS)?;
    let Query(RevisionsQuery { limit, after }) = query.map_err(|_| body::bad_query())?;
    let limit = body::list_limit(limit, REVISIONS, REVISIONS_MAX)?;
    let all = node.ledger.revisions(after, i64::from(limit)).await.map_err(ledger_failed)?;
    let more = all.len() == limit as usize;
    let next = all.last().map(|last| last.number).filter(|number| more && *number > 1);
    let items = all.iter().map(shown).collect();
    Ok(Json(RevisionsBody { items, next: next.map(|number| number.to_string()) }).into_response())
}

/// One revision, with what it changes.
#[utoipa::path(
    get,
    path = "/v1/catalog/revisions/{number}",
    tag = "catalog",
    params(("number" = i64, Path, description = "Number of the revision")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The revision", body = RevisionBody),
        (status = 404, description = "There is none of that number", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(READERS)?;
    let revision = revisions::found(&node.ledger, numbered(path)?).await?;
    Ok(Json(shown(&revision)).into_response())
}

/// The files of a revision, to be changed and proposed again.
#[utoipa::path(
    get,
    path = "/v1/catalog/revisions/{number}/files",
    tag = "catalog",
    params(("number" = i64, Path, description = "Number of the revision")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Names and texts", body = FilesBody),
        (status = 404, description = "There is none of that number", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn files(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Response, ProblemResponse> {
    actor.require(READERS)?;
    let sources = revisions::sources(&node.ledger, numbered(path)?).await?;
    let files = sources.files().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    Ok(Json(FilesBody { files }).into_response())
}

/// Propose a change to the published catalogue.
///
/// Kept as a draft of the steward's. It holds together, and names every live agreement that it would break, or it is refused.
/// A steward changes datasets and items of the steward's own department; who is an operator as well, everything.
#[utoipa::path(
    post,
    path = "/v1/catalog/revisions",
    tag = "catalog",
    request_body = DraftBody,
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The draft", body = DraftedBody),
        (status = 404, description = "There is no revision of that number", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn draft(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    actor.require(&[Role::Steward])?;
    let body: DraftBody = body::of(request, BODY_BYTES_MAX).await?;
    let ended = body.ended.iter().enumerate().map(|(index, text)| {
        text.parse::<AgreementId>().map_err(|error| {
            Problem::new(Code::InvalidValue, error.reason)
                .at(format!("/ended/{index}"))
                .remedy("Name an agreement by its id.")
        })
    });
    let ended = ended.collect::<Result<BTreeSet<_>, _>>()?;
    let sources = proposed(&node, &body).await?;
    let proposal = Proposal { sources, reason: body.reason, ended };
    let held = agreements(&node);
    let held: Vec<&Agreement> = held.iter().map(AsRef::as_ref).collect();
    let (revision, outlook) = revisions::draft(&node.ledger, &actor, proposal, &held, moment(&node)).await?;
    let drafted = DraftedBody { revision: shown(&revision), broken: outlook.broken.iter().map(broken).collect() };
    Ok((StatusCode::CREATED, Json(drafted)).into_response())
}

/// The files that a draft asks for; it says in exactly one way what shall change.
async fn proposed(node: &Node, body: &DraftBody) -> Result<Sources, Problem> {
    let unfit = |error: crate::catalog::CatalogError| {
        Problem::new(error.code(), error.to_string()).at("/files").remedy("Correct the names of the files.")
    };
    let current = revisions::current(&node.ledger).await?.revision;
    match (body.files.is_empty(), &body.retire, body.restore) {
        (false, None, None) => {
            revisions::sources(&node.ledger, current.number).await?.with(body.files.clone()).map_err(unfit)
        }
        (true, Some(dataset), None) => {
            let dataset: DatasetId = dataset.parse().map_err(|_| {
                Problem::new(Code::UnknownDataset, "it is no dataset's id")
                    .at("/retire")
                    .remedy("Name a dataset of the catalogue.")
            })?;
            let sources = revisions::sources(&node.ledger, current.number).await?;
            sources.without_dataset(&dataset).map_err(|error| {
                Problem::new(Code::UnknownDataset, error.to_string())
                    .at("/retire")
                    .remedy("Name a dataset of the catalogue.")
            })
        }
        (true, None, Some(number)) => revisions::sources(&node.ledger, number).await,
        _ => Err(Problem::new(Code::InvalidValue, "exactly one of `files`, `retire` and `restore` is expected")
            .at("/files")
            .remedy("Send the files that change, or the dataset to retire, or the revision to go back to.")),
    }
}

/// Hand one's own draft in for review.
#[utoipa::path(
    post,
    path = "/v1/catalog/revisions/{number}/submit",
    tag = "catalog",
    params(("number" = i64, Path, description = "Number of the revision")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is in review", body = RevisionBody),
        (status = 404, description = "There is none of that number", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn submit(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Response, ProblemResponse> {
    let revision = revisions::submit(&node.ledger, &actor, numbered(path)?, moment(&node)).await?;
    Ok(Json(shown(&revision)).into_response())
}

/// Publish a revision that somebody else has proposed; every node takes it within a second.
#[utoipa::path(
    post,
    path = "/v1/catalog/revisions/{number}/approve",
    tag = "catalog",
    params(("number" = i64, Path, description = "Number of the revision")),
    request_body = ReviewBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is published", body = RevisionBody),
        (status = 404, description = "There is none of that number", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn approve(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    path: Result<Path<i64>, PathRejection>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let number = numbered(path)?;
    let ReviewBody { note } = body::of(request, node.settings.http.body_bytes_max).await?;
    let held = agreements(&node);
    let held: Vec<&Agreement> = held.iter().map(AsRef::as_ref).collect();
    Box::pin(review::prove_revision(&node.ledger, number, &node.exchange.rights(), &actor, node.now())).await?;
    let revision = revisions::approve(&node.ledger, &actor, number, &note, &held, moment(&node)).await?;
    Ok(Json(shown(&revision)).into_response())
}

/// Turn a revision down; its author may take it back.
#[utoipa::path(
    post,
    path = "/v1/catalog/revisions/{number}/reject",
    tag = "catalog",
    params(("number" = i64, Path, description = "Number of the revision")),
    request_body = ReviewBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It is rejected", body = RevisionBody),
        (status = 404, description = "There is none of that number", body = ProblemBody, content_type = "application/problem+json"),
        StaffResponses,
    ),
)]
pub(crate) async fn reject(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    path: Result<Path<i64>, PathRejection>,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let number = numbered(path)?;
    let ReviewBody { note } = body::of(request, node.settings.http.body_bytes_max).await?;
    let revision = revisions::reject(&node.ledger, &actor, number, &note, moment(&node)).await?;
    Ok(Json(shown(&revision)).into_response())
}
