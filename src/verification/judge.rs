//! All claims of a call held against the rows that were found.

use std::cmp::Reverse;

use super::{Claim, ClaimResult, Comparison, Outcome, Reason, overall};
use crate::{
    catalog::{Dataset, Status, Value},
    identifiers::FieldName,
};

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub outcome: Outcome,
    /// One comparison a claim, in the order of the claims; empty where no row was found.
    pub results: Vec<(FieldName, Comparison)>,
}

/// Judge the claims by the rows; the table in the head of [`verification`](super) says how.
///
/// The cells of a row stand in the order of the claims; `status` is the position in the row of the dataset's status field
/// (it may be one of the claimed ones). A cell that is missing from a row is an empty one. Where the dataset has a status
/// and its column was not read, no row is known to be in its ordinary state.
pub fn judge(
    dataset: &Dataset,
    claims: &[(FieldName, &Claim)],
    rows: &[Vec<Option<Value>>],
    status: Option<usize>,
) -> Judgement {
    // Who asks for the status wants to be told it, of a dead record too.
    let unasked = dataset.status.as_ref().filter(|status| claims.iter().all(|(field, _)| *field != status.field));
    let fitted = rows.iter().map(|row| Fit::of(claims, row, unasked.is_none_or(|rule| is_ordinary(rule, row, status))));
    // The best fit; of equals the first, as `max_by_key` would give the last.
    match fitted.min_by_key(|fit| Reverse(fit.rank())) {
        None => Judgement { outcome: Outcome::NotFound, results: Vec::new() },
        Some(fit) => fit.into_judgement(claims),
    }
}

fn is_ordinary(rule: &Status, row: &[Option<Value>], position: Option<usize>) -> bool {
    let value = position.and_then(|position| row.get(position)).and_then(Option::as_ref);
    value.is_some_and(|value| rule.ordinary.iter().any(|code| *code == value.as_text()))
}

/// One row held against the claims.
struct Fit {
    comparisons: Vec<Comparison>,
    outcome: Outcome,
    ordinary: bool,
}

impl Fit {
    fn of(claims: &[(FieldName, &Claim)], row: &[Option<Value>], ordinary: bool) -> Self {
        let cell = |position: usize| row.get(position).and_then(Option::as_ref);
        let comparisons: Vec<_> =
            claims.iter().enumerate().map(|(position, (_, claim))| claim.compare(cell(position))).collect();
        let results: Vec<_> = comparisons.iter().map(|comparison| comparison.result).collect();
        Self { outcome: overall(&results), comparisons, ordinary }
    }

    /// The larger, the better: what the row allows to be said (a match, then what may yet be one, then a mismatch), then
    /// whether it is ordinary, then how many claims match.
    ///
    /// A row that is not ordinary and fits all the claims comes before an ordinary one that contradicts them: the claims
    /// are about the former, and that it cannot be relied on is the answer.
    fn rank(&self) -> (u8, bool, usize) {
        let said = match (self.outcome, self.ordinary) {
            (Outcome::Match, true) => 2,
            (Outcome::Match, false) | (Outcome::Indeterminate(_), _) => 1,
            (Outcome::Mismatch | Outcome::NotFound, _) => 0,
        };
        let matches = self.comparisons.iter().filter(|comparison| comparison.result == ClaimResult::Match).count();
        (said, self.ordinary, matches)
    }

    fn into_judgement(self, claims: &[(FieldName, &Claim)]) -> Judgement {
        let fields = claims.iter().map(|(field, _)| field.clone());
        if self.ordinary {
            return Judgement { outcome: self.outcome, results: fields.zip(self.comparisons).collect() };
        }
        // Neither yes nor no to any claim: what such a record says is not to be relied on, nor anybody's business.
        let unknown = Comparison::indeterminate(Reason::RecordNotOrdinary);
        Judgement {
            outcome: Outcome::Indeterminate(Reason::RecordNotOrdinary),
            results: fields.map(|field| (field, unknown)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
