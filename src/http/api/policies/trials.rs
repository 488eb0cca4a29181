//! `POST /v1/policies/check`, `/test` and `/replay`: policies tried without deciding anything.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{
    super::{
        Node, body,
        problem::{ProblemBody, ProblemResponse},
        staff::Staff,
    },
    staff_responses::StaffResponses,
};
use crate::{
    catalog::Complaint,
    exchange::{
        replay::{Baseline, Replay},
        trials::{self, Candidate, Checked, Rerun},
    },
    policy::{PolicySet, Trial, Tried},
    problem::{Code, Problem},
};

/// What is replayed where nothing was said.
const DAYS: i64 = 30;
const EXAMPLES: u8 = 3;
const EXAMPLES_MAX: u8 = 100;
/// A replay that is told to end has to finish the segment that it reads, then to decide.
const READING: (u32, u32) = (1, 2);
/// When to try again while another one is under way.
const RETRY_SECONDS: u64 = 5;

/// The files of a set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFilesBody {
    /// Every file of the policies' folder by its name: `shuqiao.cedarschema`, `*.cedar`, `tests/*.yaml`.
    files: BTreeMap<String, String>,
}

/// What is to be said of the files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckedView {
    /// Of the set; absent where the files do not hold together.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    policies: Vec<PolicyView>,
    /// What is wrong: the set cannot be proposed so.
    complaints: Vec<ComplaintInPlace>,
    /// What is doubtful.
    warnings: Vec<ComplaintInPlace>,
}

/// A policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyView {
    id: String,
    /// `permit` or `forbid`.
    effect: &'static str,
    /// What a refused caller is told.
    why: String,
}

/// Something to be said of a place in a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComplaintInPlace {
    file: String,
    line: u32,
    column: u32,
    /// The policy or element.
    path: String,
    message: String,
    remedy: String,
}

/// What the cases came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialView {
    hash: String,
    cases: Vec<CaseView>,
    failed: usize,
    /// How many cases each policy decided.
    decided: BTreeMap<String, usize>,
    /// Share of the policies that decide some case, in percent.
    coverage: f64,
}

/// What a case came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseView {
    name: String,
    /// File and line.
    place: String,
    /// `allow` or `deny`.
    decision: &'static str,
    /// The policies that decided.
    policies: Vec<String>,
    obligations: Vec<String>,
    /// What was not as expected; empty where the case passed.
    failures: Vec<String>,
}

/// Which calls are decided again, under which set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// The files of the set that is tried; or `hash`.
    files: Option<BTreeMap<String, String>>,
    /// A set of the ledger; or `files`.
    hash: Option<String>,
    /// Calls from here on, RFC 3339. Without it, those of the last 30 days.
    since: Option<DateTime<Utc>>,
    /// Calls before that, RFC 3339. Without it, until now.
    until: Option<DateTime<Utc>>,
    /// `in_force` (what the set in force says today) or `record` (what was said then). Without it, `in_force`.
    against: Option<String>,
    /// Call ids given of each finding. Without it, 3.
    #[schema(minimum = 0, maximum = 100)]
    examples: Option<u8>,
}

/// What the calls would be answered: as `shuqiao policy replay --json` prints it. `complete` says whether all of the time was
/// read; else the latest calls of it were.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(crate) struct ReplayView(Replay);

/// Check a policy set: do the files hold together, and does each policy do something?
///
/// For those who may propose one. Nothing is kept.
#[utoipa::path(
    post,
    path = "/v1/policies/check",
    tag = "policies",
    request_body = PolicyFilesBody,
    security(("bearer" = [])),
    responses((status = 200, description = "What is to be said of it", body = CheckedView), StaffResponses),
)]
pub(crate) async fn check(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let PolicyFilesBody { files } = body::of(request, node.settings.http.body_bytes_max).await?;
    let checked = Box::pin(trials::check(files, &node.exchange.rights(), &actor)).await?;
    Ok(Json(checked_view(checked)).into_response())
}

/// Try the cases of a policy set, by the catalogue and the agreements in force.
///
/// For those who may propose one. Nothing is kept.
#[utoipa::path(
    post,
    path = "/v1/policies/test",
    tag = "policies",
    request_body = PolicyFilesBody,
    security(("bearer" = [])),
    responses((status = 200, description = "What each case came to", body = TrialView), StaffResponses),
)]
pub(crate) async fn test(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let PolicyFilesBody { files } = body::of(request, node.settings.http.body_bytes_max).await?;
    let (set, trial) = Box::pin(trials::test(files, &node.exchange.rights(), &actor)).await?;
    Ok(Json(trial_view(&set, trial)).into_response())
}

