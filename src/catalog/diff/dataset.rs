//! Datasets and their fields.

use std::collections::{BTreeMap, BTreeSet};

use super::{Changes, Effect, Pair, Subject, breaking, compatible, narrowing, pairs};
use crate::{
    catalog::{Catalog, Dataset, Disclosure, Field, FieldKind, SharingAttribute, Status},
    identifiers::{DatasetId, FieldName},
};

/// Codes named in one line, at most.
const CODES_SHOWN_MAX: usize = 8;

pub(super) fn datasets(changes: &mut Changes, old: &Catalog, new: &Catalog) {
    for (id, pair) in pairs(&old.datasets, &new.datasets) {
        let subject = Subject::Dataset(id.clone());
        match pair {
            Pair::Removed(_) => changes.add(&subject, Effect::Breaking, "removed"),
            Pair::Added(one) => {
                let what = format!("added ({}, {} fields)", one.name.zh, one.fields.len());
                changes.add(&subject, Effect::Compatible, what);
            }
            Pair::Both(before, after) => {
                dataset(changes, &subject, before, after);
                fields(changes, id, before, after);
            }
        }
    }
}

fn dataset(changes: &mut Changes, subject: &Subject, old: &Dataset, new: &Dataset) {
    changes.turned(subject, "code", (&old.code, &new.code), compatible);
    changes.reworded(subject, "name", &old.name, &new.name);
    changes.reworded(subject, "summary", &old.summary, &new.summary);
    changes.turned(subject, "provider", (&old.provider, &new.provider), compatible);
    let (before, after) = (old.sharing.attribute, new.sharing.attribute);
    changes.turned(subject, "sharing", (before.word(), after.word()), |_, _| less_shared(before, after));
    changes.reworded(subject, "ground of sharing", &old.sharing.ground, &new.sharing.ground);
    changes.turned(subject, "update_cycle", (old.update_cycle.word(), new.update_cycle.word()), compatible);
    changes.turned(subject, "sensitivity", (old.sensitivity.level(), new.sensitivity.level()), more_is_narrowing);
    changes.turned(subject, "key", (&old.key, &new.key), breaking);
    secondary_keys(changes, subject, old, new);
    status(changes, subject, old.status.as_ref(), new.status.as_ref());
    changes.turned(subject, "placement", (old.placement.words(), new.placement.words()), compatible);
    changes.turned(subject, "returns", (old.returns.words(), new.returns.words()), compatible);
    let division = |dataset: &Dataset| dataset.division.as_ref().map_or("none".to_owned(), ToString::to_string);
    changes.turned(subject, "division", (division(old), division(new)), narrowing);
    changes.turned(subject, "reject_share_max", (old.reject_share_max, new.reject_share_max), compatible);
    changes.reworded(subject, "listing", &old.listing, &new.listing);
}

fn less_shared(old: SharingAttribute, new: SharingAttribute) -> Effect {
    match (old, new) {
        (_, SharingAttribute::NotShared) => Effect::Breaking,
        (SharingAttribute::Unconditional, SharingAttribute::Conditional) => Effect::Narrowing,
        (_, SharingAttribute::Unconditional | SharingAttribute::Conditional) => Effect::Compatible,
    }
}

fn more_is_narrowing<T: PartialOrd>(old: &T, new: &T) -> Effect {
    if new > old { Effect::Narrowing } else { Effect::Compatible }
}

fn secondary_keys(changes: &mut Changes, subject: &Subject, old: &Dataset, new: &Dataset) {
    for key in old.secondary_keys.iter().filter(|key| !new.is_key(key)) {
        changes.add(subject, Effect::Breaking, format!("records can no longer be looked up by {key}"));
    }
    for key in new.secondary_keys.iter().filter(|key| !old.is_key(key)) {
        changes.add(subject, Effect::Compatible, format!("records can be looked up by {key}"));
    }
}

fn status(changes: &mut Changes, subject: &Subject, old: Option<&Status>, new: Option<&Status>) {
    match (old, new) {
        (None, None) => {}
        (None, Some(status)) => {
            changes.add(subject, Effect::Narrowing, format!("status: records are told apart by {}", status.field));
        }
        (Some(status), None) => {
            changes.add(subject, Effect::Narrowing, format!("status: {} no longer tells records apart", status.field));
        }
        (Some(old), Some(new)) => {
            changes.turned(subject, "status field", (&old.field, &new.field), narrowing);
            let lost = old.ordinary.iter().any(|code| !new.ordinary.contains(code));
            let effect = if lost { Effect::Narrowing } else { Effect::Compatible };
            let ordinary = |status: &Status| status.ordinary.iter().cloned().collect::<BTreeSet<_>>();
            if ordinary(old) != ordinary(new) {
                let what = format!("ordinary states: {} -> {}", old.ordinary.join(", "), new.ordinary.join(", "));
                changes.add(subject, effect, what);
            }
        }
    }
}

