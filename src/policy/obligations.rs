//! What an allowed call is allowed under.

use std::collections::BTreeSet;

use super::{Operation, Question};
use crate::{
    catalog::{Dataset, Disclosure, Return},
    identifiers::{DivisionCode, FieldName},
};

/// What the node must do to the answer of an allowed call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    /// Do not tell whether there is a record.
    pub fold_not_found: bool,
    /// Answer only where the call names the subject's consent.
    pub require_consent: bool,
    /// Answer only where it names an official and a second one who approved.
    pub require_second_approver: bool,
    /// Take records outside this division for records that the caller has no business with.
    pub rows_of: Option<DivisionCode>,
    /// Fields to disclose only masked.
    pub masked: BTreeSet<FieldName>,
    /// Fields to withhold: neither told nor held against a claim.
    pub dropped: BTreeSet<FieldName>,
}

impl Obligations {
    /// For the record of the call: `fold_not_found`, `require_consent`, `mask:name`, `drop:phone`.
    pub fn words(&self) -> Vec<String> {
        let whole = [
            (self.fold_not_found, "fold_not_found"),
            (self.require_consent, "require_consent"),
            (self.require_second_approver, "require_second_approver"),
            (self.rows_of.is_some(), "rows_by_division"),
        ];
        let whole = whole.into_iter().filter(|(obliged, _)| *obliged).map(|(_, word)| word.to_owned());
        let masked = self.masked.iter().map(|field| format!("mask:{field}"));
        let dropped = self.dropped.iter().map(|field| format!("drop:{field}"));
        whole.chain(masked).chain(dropped).collect()
    }
}

/// The annotations that there are.
const KNOWN: [&str; 6] = [
    "obligation_fold_not_found",
    "obligation_mask_sensitivity",
    "obligation_drop_sensitivity",
    "obligation_require_consent",
    "obligation_require_second_approver",
    "obligation_rows_by_division",
];

/// What a permit obliges to, read from its annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Obliging {
    fold_not_found: bool,
    require_consent: bool,
    require_second_approver: bool,
    rows_by_division: bool,
    mask_from: Option<u8>,
    drop_from: Option<u8>,
}

impl Obliging {
    /// Does the other oblige to all of this?
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let from = |level: Option<u8>| level.unwrap_or(u8::MAX);
        let flags =
            |of: &Self| [of.fold_not_found, of.require_consent, of.require_second_approver, of.rows_by_division];
        flags(self).iter().zip(flags(other)).all(|(own, others)| !own || others)
            && from(self.mask_from) >= from(other.mask_from)
            && from(self.drop_from) >= from(other.drop_from)
    }

    /// Does it oblige to something that only a call can fulfil?
    pub(super) fn is_of_calls(&self) -> bool {
        self.fold_not_found || self.require_consent || self.require_second_approver
    }

    /// Understand one `@obligation_...` annotation; the reason if it is not one.
    pub(super) fn understand(&mut self, key: &str, value: &str) -> Result<(), String> {
        let level = || match value.parse() {
            Ok(level @ 1..=4) => Ok(Some(level)),
            _ => Err(format!("`@{key}` is a sensitivity from 1 to 4, not `{value}`")),
        };
        let truth = || match value {
            "true" => Ok(true),
            _ => Err(format!("`@{key}` is `true` or left out, not `{value}`")),
        };
        match key {
            "obligation_fold_not_found" => self.fold_not_found = truth()?,
            "obligation_require_consent" => self.require_consent = truth()?,
            "obligation_require_second_approver" => self.require_second_approver = truth()?,
            "obligation_rows_by_division" => self.rows_by_division = truth()?,
            "obligation_mask_sensitivity" => self.mask_from = level()?,
            "obligation_drop_sensitivity" => self.drop_from = level()?,
            _ => {
                return Err(format!("`@{key}` is no obligation. There are {}", KNOWN.join(", ")));
            }
        }
        Ok(())
    }
}

/// The obligations of the permits that hold, united, with those of the catalogue.
pub(super) fn unite<'a>(permits: impl Iterator<Item = &'a Obliging>, question: &Question<'_>) -> Obligations {
    let (mut united, mut by_division) = (Obligations::default(), false);
    let (mut mask_from, mut drop_from) = (u8::MAX, u8::MAX);
    for permit in permits {
        united.fold_not_found |= permit.fold_not_found;
        united.require_consent |= permit.require_consent;
        united.require_second_approver |= permit.require_second_approver;
        by_division |= permit.rows_by_division;
        mask_from = mask_from.min(permit.mask_from.unwrap_or(u8::MAX));
        drop_from = drop_from.min(permit.drop_from.unwrap_or(u8::MAX));
    }
    // An item for applicants of any division needs records of any.
    united.rows_of = (by_division && !question.item.cross_region).then_some(question.department.division);
    for name in question.fields {
        // A field that the catalogue does not know is withheld: nothing says that it may be used.
        let Some((_, field)) = question.dataset.field(name.as_str()) else {
            united.dropped.insert(name.clone());
            continue;
        };
        let level = field.sensitivity.level();
        match question.operation {
            // A verification shows no value that could be masked; a level is no reason to leave a claim unanswered.
            Operation::Verify if field.disclosure.is_compared() => false,
            Operation::Disclose if field.disclosure.is_told() && level < drop_from => {
                (field.disclosure == Disclosure::Masked || level >= mask_from) && united.masked.insert(name.clone())
            }
            Operation::Verify | Operation::Disclose => united.dropped.insert(name.clone()),
        };
    }
    united
}

/// The same for records that a node is handed: those of its own division, whatever the permits say. The key leaves as it is,
/// or not at all.
pub(super) fn unite_return(permits: &[Obliging], dataset: &Dataset, to: &Return) -> Obligations {
    let lowest = |level: fn(&Obliging) -> Option<u8>| permits.iter().filter_map(level).min().unwrap_or(u8::MAX);
    let (mask_from, drop_from) = (lowest(|permit| permit.mask_from), lowest(|permit| permit.drop_from));
    let mut united = Obligations { rows_of: Some(to.division), ..Obligations::default() };
    for name in &to.fields {
        let field = dataset.field(name.as_str()).map(|(_, field)| field);
        let Some(field) = field.filter(|field| field.sensitivity.level() < drop_from) else {
            united.dropped.insert(name.clone());
            continue;
        };
        let (is_key, is_low) = (*name == dataset.key, field.sensitivity.level() < mask_from);
        let whole = match field.disclosure {
            Disclosure::Plain => is_key || is_low,
            Disclosure::JoinKeyOnly => is_key || (dataset.is_key(name) && is_low),
            Disclosure::Masked | Disclosure::CompareOnly | Disclosure::AggregateOnly | Disclosure::Never => false,
        };
        if !whole {
            let masked = field.disclosure.is_told() && !is_key;
            if masked { &mut united.masked } else { &mut united.dropped }.insert(name.clone());
        }
    }
    united
}
