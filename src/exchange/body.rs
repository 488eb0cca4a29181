//! The answer as it leaves, which is the answer as it is signed.
//!
//! The receipt binds this very JSON (RFC 8785 canonical form, without `receipt`), so the road makes it and no door
//! rewrites it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    identifiers::FieldName,
    verification::{ClaimResult, Comparison, Outcome, Reason},
};

/// What an answer says as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// Every claim matches the record.
    Match,
    /// At least one claim does not match the record (or, without a case number, there may be no record).
    Mismatch,
    /// Disclosure: the record was found.
    Found,
    /// There is no such record.
    NotFound,
    /// No yes or no can be given; `reason` says why. Never to be read as `not_found`.
    Indeterminate,
}

impl OutcomeWord {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// What one claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimVerdict {
    Match,
    Mismatch,
    Indeterminate,
}

/// One claim, answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClaimBody {
    pub result: ClaimVerdict,
    /// The comparison rule that was needed for the match, such as `name-normalised`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why the claim is indeterminate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An answer. `receipt` is added beside these members after they were signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnswerBody {
    /// UUID of the call; the audit log is searched by it.
    pub call_id: String,
    pub outcome: OutcomeWord,
    /// Why the outcome is indeterminate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the caller may do: `accept_provisionally`, `ask_for_paper`, `check_by_hand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// Verification: one verdict a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, ClaimBody>>,
    /// Disclosure: the fields' values, dates as `YYYY-MM-DD`; a masked value is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, serde_json::Value>>,
    /// Disclosure: which of the values are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<Vec<String>>,
    /// Disclosure: fields that were asked and withheld by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Vec<String>>,
    pub dataset: String,
    /// The published version that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<u64>,
    /// When that version's data was true, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// When the node answered, RFC 3339.
    pub answered_at: String,
}

/// The words for an outcome, with the reason and the hint of an indeterminate one.
pub(super) fn outcome_words(outcome: &Outcome) -> (OutcomeWord, Option<Reason>) {
    match outcome {
        Outcome::Match => (OutcomeWord::Match, None),
        Outcome::Mismatch => (OutcomeWord::Mismatch, None),
        Outcome::NotFound => (OutcomeWord::NotFound, None),
        Outcome::Indeterminate(reason) => (OutcomeWord::Indeterminate, Some(*reason)),
    }
}

pub(super) fn claim_bodies(results: &[(FieldName, Comparison)]) -> BTreeMap<String, ClaimBody> {
    let body = |comparison: &Comparison| {
        let (result, reason) = match comparison.result {
            ClaimResult::Match => (ClaimVerdict::Match, None),
            ClaimResult::Mismatch => (ClaimVerdict::Mismatch, None),
            ClaimResult::Indeterminate(reason) => (ClaimVerdict::Indeterminate, Some(reason.as_str().to_owned())),
        };
        ClaimBody { result, rule: comparison.rule.map(str::to_owned), reason }
    };
    results.iter().map(|(field, comparison)| (field.as_str().to_owned(), body(comparison))).collect()
}