/// Decide the recorded calls of this node again, under a policy set that does not decide.
///
/// For those who may propose one. One at a time; it reads as much as there is time for, the latest calls first, and says
/// whether that was all. A long time is replayed on the node itself: `shuqiao policy replay`.
#[utoipa::path(
    post,
    path = "/v1/policies/replay",
    tag = "policies",
    request_body = ReplayBody,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "What would change", body = ReplayView),
        (status = 404, description = "There is no set of that hash", content_type = "application/problem+json", body = ProblemBody),
        StaffResponses,
    ),
)]
pub(crate) async fn replay(
    State(node): State<Arc<Node>>,
    Staff(actor): Staff,
    request: Request,
) -> Result<Response, ProblemResponse> {
    let body: ReplayBody = body::of(request, node.settings.http.body_bytes_max).await?;
    let rerun = rerun(body, node.now(), node.settings.http.request_max)?;
    let place = node.study_place()?;
    let (log, rights) = (node.settings.paths.audit(), node.exchange.rights());
    let replayed = Box::pin(trials::rerun(rerun, &node.ledger, &log, &rights, &actor, place)).await?;
    Ok(Json(ReplayView(replayed)).into_response())
}

fn rerun(body: ReplayBody, now: DateTime<Utc>, request_max: Duration) -> Result<Rerun, Problem> {
    let wrong = |field: &str, detail: &str, remedy: &str| {
        Problem::new(Code::InvalidValue, detail).at(field.to_owned()).remedy(remedy)
    };
    let candidate = match (body.files, body.hash) {
        (Some(files), None) => Candidate::Files(files),
        (None, Some(hash)) => Candidate::Kept(hash),
        _ => return Err(wrong("/files", "exactly one of `files` and `hash` is expected", "Send one of the two.")),
    };
    let baseline = match body.against.as_deref() {
        None | Some("in_force") => Baseline::InForce,
        Some("record") => Baseline::Record,
        Some(_) => return Err(wrong("/against", "it is neither `in_force` nor `record`", "Write one of the two.")),
    };
    let examples = body.examples.unwrap_or(EXAMPLES);
    if examples > EXAMPLES_MAX {
        return Err(wrong("/examples", "so many examples are not given", "Ask for 0 to 100."));
    }
    let until = body.until.unwrap_or(now);
    let since = body.since.unwrap_or(now - TimeDelta::days(DAYS));
    if since >= until {
        return Err(wrong("/since", "the time to replay ends before it begins", "Write a `since` before `until`."));
    }
    let (part, of) = READING;
    let deadline = Instant::now() + request_max * part / of;
    Ok(Rerun { candidate, baseline, since, until, examples_max: examples.into(), deadline })
}

impl Node {
    /// A place for somebody who reads the log through; there is one.
    pub(in super::super) fn study_place(self: &Arc<Self>) -> Result<impl Send + 'static + use<>, Problem> {
        Arc::clone(&self.studies).try_acquire_owned().map_err(|_| {
            Problem::new(Code::Overloaded, "somebody else is reading the audit log through")
                .remedy("Try again shortly.")
                .retry_after(RETRY_SECONDS)
        })
    }
}

fn checked_view(checked: Checked) -> CheckedView {
    let Checked { set, complaints, warnings } = checked;
    let policy = |(id, rule): (&str, &crate::policy::Rule)| PolicyView {
        id: id.to_owned(),
        effect: if rule.permits { "permit" } else { "forbid" },
        why: rule.why.clone(),
    };
    CheckedView {
        hash: set.as_ref().map(|set| set.hash().to_owned()),
        policies: set.iter().flat_map(|set| set.rules()).map(policy).collect(),
        complaints: complaints.into_iter().map(in_place).collect(),
        warnings: warnings.into_iter().map(in_place).collect(),
    }
}

fn in_place(complaint: Complaint) -> ComplaintInPlace {
    let Complaint { file, line, column, path, message, remedy } = complaint;
    ComplaintInPlace { file, line, column, path, message, remedy }
}

fn trial_view(set: &PolicySet, trial: Trial) -> TrialView {
    let case = |tried: &Tried| CaseView {
        name: tried.name.clone(),
        place: tried.place.clone(),
        decision: if tried.decision.allows() { "allow" } else { "deny" },
        policies: tried.decision.policies().to_vec(),
        obligations: tried.decision.obligation_words(),
        failures: tried.failures.clone(),
    };
    TrialView {
        hash: set.hash().to_owned(),
        cases: trial.cases.iter().map(case).collect(),
        failed: trial.failed(),
        coverage: trial.coverage(),
        decided: trial.decided,
    }
}
