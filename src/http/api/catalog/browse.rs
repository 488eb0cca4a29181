//! Looking around: datasets, items and departments, by search, by filter, one by one.

use std::{str::FromStr, sync::Arc};

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{
        super::{
            Node, body,
            problem::{ProblemBody, ProblemResponse},
            staff::Staff,
        },
        staff_responses::ReadResponses,
    },
    bodies::{self, DatasetBody, DatasetLine, DepartmentBody, ItemBody, ItemLine},
    everywhere,
};
use crate::{
    catalog::{Dataset, DatasetFilter, SharingAttribute, SharingMode, Target, UpdateCycle},
    exchange::day_in_china,
    identifiers::{DatasetId, DepartmentId, IdentifierError, ItemCode},
    problem::{Code, Problem},
};

/// Entries answered at once, where nothing was said and at most.
const ENTRIES: u32 = 50;
const ENTRIES_MAX: u32 = 200;

/// A part of a list of datasets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetsBody {
    pub(super) items: Vec<DatasetLine>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
    /// The revision of this node's catalogue.
    pub(super) revision: i64,
}

/// Whose entry, where several nodes have one of that id.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetQuery {
    /// The node that publishes it; this node's own where nothing is said.
    origin: Option<String>,
}

/// A part of a list of service items.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemsBody {
    items: Vec<ItemLine>,
    /// Where the list goes on, for `after`; absent at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The revision of the catalogue.
    revision: i64,
}

/// All departments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DepartmentsBody {
    items: Vec<DepartmentBody>,
    /// The revision of the catalogue.
    revision: i64,
}

/// Which datasets, and which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetsQuery {
    /// Words to be found in names, summary, fields, codes; Chinese or English. The best come first.
    pub(super) q: Option<String>,
    /// Department that provides it.
    provider: Option<String>,
    /// Node on which the provider is.
    node: Option<String>,
    /// `own`: this node's catalogue. `all`: also the entries of the nodes below it, each with its `origin`.
    #[param(default = "own")]
    scope: Option<String>,
    /// With `scope=all`: the node that publishes the entry.
    pub(super) origin: Option<String>,
    /// `unconditional`, `conditional` or `not_shared`.
    sharing: Option<String>,
    /// `service_interface`, `batch_exchange` or `file_download`.
    mode: Option<String>,
    /// The first digits of the resource code, such as `1` or `101`.
    theme: Option<String>,
    /// Level 1 to 4.
    sensitivity: Option<u8>,
    /// Such as `daily`.
    update_cycle: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<u32>,
    /// `next` of the part before.
    pub(super) after: Option<String>,
}

/// Which items, and which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ItemsQuery {
    /// Words to be found in names, materials, codes; Chinese or English. The best come first.
    q: Option<String>,
    /// Department that carries it out.
    department: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// `next` of the part before.
    after: Option<String>,
}

/// List or search the datasets.
///
/// Every account sees every entry, whatever it may ask: departments are to know what others have.
#[utoipa::path(
    get,
    path = "/v1/catalog/datasets",
    tag = "catalog",
    params(DatasetsQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A part of the list", body = DatasetsBody),
        (status = 304, description = "Unchanged since the tag in `If-None-Match`"),
        ReadResponses,
    ),
)]
pub(crate) async fn datasets(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    headers: HeaderMap,
    query: Result<Query<DatasetsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let shelf = node.shelf();
    if is_everywhere(query.scope.as_deref())? {
        return Ok(everywhere::datasets(&node, &headers, &query, &filter(&query)?).await?);
    }
    if query.origin.is_some() {
        return Err(wrong("origin", "Ask for it with `scope=all`.").into());
    }
    let catalog = &shelf.catalog;
    let (limit, filter) = (body::list_limit(query.limit, ENTRIES, ENTRIES_MAX)?, filter(&query)?);
    let accepts = |one: &Dataset| filter.accepts(one, catalog.departments.get(&one.provider));
    let accepted = |id: &DatasetId| catalog.datasets.get(id).is_some_and(|dataset| accepts(dataset));
    let found: Vec<DatasetId> = match &query.q {
        Some(q) => shelf.index.search(q).into_iter().filter_map(|hit| dataset_of(hit.target)).collect(),
        None => catalog.datasets.keys().cloned().collect(),
    };
    let found = found.into_iter().filter(accepted).collect();
    let (part, next) = part(found, query.q.is_some(), query.after.as_deref(), limit)?;
    let items = part.iter().filter_map(|id| catalog.datasets.get(id)).map(|one| bodies::dataset_line(one)).collect();
    Ok(shelf.tagged(&headers, || Json(DatasetsBody { items, next, revision: shelf.revision }).into_response()))
}

