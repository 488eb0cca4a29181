//! What holds for any question, not only for those somebody thought of.

use std::{cell::Cell, collections::BTreeSet};

use cedar_policy::Schema;
use proptest::{
    prelude::*,
    sample::{Index, select, subsequence},
    test_runner::TestRunner,
};

use super::scene::{GUANGDONG, POLICIES, Scene, schema, set};
use crate::{
    catalog::{Dataset, Disclosure, SharingAttribute},
    identifiers::FieldName,
    policy::{Decision, Operation},
};

fn all_fields(dataset: &Dataset) -> Vec<FieldName> {
    dataset.fields.iter().map(|field| field.name.clone()).collect()
}

fn often() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.9)
}

/// Any item, mostly with its own department, an agreement that mostly covers it, and fields that it mostly needs: random
/// parts alone would nearly all be denied for the same reasons.
pub(super) fn scenes() -> impl Strategy<Value = Scene> {
    let items: Vec<_> = GUANGDONG.items.values().cloned().collect();
    (select(items), any::<Index>()).prop_flat_map(|(item, index)| {
        let datasets: BTreeSet<_> =
            item.materials.iter().flat_map(|m| &m.stand_ins).map(|s| s.dataset.clone()).collect();
        let own = index.get(&datasets.into_iter().collect::<Vec<_>>()).clone();
        let datasets: Vec<_> = GUANGDONG.datasets.values().cloned().collect();
        let dataset = prop_oneof![9 => Just(GUANGDONG.datasets[&own].clone()), 1 => select(datasets)];
        dataset.prop_flat_map(move |dataset| scene_of(item.clone(), dataset))
    })
}

fn scene_of(
    item: std::sync::Arc<crate::catalog::Item>,
    dataset: std::sync::Arc<Dataset>,
) -> impl Strategy<Value = Scene> {
    let every = all_fields(&dataset);
    let mut wished: Vec<_> = item.needed_fields(&dataset.id).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    wished.push(every[every.len() / 2].clone());
    let some = every.len() / 2..=every.len();
    let granted = || prop_oneof![Just(every.clone()), subsequence(every.clone(), some.clone())];
    let departments: Vec<_> = GUANGDONG.departments.values().cloned().collect();
    let own = GUANGDONG.departments[&item.department].clone();
    let whole = wished.len().min(3);
    (
        (any::<bool>(), prop_oneof![9 => Just(own), 1 => select(departments)], often(), often()),
        (granted(), granted(), often(), often(), often()),
        (subsequence(wished, 1..=whole), prop_oneof![9 => Just(dataset.key.clone()), 1 => select(every.clone())]),
        (any::<bool>(), -1..=1i64, 0..24u32, often()),
        (proptest::option::weighted(0.2, select(Disclosure::ALL)), any::<Index>()),
    )
        .prop_map(
            move |((verify, department, agreed, covers), grants, (fields, key), (case, days, hour, shared), class)| {
                let (compare, disclose, consumer, same, in_force) = grants;
                let mut scene = Scene::new();
                let mut agreement = scene.agreement.take().unwrap();
                agreement.compare = compare.into_iter().collect();
                agreement.disclose = disclose.into_iter().collect();
                agreement.items = if covers { [item.code.clone()].into() } else { BTreeSet::new() };
                agreement.dataset = if same { dataset.id.clone() } else { "elsewhere".parse().unwrap() };
                agreement.consumer = if consumer { department.id.clone() } else { "somebody".parse().unwrap() };
                if !in_force {
                    agreement.valid_until = scene.today - chrono::Days::new(1);
                }
                scene.operation = if verify { Operation::Verify } else { Operation::Disclose };
                scene.agreement = agreed.then_some(agreement);
                scene.dataset = (*dataset).clone();
                if !shared {
                    scene.dataset.sharing.attribute = SharingAttribute::NotShared;
                }
                scene.item = (*item).clone();
                scene.item.valid_until = Some(scene.today + chrono::Duration::days(days));
                (scene.department, scene.subject_field, scene.fields) = (department, key, fields);
                (scene.case_present, scene.hour) = (case, hour);
                if let (Some(class), field) = class {
                    let asked = [&scene.fields[..], &[scene.subject_field.clone()]].concat();
                    scene.declare(field.get(&asked).clone().as_str(), class);
                }
                scene
            },
        )
}

