//! Fields of a dataset: what they hold, how they are compared, what may leave of them.

use super::{
    super::{
        Comparator, Disclosure, Field, FieldKind, MaskStyle, Sensitivity,
        complaint::{Path, quoted},
        inspection::Inspection,
        raw::{RawField, RawKind},
        yaml::{At, Ordered},
    },
    bilingual,
};
use crate::identifiers::FieldName;

/// Longest text that a field may allow, in characters: an address has some hundred, a summary some thousand.
const TEXT_CHARS_MAX: u32 = 4_000;

/// Longest code of a code list, in characters.
const CODE_CHARS_MAX: usize = 32;

pub(super) fn field(inspection: &mut Inspection, path: &Path<'_>, raw: &RawField) -> Option<Field> {
    let name = inspection.parse::<FieldName>(&path.key("name"), &raw.name);
    let title = bilingual(inspection, &path.key("title"), &raw.title);
    let element = element(inspection, &path.key("element"), &raw.element);
    let kind = kind(inspection, path, raw);
    let comparator = Comparator::from(raw.comparator.value);
    if !comparator_fits(comparator, raw.kind.value) {
        let message = "the comparator does not fit the kind of the field";
        let remedy = format!("Use {}", fitting_comparators(raw.kind.value));
        inspection.complaints.add(&path.key("comparator"), raw.comparator.position, message, remedy);
    }
    let sensitivity = sensitivity(inspection, &path.key("sensitivity"), &raw.sensitivity);
    let disclosure = Disclosure::from(raw.disclosure.value);
    if disclosure == Disclosure::Plain && raw.sensitivity.value == 4 {
        let message = "a field at level 4 may not be disclosed `plain`";
        let remedy = "Use `masked`, `compare_only` or `never`";
        inspection.complaints.add(&path.key("disclosure"), raw.disclosure.position, message, remedy);
    }
    let mask = raw.mask.as_ref().map_or(MaskStyle::Whole, |mask| mask.value.into());
    if let Some(raw_mask) = &raw.mask
        && !mask_fits(mask, raw.kind.value)
    {
        let message = "the mask does not fit the kind of the field";
        inspection.complaints.add(
            &path.key("mask"),
            raw_mask.position,
            message,
            "Use `whole`, or one made for this kind",
        );
    }
    Some(Field {
        name: name?,
        title: title?,
        element: element?,
        kind: kind?,
        comparator,
        sensitivity: sensitivity?,
        disclosure,
        mask,
        required: raw.required.unwrap_or(true),
    })
}

fn element(inspection: &mut Inspection, path: &Path<'_>, raw: &At<String>) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let text = raw.value.as_str();
    if (1..=32).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(inner) {
        return Some(text.to_owned());
    }
    let message = format!("{} is not the short name of a data element", quoted(text));
    inspection.complaints.add(path, raw.position, message, "Write its pinyin initials in capitals, such as GMSFHM");
    None
}

fn kind(inspection: &mut Inspection, path: &Path<'_>, raw: &RawField) -> Option<FieldKind> {
    let kind = raw.kind.value;
    if let Some(chars_max) = &raw.chars_max
        && kind != RawKind::Text
    {
        let message = "only a field of kind `text` has `chars_max`";
        inspection.complaints.add(&path.key("chars_max"), chars_max.position, message, "Remove it");
    }
    if let Some(codes) = &raw.codes
        && kind != RawKind::Code
    {
        let message = "only a field of kind `code` has `codes`";
        inspection.complaints.add(&path.key("codes"), codes.position, message, "Remove them");
    }
    match kind {
        RawKind::ResidentId => Some(FieldKind::ResidentId),
        RawKind::CreditCode => Some(FieldKind::CreditCode),
        RawKind::LicenceId => Some(FieldKind::LicenceId),
        RawKind::Division => Some(FieldKind::Division),
        RawKind::Date => Some(FieldKind::Date),
        RawKind::Integer => Some(FieldKind::Integer),
        RawKind::Boolean => Some(FieldKind::Boolean),
        RawKind::Text => text_kind(inspection, path, raw),
        RawKind::Code => code_kind(inspection, path, raw),
    }
}

