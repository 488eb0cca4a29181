//! The answer as it leaves, which is the answer as it is signed.
//!
//! The receipt binds this very JSON (RFC 8785 canonical form, without `receipt`), so the road makes it and no door
//! rewrites it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::elsewhere::NodeBody;
use crate::{
    identifiers::FieldName,
    verification::{ClaimResult, Comparison, Outcome, Reason},
};

/// What an answer says as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimVerdict {
    Match,
    Mismatch,
    Indeterminate,
}

/// One claim, answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimBody {
    /// Why the claim is indeterminate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub result: ClaimVerdict,
    /// The comparison rule that was needed for the match, such as `name-normalised`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// An answer. `receipt` is added beside these members after they were signed.
///
/// The members stand in the order of the alphabet, which is the order of RFC 8785 (see [`AnswerBody::canonical`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerBody {
    /// When the node answered, RFC 3339.
    pub answered_at: String,
    /// When the data of the version that answered was true, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// UUID of the call; the audit log is searched by it.
    pub call_id: String,
    /// Verification: one verdict a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<BTreeMap<String, ClaimBody>>,
    pub dataset: String,
    /// The published version that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<u64>,
    /// What the caller may do: `accept_provisionally`, `ask_for_paper`, `check_by_hand`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// Disclosure: which of the values are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<Vec<String>>,
    /// The nodes that were asked, where the answer lives elsewhere: how each answered, with its receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<NodeBody>>,
    /// `open`: somebody has objected to an answer about this subject, and it is not decided. `corrected`: the version that
    /// answered holds what was corrected after an objection. Neither is a reason to refuse anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
    pub outcome: OutcomeWord,
    /// Why the outcome is indeterminate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Disclosure: the fields' values, dates as `YYYY-MM-DD`; a masked value is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, serde_json::Value>>,
    /// Disclosure: fields that were asked and withheld by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Vec<String>>,
}

impl AnswerBody {
    /// The body in RFC 8785 canonical form.
    ///
    /// Without register values there is nothing in it whose canonical form differs from the form that serde writes:
    /// members in their order, names in ASCII, no number but the version's. The general way costs ten times as much.
    pub(super) fn canonical(&self) -> serde_json::Result<Vec<u8>> {
        match (&self.values, &self.nodes) {
            (None, None) => serde_json::to_vec(self),
            _ => serde_jcs::to_vec(self),
        }
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict() -> impl Strategy<Value = ClaimBody> {
        let results = [ClaimVerdict::Match, ClaimVerdict::Mismatch, ClaimVerdict::Indeterminate];
        let text = || prop::option::of(any::<String>());
        (prop::sample::select(results.to_vec()), text(), text()).prop_map(|(result, rule, reason)| ClaimBody {
            reason,
            result,
            rule,
        })
    }

    prop_compose! {
        fn answer()(
            texts in prop::array::uniform3(any::<String>()),
            optional in prop::array::uniform4(prop::option::of(any::<String>())),
            claims in prop::option::of(prop::collection::btree_map("[a-z_]{1,8}", verdict(), 0..4)),
            masked in prop::option::of(prop::collection::vec(any::<String>(), 0..3)),
            withheld in prop::option::of(prop::collection::vec(any::<String>(), 0..3)),
            dataset_version in prop::option::of(0_u64..1 << 53),
            outcome in prop::sample::select(vec![OutcomeWord::Match, OutcomeWord::NotFound]),
        ) -> AnswerBody {
            let [answered_at, call_id, dataset] = texts;
            let [as_of, disposition, objection, reason] = optional;
            AnswerBody {
                answered_at, as_of, call_id, claims, dataset, dataset_version, disposition, masked, nodes: None, objection, outcome, reason,
                values: None, withheld,
            }
        }
    }

    proptest! {
        #[test]
        fn the_short_way_to_the_canonical_form_is_the_canonical_form(body in answer()) {
            prop_assert_eq!(body.canonical().unwrap(), serde_jcs::to_vec(&body).unwrap());
        }
    }
}