fn fields(changes: &mut Changes, dataset: &DatasetId, old: &Dataset, new: &Dataset) {
    let by_name = |dataset: &'_ Dataset| -> BTreeMap<FieldName, Field> {
        dataset.fields.iter().map(|field| (field.name.clone(), field.clone())).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    for (name, pair) in pairs(&before, &after) {
        let subject = Subject::Field(dataset.clone(), name.clone());
        match pair {
            Pair::Removed(field) => {
                let near = likest(field, &before, &after);
                let near = near.map(|name| format!(" (renamed to {name}?)")).unwrap_or_default();
                changes.add(&subject, Effect::Breaking, format!("removed{near}"));
            }
            // A version that lacks the column is served all the same; only who asks for the new field waits for the next.
            Pair::Added(field) => {
                let what = format!("added ({}, {})", field.title.zh, field.kind.name());
                changes.add(&subject, Effect::Compatible, what);
            }
            Pair::Both(before, after) => field(changes, &subject, before, after),
        }
    }
}

/// The field that came in the place of one that went: same data element, or the same kind and nearly the same name.
fn likest<'n>(
    gone: &Field,
    before: &BTreeMap<FieldName, Field>,
    after: &'n BTreeMap<FieldName, Field>,
) -> Option<&'n FieldName> {
    const LIKENESS_MIN: f64 = 0.85;
    let came = || after.values().filter(|field| !before.contains_key(&field.name));
    let like = |field: &&Field| {
        field.kind.name() == gone.kind.name()
            && strsim::jaro_winkler(field.name.as_str(), gone.name.as_str()) >= LIKENESS_MIN
    };
    came().find(|field| field.element == gone.element).or_else(|| came().find(like)).map(|field| &field.name)
}

fn field(changes: &mut Changes, subject: &Subject, old: &Field, new: &Field) {
    changes.reworded(subject, "title", &old.title, &new.title);
    changes.turned(subject, "element", (&old.element, &new.element), compatible);
    kind(changes, subject, &old.kind, &new.kind);
    changes.turned(subject, "comparator", (old.comparator.word(), new.comparator.word()), narrowing);
    changes.turned(subject, "sensitivity", (old.sensitivity.level(), new.sensitivity.level()), more_is_narrowing);
    let (before, after) = (old.disclosure, new.disclosure);
    changes.turned(subject, "disclosure", (before.word(), after.word()), |_, _| less_disclosed(before, after));
    changes.turned(subject, "mask", (old.mask.word(), new.mask.word()), narrowing);
    changes.turned(subject, "required", (old.required, new.required), more_is_narrowing);
}

fn less_disclosed(old: Disclosure, new: Disclosure) -> Effect {
    let openness = |disclosure| match disclosure {
        Disclosure::Plain => 3,
        Disclosure::Masked => 2,
        Disclosure::CompareOnly => 1,
        Disclosure::AggregateOnly | Disclosure::JoinKeyOnly | Disclosure::Never => 0,
    };
    let lost = |may: fn(Disclosure) -> bool| may(old) && !may(new);
    let uses = [Disclosure::is_compared, Disclosure::is_told, Disclosure::is_join_key, Disclosure::in_aggregates];
    match openness(new) >= openness(old) {
        // From one of the narrow classes to another: what it was for, it no longer is.
        _ if uses.into_iter().any(lost) => Effect::Breaking,
        true => Effect::Compatible,
        false => Effect::Narrowing,
    }
}

fn kind(changes: &mut Changes, subject: &Subject, old: &FieldKind, new: &FieldKind) {
    match (old, new) {
        (FieldKind::Text { chars_max: old }, FieldKind::Text { chars_max: new }) => {
            changes.turned(subject, "chars_max", (old, new), |old, new| more_is_narrowing(new, old));
        }
        (FieldKind::Code { values: old }, FieldKind::Code { values: new }) => codes(changes, subject, old, new),
        _ => changes.turned(subject, "kind", (old.name(), new.name()), breaking),
    }
}

fn codes(changes: &mut Changes, subject: &Subject, old: &[(String, String)], new: &[(String, String)]) {
    let missing = |from: &[(String, String)], of: &[(String, String)]| -> Vec<String> {
        of.iter().map(|(code, _)| code).filter(|code| !from.iter().any(|(one, _)| one == *code)).cloned().collect()
    };
    let some = |codes: &[String]| {
        let more = if codes.len() > CODES_SHOWN_MAX { " and more" } else { "" };
        format!("{}{more}", codes.iter().take(CODES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", "))
    };
    let (gone, came) = (missing(new, old), missing(old, new));
    if !gone.is_empty() {
        changes.add(subject, Effect::Narrowing, format!("codes removed: {}", some(&gone)));
    }
    if !came.is_empty() {
        changes.add(subject, Effect::Compatible, format!("codes added: {}", some(&came)));
    }
    let reworded = old.iter().filter(|(code, meaning)| new.iter().any(|(one, now)| one == code && now != meaning));
    let reworded: Vec<String> = reworded.map(|(code, _)| code.clone()).collect();
    if !reworded.is_empty() {
        changes.add(subject, Effect::Compatible, format!("meanings of codes changed: {}", some(&reworded)));
    }
}