fn text_kind(inspection: &mut Inspection, path: &Path<'_>, raw: &RawField) -> Option<FieldKind> {
    let Some(chars_max) = &raw.chars_max else {
        let message = "a field of kind `text` needs `chars_max`";
        inspection.complaints.add(&path.key("kind"), raw.kind.position, message, "Add the most characters it may have");
        return None;
    };
    if !(1..=TEXT_CHARS_MAX).contains(&chars_max.value) {
        let message = format!("a text of at most {} characters cannot be kept", chars_max.value);
        let remedy = format!("Write a number from 1 to {TEXT_CHARS_MAX}");
        inspection.complaints.add(&path.key("chars_max"), chars_max.position, message, remedy);
        return None;
    }
    Some(FieldKind::Text { chars_max: usize::try_from(chars_max.value).ok()? })
}

fn code_kind(inspection: &mut Inspection, path: &Path<'_>, raw: &RawField) -> Option<FieldKind> {
    let Some(codes) = &raw.codes else {
        let message = "a field of kind `code` needs `codes`";
        inspection.complaints.add(&path.key("kind"), raw.kind.position, message, "Add each code with its meaning");
        return None;
    };
    let path = path.key("codes");
    let Ordered(entries) = &codes.value;
    if entries.is_empty() {
        inspection.complaints.add(&path, codes.position, "the list is empty", "Name at least one");
        return None;
    }
    let mut values = Vec::with_capacity(entries.len());
    for (code, meaning) in entries {
        let visible = code.value.bytes().all(|byte| byte.is_ascii_graphic());
        if code.value.is_empty() || code.value.len() > CODE_CHARS_MAX || !visible {
            let message = format!("{} is not a code", quoted(&code.value));
            let remedy = format!("Write 1 to {CODE_CHARS_MAX} visible ASCII characters");
            inspection.complaints.add(&path, code.position, message, remedy);
        }
        let meaning = inspection.words(&path.key(&code.value), meaning);
        values.push((code.value.clone(), meaning.unwrap_or_default()));
    }
    Some(FieldKind::Code { values })
}

pub(super) fn sensitivity(inspection: &mut Inspection, path: &Path<'_>, level: &At<u8>) -> Option<Sensitivity> {
    let sensitivity = Sensitivity::new(level.value);
    if sensitivity.is_none() {
        let message = format!("there is no level {}", level.value);
        inspection.complaints.add(path, level.position, message, "Write a level from 1 (public) to 4 (most sensitive)");
    }
    sensitivity
}

fn comparator_fits(comparator: Comparator, kind: RawKind) -> bool {
    match kind {
        RawKind::ResidentId | RawKind::CreditCode | RawKind::LicenceId | RawKind::Division | RawKind::Code => {
            matches!(comparator, Comparator::Exact | Comparator::Code)
        }
        RawKind::Text => matches!(comparator, Comparator::Exact | Comparator::Name | Comparator::Code),
        RawKind::Date => comparator == Comparator::Date,
        RawKind::Integer => comparator == Comparator::Number,
        RawKind::Boolean => comparator == Comparator::Exact,
    }
}

fn fitting_comparators(kind: RawKind) -> &'static str {
    match kind {
        RawKind::ResidentId | RawKind::CreditCode | RawKind::LicenceId | RawKind::Division | RawKind::Code => {
            "`code` or `exact`"
        }
        RawKind::Text => "`exact`, `name` or `code`",
        RawKind::Date => "`date`",
        RawKind::Integer => "`number`",
        RawKind::Boolean => "`exact`",
    }
}

fn mask_fits(mask: MaskStyle, kind: RawKind) -> bool {
    match mask {
        MaskStyle::Whole => true,
        MaskStyle::Name | MaskStyle::Phone | MaskStyle::Address => kind == RawKind::Text,
        MaskStyle::ResidentId => matches!(kind, RawKind::ResidentId | RawKind::Text),
        MaskStyle::LicenceNumber => matches!(kind, RawKind::Text | RawKind::LicenceId | RawKind::CreditCode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_comparators_are_those_that_fit() {
        let kinds = [
            RawKind::ResidentId,
            RawKind::CreditCode,
            RawKind::LicenceId,
            RawKind::Division,
            RawKind::Text,
            RawKind::Code,
            RawKind::Date,
            RawKind::Integer,
            RawKind::Boolean,
        ];
        let comparators = [
            (Comparator::Exact, "`exact`"),
            (Comparator::Name, "`name`"),
            (Comparator::Date, "`date`"),
            (Comparator::Code, "`code`"),
            (Comparator::Number, "`number`"),
        ];
        for kind in kinds {
            for (comparator, word) in comparators {
                assert_eq!(
                    comparator_fits(comparator, kind),
                    fitting_comparators(kind).contains(word),
                    "{kind:?} {word}"
                );
            }
        }
    }
}