fn dataset_of(target: Target) -> Option<DatasetId> {
    match target {
        Target::Dataset(id) => Some(id),
        Target::Item(_) => None,
    }
}

/// Are entries of all nodes asked for?
pub(super) fn is_everywhere(scope: Option<&str>) -> Result<bool, Problem> {
    match scope {
        None | Some("own") => Ok(false),
        Some("all") => Ok(true),
        Some(_) => Err(wrong("scope", "Ask for one of: own, all.")),
    }
}

fn filter(query: &DatasetsQuery) -> Result<DatasetFilter, Problem> {
    let theme = query.theme.as_ref().filter(|theme| !theme.bytes().all(|byte| byte.is_ascii_digit()));
    if theme.is_some() {
        return Err(wrong("theme", "Write the first digits of a resource code, such as 101."));
    }
    Ok(DatasetFilter {
        provider: parsed("provider", query.provider.as_deref())?,
        node: parsed("node", query.node.as_deref())?,
        sharing: word(
            "sharing",
            query.sharing.as_deref(),
            SharingAttribute::from_word,
            SharingAttribute::ALL,
            |one| one.word(),
        )?,
        mode: word("mode", query.mode.as_deref(), SharingMode::from_word, SharingMode::ALL, |one| one.word())?,
        theme: query.theme.clone(),
        sensitivity: query.sensitivity,
        update_cycle: word(
            "update_cycle",
            query.update_cycle.as_deref(),
            UpdateCycle::from_word,
            UpdateCycle::ALL,
            |one| one.word(),
        )?,
    })
}

fn word<T: Copy>(
    name: &str,
    said: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
    all: &[T],
    show: impl Fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(said) = said else { return Ok(None) };
    let known = || all.iter().map(|one| show(*one)).collect::<Vec<_>>().join(", ");
    read(said).map(Some).ok_or_else(|| wrong(name, &format!("Ask for one of: {}.", known())))
}

pub(super) fn parsed<T: FromStr<Err = IdentifierError>>(name: &str, said: Option<&str>) -> Result<Option<T>, Problem> {
    said.map(str::parse)
        .transpose()
        .map_err(|error: IdentifierError| wrong(name, &format!("It is not accepted: {error}.")))
}

pub(super) fn wrong(name: &str, remedy: &str) -> Problem {
    Problem::new(Code::InvalidValue, format!("the parameter `{name}` has no such value")).remedy(remedy)
}

/// The part of a list that was asked for, and where it goes on. Results of a search have places, other lists names.
pub(super) fn part<T: ToString>(
    all: Vec<T>,
    searched: bool,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let begin = match after {
        None => 0,
        Some(place) if searched => {
            place.parse().map_err(|_| wrong("after", "Send `next` of the part before, with the same `q`."))?
        }
        // Names are in order, so one that has gone meanwhile still has its place.
        Some(name) => all.iter().take_while(|one| one.to_string().as_str() <= name).count(),
    };
    let whole = all.len();
    let part: Vec<T> = all.into_iter().skip(begin).take(limit as usize).collect();
    let end = begin.saturating_add(part.len());
    let next = match part.last() {
        Some(_) if end < whole && searched => Some(end.to_string()),
        Some(last) if end < whole => Some(last.to_string()),
        Some(_) | None => None,
    };
    Ok((part, next))
}

