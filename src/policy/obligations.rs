//! What an allowed call is allowed under.

use std::collections::BTreeSet;

use super::{Operation, Question};
use crate::{catalog::Disclosure, identifiers::FieldName};

/// What the node must do to the answer of an allowed call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    /// Do not tell whether there is a record.
    pub fold_not_found: bool,
    /// Fields to disclose only masked.
    pub masked: BTreeSet<FieldName>,
    /// Fields to withhold.
    pub dropped: BTreeSet<FieldName>,
}

impl Obligations {
    /// For the record of the call: `fold_not_found`, `mask:name`, `drop:phone`.
    pub fn words(&self) -> Vec<String> {
        let fold = self.fold_not_found.then(|| "fold_not_found".to_owned());
        let masked = self.masked.iter().map(|field| format!("mask:{field}"));
        let dropped = self.dropped.iter().map(|field| format!("drop:{field}"));
        fold.into_iter().chain(masked).chain(dropped).collect()
    }
}

/// What a permit obliges to, read from its annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Obliging {
    fold_not_found: bool,
    mask_from: Option<u8>,
    drop_from: Option<u8>,
}

impl Obliging {
    /// Does the other oblige to all of this?
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let from = |level: Option<u8>| level.unwrap_or(u8::MAX);
        (!self.fold_not_found || other.fold_not_found)
            && from(self.mask_from) >= from(other.mask_from)
            && from(self.drop_from) >= from(other.drop_from)
    }

    /// Understand one `@obligation_...` annotation; the reason if it is not one.
    pub(super) fn understand(&mut self, key: &str, value: &str) -> Result<(), String> {
        let level = || match value.parse() {
            Ok(level @ 1..=4) => Ok(Some(level)),
            _ => Err(format!("`@{key}` is a sensitivity from 1 to 4, not `{value}`")),
        };
        match key {
            "obligation_fold_not_found" if value == "true" => self.fold_not_found = true,
            "obligation_fold_not_found" => return Err(format!("`@{key}` is `true` or left out, not `{value}`")),
            "obligation_mask_sensitivity" => self.mask_from = level()?,
            "obligation_drop_sensitivity" => self.drop_from = level()?,
            _ => {
                return Err(format!(
                    "`@{key}` is no obligation. There are obligation_fold_not_found, obligation_mask_sensitivity and obligation_drop_sensitivity"
                ));
            }
        }
        Ok(())
    }
}

/// The obligations of the permits that hold, united, with those of the catalogue.
pub(super) fn unite<'a>(permits: impl Iterator<Item = &'a Obliging>, question: &Question<'_>) -> Obligations {
    let (mut fold, mut mask_from, mut drop_from) = (false, u8::MAX, u8::MAX);
    for permit in permits {
        fold |= permit.fold_not_found;
        mask_from = mask_from.min(permit.mask_from.unwrap_or(u8::MAX));
        drop_from = drop_from.min(permit.drop_from.unwrap_or(u8::MAX));
    }
    let mut united = Obligations { fold_not_found: fold, ..Obligations::default() };
    // A verification shows no value that could be masked or withheld.
    let shown = match question.operation {
        Operation::Verify => &[],
        Operation::Disclose => question.fields,
    };
    for name in shown {
        // A field that the catalogue does not know is withheld: nothing says that it may be shown.
        let Some((_, field)) = question.dataset.field(name.as_str()) else {
            united.dropped.insert(name.clone());
            continue;
        };
        let level = field.sensitivity.level();
        match field.disclosure {
            Disclosure::Never | Disclosure::CompareOnly => united.dropped.insert(name.clone()),
            _ if level >= drop_from => united.dropped.insert(name.clone()),
            Disclosure::Masked => united.masked.insert(name.clone()),
            Disclosure::Plain if level >= mask_from => united.masked.insert(name.clone()),
            Disclosure::Plain => false,
        };
    }
    united
}
