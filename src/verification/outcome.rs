//! What a call came to, and why it may have come to nothing.

use super::ClaimResult;

/// The outcome of a verification as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every claim holds.
    Match,
    /// At least one claim does not hold.
    Mismatch,
    /// The source was asked and has no such record. Never said of a source that could not be asked (promise 1).
    NotFound,
    /// Neither yes nor no can be said.
    Indeterminate(Reason),
}

/// Why neither yes nor no can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The source could not be asked.
    SourceUnavailable,
    /// The source did not answer in time.
    DeadlineExceeded,
    /// The dataset is declared, and no version of it has been published yet.
    NotPublished,
    /// The record is dead, cancelled or locked: what it says is no longer, or not now, to be relied on.
    RecordNotOrdinary,
    /// The record has no value in that field.
    NoValue,
    /// More records share the key than can be told apart.
    Ambiguous,
    /// The data is older than its update cycle allows.
    Stale,
    /// The node that keeps the record has decided not to answer.
    HolderRefused,
    /// No node is known that keeps the record and may be asked.
    HolderUnknown,
    /// The register's name carries a character that was lost or is private to the system that wrote it; the rest agrees.
    RareCharacter,
    /// The source answered, and what it said can be taken for neither yes nor no.
    NotUnderstood,
    /// The register's record belongs to another division than the caller's, and the item does not reach beyond its own.
    OutsideDivision,
}

impl Reason {
    pub const ALL: [Self; 12] = [
        Self::SourceUnavailable,
        Self::DeadlineExceeded,
        Self::NotPublished,
        Self::RecordNotOrdinary,
        Self::NoValue,
        Self::Ambiguous,
        Self::Stale,
        Self::HolderRefused,
        Self::HolderUnknown,
        Self::RareCharacter,
        Self::NotUnderstood,
        Self::OutsideDivision,
    ];

    /// The stable text, as it stands in an answer and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SourceUnavailable => "source_unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotPublished => "not_published",
            Self::RecordNotOrdinary => "record_not_ordinary",
            Self::NoValue => "no_value",
            Self::Ambiguous => "ambiguous",
            Self::Stale => "stale",
            Self::HolderRefused => "holder_refused",
            Self::HolderUnknown => "holder_unknown",
            Self::RareCharacter => "rare_character",
            Self::NotUnderstood => "not_understood",
            Self::OutsideDivision => "outside_division",
        }
    }

    /// The reason with that stable text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// What the window can do meanwhile; an applicant is never refused because a register could not say.
    ///
    /// - `accept_provisionally`: accept with the material owing (容缺受理) and ask again; the fault passes by itself.
    /// - `ask_for_paper`: ask for the document or a written undertaking (告知承诺); asking again will not help soon.
    /// - `check_by_hand`: there is a record, and a person has to look at it.
    pub const fn disposition(self) -> &'static str {
        match self {
            Self::SourceUnavailable | Self::DeadlineExceeded | Self::Stale => "accept_provisionally",
            Self::NotPublished | Self::NoValue | Self::HolderRefused | Self::HolderUnknown | Self::NotUnderstood => {
                "ask_for_paper"
            }
            Self::RecordNotOrdinary | Self::Ambiguous | Self::RareCharacter | Self::OutsideDivision => "check_by_hand",
        }
    }
}

/// What the claims on one record come to: a mismatch decides; else an unknown, the first one's reason; else they match.
///
/// No claims at all confirm nothing: indeterminate. The doors refuse such a call, so nobody should meet it.
pub fn overall(results: &[ClaimResult]) -> Outcome {
    if results.contains(&ClaimResult::Mismatch) {
        return Outcome::Mismatch;
    }
    let unknown = results.iter().find_map(|result| match result {
        ClaimResult::Indeterminate(reason) => Some(*reason),
        ClaimResult::Match | ClaimResult::Mismatch => None,
    });
    match unknown {
        Some(reason) => Outcome::Indeterminate(reason),
        None if results.is_empty() => Outcome::Indeterminate(Reason::NoValue),
        None => Outcome::Match,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_mismatch_decides_and_an_unknown_keeps_a_match_from_being_said() {
        use ClaimResult::{Indeterminate, Match, Mismatch};
        let check = |results: &[ClaimResult], expect| assert_eq!(overall(results), expect, "{results:?}");
        check(&[Match], Outcome::Match);
        check(&[Match, Match], Outcome::Match);
        check(&[Match, Mismatch], Outcome::Mismatch);
        check(&[Indeterminate(Reason::NoValue), Mismatch], Outcome::Mismatch);
        check(&[Match, Indeterminate(Reason::NoValue)], Outcome::Indeterminate(Reason::NoValue));
        check(
            &[Indeterminate(Reason::RareCharacter), Indeterminate(Reason::NoValue)],
            Outcome::Indeterminate(Reason::RareCharacter),
        );
        check(&[], Outcome::Indeterminate(Reason::NoValue));
    }

    #[test]
    fn every_reason_has_its_own_text_and_one_of_three_dispositions() {
        let texts: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(texts.len(), Reason::ALL.len());
        let dispositions: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.disposition()).collect();
        assert_eq!(dispositions, BTreeSet::from(["accept_provisionally", "ask_for_paper", "check_by_hand"]));
    }

    fn results() -> impl Strategy<Value = Vec<ClaimResult>> {
        let one = prop_oneof![
            3 => Just(ClaimResult::Match),
            1 => Just(ClaimResult::Mismatch),
            1 => prop::sample::select(&Reason::ALL[..]).prop_map(ClaimResult::Indeterminate),
        ];
        prop::collection::vec(one, 1..6)
    }

    proptest! {
        #[test]
        fn the_order_of_claims_does_not_change_the_kind_of_outcome(given in results()) {
            let backwards: Vec<_> = given.iter().rev().copied().collect();
            let kind = std::mem::discriminant::<Outcome>;
            prop_assert_eq!(kind(&overall(&given)), kind(&overall(&backwards)));
        }

        #[test]
        fn a_match_is_said_exactly_when_every_claim_matches(given in results()) {
            let all = given.iter().all(|result| *result == ClaimResult::Match);
            prop_assert_eq!(overall(&given) == Outcome::Match, all);
        }

        #[test]
        fn a_further_claim_never_turns_a_mismatch_into_anything_else(given in results(), further in results()) {
            let more: Vec<_> = given.iter().chain(&further).copied().collect();
            if overall(&given) == Outcome::Mismatch {
                prop_assert_eq!(overall(&more), Outcome::Mismatch);
            }
            prop_assert_ne!(overall(&more), Outcome::NotFound);
        }
    }
}