/// The rules once more, in Rust and by themselves.
fn may(scene: &Scene) -> bool {
    let Some(agreement) = &scene.agreement else { return false };
    let needed: BTreeSet<_> = scene.item.needed_fields(&scene.dataset.id).collect();
    let asked = || scene.fields.iter().chain([&scene.subject_field]);
    let declared = |name: &FieldName| scene.dataset.field(name.as_str()).unwrap().1;
    let granted = match scene.operation {
        Operation::Verify => &agreement.compare,
        Operation::Disclose => &agreement.disclose,
    };
    let may_leave = |name: &FieldName| match scene.operation {
        Operation::Verify => declared(name).disclosure.is_compared(),
        Operation::Disclose => declared(name).disclosure.is_told(),
    };
    // A compare-only key finds no values: that there are some would be told about it.
    let may_name = match (declared(&scene.subject_field).disclosure, scene.operation) {
        (Disclosure::CompareOnly, Operation::Disclose) => false,
        (class, _) => class.is_join_key(),
    };
    agreement.consumer == scene.department.id
        && agreement.dataset == scene.dataset.id
        && agreement.items.contains(&scene.item.code)
        && agreement.is_in_force_on(scene.today)
        && scene.item.is_in_force_on(scene.today)
        && scene.item.department == scene.department.id
        && scene.dataset.sharing.attribute != SharingAttribute::NotShared
        && asked().all(|name| needed.contains(name))
        && scene.fields.iter().all(may_leave)
        && may_name
        && scene.fields.iter().all(|name| granted.contains(name))
        && agreement.compare.contains(&scene.subject_field)
        && (scene.case_present || asked().all(|name| declared(name).sensitivity.level() < 4))
}

#[test]
fn a_question_is_allowed_exactly_within_item_agreement_and_catalogue() {
    let (allowed, denied) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1_000));
    runner
        .run(&scenes(), |scene| {
            let decision = scene.decided_by(&POLICIES);
            let count = if matches!(decision, Decision::Allow { .. }) { &allowed } else { &denied };
            count.set(count.get() + 1);
            prop_assert_eq!(matches!(decision, Decision::Allow { .. }), may(&scene), "{:?}", decision);
            Ok(())
        })
        .unwrap();
    // The law would hold of a generator that never makes an allowed question.
    assert!(allowed.get() > 20 && denied.get() > 20, "{} allowed, {} denied", allowed.get(), denied.get());
}

/// How little is shown of a field: plain, masked, nothing.
fn protection(scene: &Scene, decision: &Decision, name: &FieldName) -> u8 {
    match decision {
        Decision::Deny { .. } => 2,
        Decision::Allow { .. } if scene.operation == Operation::Verify => 2,
        Decision::Allow { obligations, .. } if obligations.dropped.contains(name) => 2,
        Decision::Allow { obligations, .. } => obligations.masked.contains(name).into(),
    }
}

fn protection_declared(scene: &Scene, name: &FieldName) -> u8 {
    match scene.dataset.field(name.as_str()).unwrap().1.disclosure {
        Disclosure::Plain => 0,
        Disclosure::Masked => 1,
        Disclosure::CompareOnly | Disclosure::AggregateOnly | Disclosure::JoinKeyOnly | Disclosure::Never => 2,
    }
}

fn level() -> impl Strategy<Value = Option<u8>> {
    proptest::option::of(1..=4u8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_policy_shows_more_of_a_field_than_the_catalogue(mask in level(), drop in level(), mut scene in scenes()) {
        let annotation = |kind: &str, level: Option<u8>| {
            level.map(|level| format!("@obligation_{kind}_sensitivity(\"{level}\")\n")).unwrap_or_default()
        };
        let (mask_said, drop_said) = (annotation("mask", mask), annotation("drop", drop));
        // As open as a set can be: it permits everything, and one more permit brings the obligations.
        let open = set(&format!(
            "@id(\"all\") @why(\"x\") permit (principal, action, resource);
            @id(\"more\") @why(\"x\") {mask_said} {drop_said} permit (principal, action, resource);"
        ));
        scene.disclose();
        scene.fields = all_fields(&scene.dataset);
        let decision = scene.decided_by(&open);
        prop_assert!(matches!(decision, Decision::Allow { .. }), "{:?}", decision);
        for field in &scene.dataset.fields {
            let protected = protection(&scene, &decision, &field.name);
            let sensitive = |from: Option<u8>| from.is_some_and(|from| field.sensitivity.level() >= from);
            let obliged = if sensitive(drop) { 2 } else { sensitive(mask).into() };
            prop_assert_eq!(protected, protection_declared(&scene, &field.name).max(obliged), "{}", field.name);
        }
    }

    #[test]
    fn every_question_is_what_the_schema_says(scene in scenes()) {
        let (schema, _) = Schema::from_cedarschema_str(&schema()).unwrap();
        let asked = scene.question().in_cedar(&POLICIES.names, Some(&schema));
        prop_assert!(asked.is_ok(), "{}", asked.err().unwrap_or_default());
    }

    #[test]
    fn the_same_question_has_the_same_answer(scene in scenes()) {
        prop_assert_eq!(scene.decided_by(&POLICIES), scene.decided_by(&POLICIES));
    }
}
