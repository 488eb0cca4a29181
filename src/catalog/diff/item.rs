//! Service items, version by version.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::NaiveDate;

use super::{Changes, Effect, Pair, Subject, breaking, pairs};
use crate::{
    catalog::{Catalog, Item},
    identifiers::ItemCode,
};

pub(super) fn items(changes: &mut Changes, old: &Catalog, new: &Catalog) {
    let (before, after) = (versions(old), versions(new));
    for ((code, version), pair) in pairs(&before, &after) {
        let subject = Subject::Item((*code).clone(), *version);
        match pair {
            Pair::Removed(_) => {
                let (effect, what) = match new.items.contains_key(code) {
                    true => (Effect::Narrowing, "removed; other versions stay"),
                    false => (Effect::Breaking, "removed"),
                };
                changes.add(&subject, effect, what);
            }
            Pair::Added(item) => changes.add(&subject, Effect::Compatible, format!("added ({})", item.name.zh)),
            Pair::Both(before, after) => item(changes, &subject, before, after),
        }
    }
}

fn versions(catalog: &Catalog) -> BTreeMap<(&ItemCode, u32), &Arc<Item>> {
    let all =
        catalog.items.keys().flat_map(|code| catalog.versions(code).map(move |item| ((code, item.version), item)));
    all.collect()
}

fn item(changes: &mut Changes, subject: &Subject, old: &Item, new: &Item) {
    changes.reworded(subject, "name", &old.name, &new.name);
    changes.turned(subject, "department", (&old.department, &new.department), breaking);
    changes.turned(subject, "cross_region", (old.cross_region, new.cross_region), |_, new| shorter(!*new));
    changes.turned(subject, "valid_from", (old.valid_from, new.valid_from), |old, new| shorter(new > old));
    let until = |day: Option<NaiveDate>| day.map_or("open".to_owned(), |day| day.to_string());
    let (before, after) = (old.valid_until, new.valid_until);
    let is_shorter = after.is_some_and(|last| before.is_none_or(|before| last < before));
    changes.turned(subject, "valid_until", (until(before), until(after)), |_, _| shorter(is_shorter));
    needed(changes, subject, old, new);
}

fn shorter(is_shorter: bool) -> Effect {
    if is_shorter { Effect::Narrowing } else { Effect::Compatible }
}

/// What counts of materials is which fields the item needs: that is what an agreement may grant for its sake.
fn needed(changes: &mut Changes, subject: &Subject, old: &Item, new: &Item) {
    let of = |item: &Item| -> BTreeSet<String> {
        let stand_ins = item.materials.iter().flat_map(|material| &material.stand_ins);
        stand_ins.flat_map(|one| one.fields.iter().map(|field| format!("{}.{field}", one.dataset))).collect()
    };
    let (before, after) = (of(old), of(new));
    let named = |fields: Vec<&String>| fields.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let (gone, came) = (named(before.difference(&after).collect()), named(after.difference(&before).collect()));
    if !gone.is_empty() {
        changes.add(subject, Effect::Breaking, format!("no longer needs {gone}"));
    }
    if !came.is_empty() {
        changes.add(subject, Effect::Compatible, format!("needs {came}"));
    }
    if gone.is_empty() && came.is_empty() {
        changes.reworded(subject, "materials", &old.materials, &new.materials);
    }
}
