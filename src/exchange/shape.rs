//! Step 7: what was found becomes what may be said. Pure.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    body::{ClaimBody, OutcomeWord, claim_bodies, outcome_words},
    call::{Call, Wanted},
    elsewhere::NodeBody,
};
use crate::{
    catalog::{Dataset, Value},
    engine::{Found, LookupError},
    identifiers::{DivisionCode, FieldName},
    policy::Obligations,
    verification::{ClaimResult, Comparison, Outcome, Reason, judge, mask},
};

/// Largest whole number that every JSON reader takes exactly (RFC 8785, RFC 7493).
const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// The part of an answer that depends on the record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shaped {
    pub(super) outcome: OutcomeWord,
    pub(super) reason: Option<Reason>,
    pub(super) claims: Option<BTreeMap<String, ClaimBody>>,
    pub(super) values: Option<BTreeMap<String, serde_json::Value>>,
    pub(super) masked: Vec<FieldName>,
    pub(super) withheld: Vec<FieldName>,
    /// What is to be said of objections: `open` or `corrected`.
    pub(super) objection: Option<&'static str>,
    /// The version that answered and when it was true, where that was not this node's own.
    pub(super) version: Option<(u64, String)>,
    /// What other nodes had to do with it.
    pub(super) nodes: Vec<NodeBody>,
}

impl Shaped {
    fn bare(outcome: OutcomeWord, reason: Option<Reason>) -> Self {
        Self {
            outcome,
            reason,
            claims: None,
            values: None,
            masked: Vec::new(),
            withheld: Vec::new(),
            objection: None,
            version: None,
            nodes: Vec::new(),
        }
    }

    /// Does another say the same of the record?
    pub(super) fn says_as(&self, other: &Self) -> bool {
        (self.outcome, &self.claims, &self.values) == (other.outcome, &other.claims, &other.values)
    }
}

/// Cells of a row that are read beside those asked for, by their places in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    status: Option<usize>,
    division: Option<usize>,
}

/// The fields to read for a call: those asked, the record's status and its division, where they matter.
pub(super) fn positions_to_read(call: &Call, obligations: &Obligations) -> (Vec<usize>, Columns) {
    let mut positions = call.positions.clone();
    let mut read = |field: Option<&FieldName>| {
        let (position, _) = field.and_then(|field| call.dataset.field(field.as_str()))?;
        Some(positions.iter().position(|&asked| asked == position).unwrap_or_else(|| {
            positions.push(position);
            positions.len() - 1
        }))
    };
    let status = read(call.dataset.status.as_ref().map(|status| &status.field));
    let division = read(call.dataset.division.as_ref().filter(|_| obligations.rows_of.is_some()));
    (positions, Columns { status, division })
}

/// Apply the comparison or disclosure, then the obligations.
pub(super) fn shape(call: &Call, found: &Found, columns: Columns, obligations: &Obligations) -> Shaped {
    let rows = rows_for(call, found, columns, obligations);
    // There is a record, and `not_found` is not to be said (promise 1); who is not told whether there is one, is told of
    // this one as if there were none.
    if rows.is_empty() && !found.rows.is_empty() && !obligations.fold_not_found {
        return unanswered(call, Reason::OutsideDivision);
    }
    match &call.wanted {
        Wanted::Comparison(claims) => {
            let claims: Vec<_> = call.fields.iter().cloned().zip(claims.iter()).collect();
            let judgement = judge(&call.dataset, &claims, &rows, columns.status);
            compared(judgement.outcome, &judgement.results, &call.fields, obligations)
        }
        Wanted::Values => disclosed(call, &rows, columns.status, obligations),
    }
}

type Row = Vec<Option<Value>>;

/// The rows that the caller may have looked at, without what may not be held against a claim: an empty cell is neither
/// confirmed nor denied.
fn rows_for<'f>(call: &Call, found: &'f Found, columns: Columns, obligations: &Obligations) -> Cow<'f, [Row]> {
    let hides = matches!(call.wanted, Wanted::Comparison(_)) && !obligations.dropped.is_empty();
    if obligations.rows_of.is_none() && !hides {
        return Cow::Borrowed(&found.rows);
    }
    let mut rows = found.rows.clone();
    if let Some(division) = &obligations.rows_of {
        rows.retain(|row| belongs_to(division, row, columns.division));
    }
    for (cell, _) in call.fields.iter().enumerate().filter(|(_, field)| hides && obligations.dropped.contains(*field)) {
        rows.iter_mut().filter_map(|row| row.get_mut(cell)).for_each(|value| *value = None);
    }
    Cow::Owned(rows)
}

/// A record that does not say where it belongs, belongs to nobody's division. Old codes count as those that took their place.
fn belongs_to(division: &DivisionCode, row: &Row, column: Option<usize>) -> bool {
    let value = column.and_then(|column| row.get(column)).and_then(Option::as_ref);
    let place = value.and_then(|value| value.as_text().parse::<DivisionCode>().ok());
    place.is_some_and(|place| division.contains(&place.successor().unwrap_or(place)))
}

/// A source that could not be asked: indeterminate, never `not_found` (promise 1).
pub(super) fn unanswered(call: &Call, reason: Reason) -> Shaped {
    match &call.wanted {
        Wanted::Comparison(_) => compared(Outcome::Indeterminate(reason), &[], &call.fields, &Obligations::default()),
        Wanted::Values => without_values(OutcomeWord::Indeterminate, Some(reason)),
    }
}