/// One dataset with all its fields.
#[utoipa::path(
    get,
    path = "/v1/catalog/datasets/{id}",
    tag = "catalog",
    params(("id" = String, Path, description = "Dataset id, such as `natural-person`"), DatasetQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The entry", body = DatasetBody),
        (status = 304, description = "Unchanged since the tag in `If-None-Match`"),
        (status = 404, description = "There is none of that id", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn dataset(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<DatasetQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let (shelf, Path(id)) = (node.shelf(), path.map_err(|_| nothing("dataset"))?);
    let Query(query) = query.map_err(|_| body::bad_query())?;
    if let Some(origin) = parsed("origin", query.origin.as_deref())? {
        return Ok(everywhere::dataset(&node, &headers, &id, origin).await?);
    }
    let found = shelf.catalog.datasets.get(id.as_str());
    let shown = found.and_then(|dataset| bodies::dataset(&shelf.catalog, dataset)).ok_or_else(|| nothing("dataset"))?;
    Ok(shelf.tagged(&headers, || Json(shown).into_response()))
}

/// List or search the service items: of each the version in force today.
#[utoipa::path(
    get,
    path = "/v1/catalog/items",
    tag = "catalog",
    params(ItemsQuery),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A part of the list", body = ItemsBody),
        ReadResponses,
    ),
)]
pub(crate) async fn items(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    query: Result<Query<ItemsQuery>, QueryRejection>,
) -> Result<Response, ProblemResponse> {
    let Query(query) = query.map_err(|_| body::bad_query())?;
    let (shelf, today) = (node.shelf(), day_in_china(node.now()));
    let limit = body::list_limit(query.limit, ENTRIES, ENTRIES_MAX)?;
    let department: Option<DepartmentId> = parsed("department", query.department.as_deref())?;
    let found: Vec<ItemCode> = match &query.q {
        Some(q) => shelf.index.search(q).into_iter().filter_map(|hit| item_of(hit.target)).collect(),
        None => shelf.catalog.items.keys().cloned().collect(),
    };
    let is_theirs = |code: &ItemCode| {
        let carried_out_by = shelf.catalog.items.get(code).map(|item| &item.department);
        department.as_ref().is_none_or(|wanted| carried_out_by == Some(wanted))
    };
    let found = found.into_iter().filter(is_theirs).collect();
    let (part, next) = part(found, query.q.is_some(), query.after.as_deref(), limit)?;
    let items = part.iter().filter_map(|code| shelf.catalog.item_on(code, today));
    let items = items.map(|item| bodies::item_line(item, today)).collect();
    Ok(of_today(ItemsBody { items, next, revision: shelf.revision }))
}

/// Which version of an item is in force changes with the day, not with the catalogue: such an answer has no tag.
fn of_today(whole: impl Serialize) -> Response {
    ([(axum::http::header::CACHE_CONTROL, "private, no-cache")], Json(whole)).into_response()
}

fn item_of(target: Target) -> Option<ItemCode> {
    match target {
        Target::Item(code) => Some(code),
        Target::Dataset(_) => None,
    }
}

/// One service item with all its versions.
#[utoipa::path(
    get,
    path = "/v1/catalog/items/{code}",
    tag = "catalog",
    params(("code" = String, Path, description = "Implementation code of 31 characters (GB/T 39554.1)")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The item", body = ItemBody),
        (status = 404, description = "There is none of that code", body = ProblemBody, content_type = "application/problem+json"),
        ReadResponses,
    ),
)]
pub(crate) async fn item(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ProblemResponse> {
    let (shelf, Path(code)) = (node.shelf(), path.map_err(|_| nothing("item"))?);
    let code: ItemCode = code.parse().map_err(|_| nothing("item"))?;
    if !shelf.catalog.items.contains_key(&code) {
        return Err(nothing("item").into());
    }
    Ok(of_today(bodies::item(&shelf.catalog, &code, day_in_china(node.now()))))
}

/// List the departments.
#[utoipa::path(
    get,
    path = "/v1/catalog/departments",
    tag = "catalog",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All departments", body = DepartmentsBody),
        (status = 304, description = "Unchanged since the tag in `If-None-Match`"),
        ReadResponses,
    ),
)]
pub(crate) async fn departments(
    State(node): State<Arc<Node>>,
    Staff(_account): Staff,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let shelf = node.shelf();
    let all = || shelf.catalog.departments.values().map(bodies::department).collect();
    Ok(shelf.tagged(&headers, || Json(DepartmentsBody { items: all(), revision: shelf.revision }).into_response()))
}

pub(super) fn nothing(kind: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the catalogue has no {kind} of that name"))
        .remedy(format!("See `GET /v1/catalog/{kind}s` for those it has."))
}
