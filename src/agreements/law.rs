//! What an agreement may grant: the rules that hold for one from a file and for one that begins as an application.
//!
//! Pure; uses `catalog`. Each rule is one function that gives a [`Fault`] where it is broken.

use std::collections::BTreeSet;

use crate::{
    catalog::{Dataset, Disclosure, Field, Item, SharingAttribute},
    identifiers::{DepartmentId, FieldName},
};

/// A rule that is broken, and what to do about it.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// What a field is granted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Claims are held against it, or it names the subject.
    Compare,
    /// Its value is given out, or figures that it goes into.
    Disclose,
}

/// The dataset is shared at all.
pub(super) fn is_shared(dataset: &Dataset) -> Option<Fault> {
    (dataset.sharing.attribute == SharingAttribute::NotShared).then(|| Fault {
        message: format!("the dataset `{}` is not shared", dataset.id),
        remedy: "Remove the agreement",
    })
}

/// The item is the consumer's own.
pub(super) fn is_own_item(item: &Item, consumer: &DepartmentId) -> Option<Fault> {
    (item.department != *consumer).then(|| Fault {
        message: format!("the item is carried out by `{}`, not by `{consumer}`", item.department),
        remedy: "An agreement covers the consumer's own items only",
    })
}

/// The item needs the dataset, in one of its versions.
pub(super) fn is_served<'i>(versions: impl IntoIterator<Item = &'i Item>, dataset: &Dataset) -> Option<Fault> {
    let needs = |item: &Item| item.needed_fields(&dataset.id).next().is_some();
    (!versions.into_iter().any(needs)).then(|| Fault {
        message: format!("none of the item's materials needs the dataset `{}`", dataset.id),
        remedy: "Remove the item from the agreement",
    })
}

/// The field may be used in that way, and one of the items needs it (the law asks for the necessary, no more).
pub(super) fn may_be_granted(field: &Field, used_for: Use, needed: &BTreeSet<&FieldName>) -> Option<Fault> {
    let usable = match field.disclosure {
        Disclosure::Plain | Disclosure::Masked => true,
        Disclosure::CompareOnly | Disclosure::JoinKeyOnly => used_for == Use::Compare,
        Disclosure::AggregateOnly => used_for == Use::Disclose,
        Disclosure::Never => false,
    };
    if !usable {
        let remedy = match used_for {
            Use::Disclose => "Remove it, or grant it under `compare`",
            Use::Compare => "Remove it",
        };
        let message = format!("the catalogue does not let the field `{}` be used so", field.name);
        return Some(Fault { message, remedy });
    }
    (!needed.contains(&field.name)).then(|| Fault {
        message: format!("no item of the agreement needs the field `{}`", field.name),
        remedy: "Remove it, or add the item that needs it",
    })
}