/// Every part was asked, and none has the record.
pub(super) fn not_found() -> Shaped {
    Shaped::bare(OutcomeWord::NotFound, None)
}

/// The same to those who are not told whether there is a record.
pub(super) fn folded(call: &Call) -> Shaped {
    match &call.wanted {
        Wanted::Comparison(_) => {
            let obligations = Obligations { fold_not_found: true, ..Obligations::default() };
            compared(Outcome::NotFound, &[], &call.fields, &obligations)
        }
        Wanted::Values => without_values(OutcomeWord::Indeterminate, Some(Reason::NoValue)),
    }
}

/// Why a look-up gave no rows, in the answer's words.
pub(super) fn reason_of(error: &LookupError) -> Reason {
    match error {
        LookupError::NotPublished { .. } => Reason::NotPublished,
        LookupError::TooMany { .. } => Reason::Ambiguous,
        LookupError::Unknown { .. } | LookupError::Changed { .. } | LookupError::Unreadable { .. } => {
            Reason::SourceUnavailable
        }
    }
}

fn compared(
    outcome: Outcome,
    results: &[(FieldName, Comparison)],
    fields: &[FieldName],
    obligations: &Obligations,
) -> Shaped {
    // An answer has one verdict a claim whatever happened, so that its shape tells nothing.
    let (word, reason, claims) = match outcome {
        Outcome::NotFound if obligations.fold_not_found => {
            (OutcomeWord::Mismatch, None, verdicts(fields, ClaimResult::Mismatch))
        }
        Outcome::NotFound => (OutcomeWord::NotFound, None, verdicts(fields, ClaimResult::Mismatch)),
        other => {
            let (word, reason) = outcome_words(&other);
            let claims = match (results.is_empty(), &other) {
                (true, Outcome::Indeterminate(reason)) => verdicts(fields, ClaimResult::Indeterminate(*reason)),
                _ => claim_bodies(results),
            };
            (word, reason, claims)
        }
    };
    let claims = if word == OutcomeWord::NotFound { None } else { Some(claims) };
    Shaped { claims, ..Shaped::bare(word, reason) }
}

fn verdicts(fields: &[FieldName], result: ClaimResult) -> BTreeMap<String, ClaimBody> {
    let results: Vec<_> = fields.iter().map(|field| (field.clone(), Comparison { result, rule: None })).collect();
    claim_bodies(&results)
}

fn disclosed(call: &Call, rows: &[Row], status_column: Option<usize>, obligations: &Obligations) -> Shaped {
    let row = match rows {
        [] if obligations.fold_not_found => return folded(call),
        [] => return without_values(OutcomeWord::NotFound, None),
        [row] => row,
        _ => return without_values(OutcomeWord::Indeterminate, Some(Reason::Ambiguous)),
    };
    if !is_ordinary(&call.dataset, row, status_column) && !tells_status(call, obligations) {
        return without_values(OutcomeWord::Indeterminate, Some(Reason::RecordNotOrdinary));
    }
    let mut shaped = without_values(OutcomeWord::Found, None);
    let mut values = BTreeMap::new();
    for ((field, &position), value) in call.fields.iter().zip(&call.positions).zip(row) {
        if obligations.dropped.contains(field) {
            shaped.withheld.push(field.clone());
            continue;
        }
        let said = match value {
            None => serde_json::Value::Null,
            Some(value) if obligations.masked.contains(field) => {
                shaped.masked.push(field.clone());
                mask(call.dataset.fields[position].mask, value).into()
            }
            Some(value) => plain(value),
        };
        values.insert(field.as_str().to_owned(), said);
    }
    shaped.values = Some(values);
    shaped
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => text.as_str().into(),
        // RFC 8785 writes numbers as doubles: beyond 2^53 - 1 they would lose digits, so they are written as text.
        Value::Integer(number) if number.unsigned_abs() > JSON_INTEGER_MAX => number.to_string().into(),
        Value::Integer(number) => (*number).into(),
        Value::Boolean(truth) => (*truth).into(),
        Value::Date(_) => value.as_text().into(),
    }
}

fn without_values(outcome: OutcomeWord, reason: Option<Reason>) -> Shaped {
    Shaped::bare(outcome, reason)
}

fn is_ordinary(dataset: &Dataset, row: &[Option<Value>], status_column: Option<usize>) -> bool {
    let Some(status) = &dataset.status else { return true };
    // A status that is missing, or was not read, is not an ordinary one.
    let value = status_column.and_then(|column| row.get(column)).and_then(Option::as_ref);
    value.is_some_and(|value| status.ordinary.iter().any(|code| *code == value.as_text()))
}

/// Will the caller see the record's state? One that is masked or withheld tells nobody that the person is dead.
fn tells_status(call: &Call, obligations: &Obligations) -> bool {
    let hidden = |field: &FieldName| obligations.masked.contains(field) || obligations.dropped.contains(field);
    let status = call.dataset.status.as_ref().map(|status| &status.field);
    status.is_some_and(|field| call.fields.contains(field) && !hidden(field))
}

#[cfg(test)]
mod tests;
