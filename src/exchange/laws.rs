//! The law of this node: what is compared or told lies within what the item needs and within what the agreement grants.
//!
//! Steps 2, 5 and 7 as a call takes them, with the policies that come with the program, over random departments, items,
//! fields and agreements: also agreements that no review would have granted and no file may declare, so that policy alone
//! is between them and the answer. That each of the checks is needed is proved by taking it away: without it the same
//! scenes break the law, so deleting it fails the first test.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, NaiveDate};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{
    body::{ClaimBody, ClaimVerdict},
    call::{Asked, Call, Question},
    fixtures::{FIRM, GUANGDONG, in_repository, today},
    shape,
};
use crate::{
    catalog::{Dataset, Department, Disclosure, Field, FieldKind, Item},
    engine::Found,
    identifiers::{FieldName, VersionNo},
    ledger::{Agreement, Budget, Standing},
    policy::{self, Decision, Manner, PolicySet},
    verification::{ClaimInput, Scalar},
};

const SCENES: usize = 6_000;

#[derive(Clone, Debug)]
struct Scene {
    department: usize,
    dataset: usize,
    item: usize,
    verify: bool,
    /// Of ten: how often the parts fit together as in an honest call.
    honest: [u32; 4],
    compare: u32,
    disclose: u32,
    asked: u32,
    standing: Standing,
    /// A class that one of the fields asked has, instead of its own.
    class: Option<Disclosure>,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let standing =
        prop_oneof![8 => Just(Standing::InForce), 1 => Just(Standing::Suspended), 1 => Just(Standing::Revoked)];
    let numbers = (0..100_usize, 0..100_usize, 0..100_usize, any::<bool>());
    let class = prop::option::of(prop::sample::select(Disclosure::ALL));
    (numbers, prop::array::uniform4(0..10_u32), any::<[u32; 3]>(), standing, class).prop_map(
        |(numbers, honest, masks, standing, class)| {
            let (department, dataset, item, verify) = numbers;
            let [compare, disclose, asked] = masks;
            Scene { department, dataset, item, verify, honest, compare, disclose, asked, standing, class }
        },
    )
}

/// What came of a scene: the fields that something was said about, and those that may be.
struct Told {
    said: BTreeSet<FieldName>,
    lawful: BTreeSet<FieldName>,
    own_item: bool,
    in_force: bool,
    /// The fields whose class allows what was done with them.
    fit: BTreeSet<FieldName>,
    /// Fields that policy let through and the answer withheld.
    withheld: usize,
}

impl Told {
    fn is_lawful(&self) -> bool {
        self.said.is_subset(&self.lawful) && self.said.is_subset(&self.fit) && self.own_item && self.in_force
    }
}

/// Put a scene on the road; nothing, where it was refused.
fn told(policies: &PolicySet, scene: &Scene) -> Option<Told> {
    let dataset = nth(GUANGDONG.datasets.values(), scene.dataset);
    let serving: Vec<&Arc<Item>> =
        GUANGDONG.items.values().filter(|item| needs(item, dataset).next().is_some()).collect();
    let item = match scene.honest[0] {
        0 => nth(GUANGDONG.items.values(), scene.item),
        _ => serving[scene.item % serving.len()],
    };
    let department = match scene.honest[1] {
        0 => nth(GUANGDONG.departments.values(), scene.department),
        _ => &GUANGDONG.departments[&item.department],
    };
    let needed: BTreeSet<FieldName> = needs(item, dataset).cloned().collect();
    let mut agreement = agreement(scene, department, dataset, item);
    let granted = if scene.verify { agreement.compare.clone() } else { agreement.disclose.clone() };
    let mut asked = chosen(dataset, scene.asked);
    match scene.honest[2] {
        0 => {}
        1 | 2 => asked.retain(|field| needed.contains(field)),
        3 | 4 => asked.retain(|field| granted.contains(field)),
        _ => asked.retain(|field| needed.contains(field) && granted.contains(field)),
    }
    agreement.compare.insert(dataset.key.clone());
    let granted = if scene.verify { agreement.compare.clone() } else { agreement.disclose.clone() };
    let mut call = Call::parse(&question(scene, dataset, item, &asked), &GUANGDONG, today()).ok()?;
    if let Some(class) = scene.class {
        classify(&mut call, class);
    }
    let dataset = &*call.dataset;
    let decision = policies.decide(&policy::Question {
        operation: call.operation(),
        client: &"window".parse().unwrap(),
        department,
        dataset,
        item,
        agreement: Some(&agreement),
        subject_field: &call.subject_field,
        fields: &call.fields,
        case_present: true,
        today: today(),
        hour: 10,
        suspicion: 0,
        origin: &department.node,
        manner: Manner::default(),
    });
    let Decision::Allow { obligations, .. } = decision else { return None };
    let (positions, columns) = shape::positions_to_read(&call, &obligations);
    let row = positions.iter().map(|&position| value(&dataset.fields[position])).collect();
    let found = Found { version: VersionNo(1), as_of: DateTime::UNIX_EPOCH, rows: vec![row] };
    let shaped = shape::shape(&call, &found, columns, &obligations);
    // Of a claim that is neither confirmed nor denied, nothing is said.
    let is_said = |claim: &ClaimBody| claim.result != ClaimVerdict::Indeterminate;
    let claims = shaped.claims.iter().flatten().filter(|(_, claim)| is_said(claim));
    let names = claims.map(|(name, _)| name);
    let may = |field: &&Field| match scene.verify {
        true => field.disclosure.is_compared(),
        false => field.disclosure.is_told(),
    };
    let said = names.chain(shaped.values.iter().flat_map(|values| values.keys())).map(|name| name.parse().unwrap());
    Some(Told {
        said: said.collect(),
        lawful: needed.intersection(&granted).cloned().collect(),
        fit: dataset.fields.iter().filter(may).map(|field| field.name.clone()).collect(),
        withheld: obligations.dropped.len(),
        own_item: item.department == department.id,
        in_force: agreement.is_in_force_on(today()) && item.is_in_force_on(today()),
    })
}

/// The first of the fields asked is of another class.
fn classify(call: &mut Call, class: Disclosure) {
    let Some(asked) = call.fields.first() else { return };
    let mut dataset = Dataset::clone(&call.dataset);
    dataset.fields.iter_mut().filter(|field| field.name == *asked).for_each(|field| field.disclosure = class);
    call.dataset = Arc::new(dataset);
}

/// An agreement that may grant anything, whether or not an item needs it.
fn agreement(scene: &Scene, consumer: &Department, dataset: &Dataset, item: &Item) -> Agreement {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    Agreement {
        id: "app-1".parse().unwrap(),
        consumer: consumer.id.clone(),
        dataset: dataset.id.clone(),
        items: [item.code.clone()].into(),
        compare: chosen(dataset, scene.compare),
        disclose: chosen(dataset, scene.disclose),
        valid_from: day("2026-01-01"),
        valid_until: day(if scene.honest[3] == 0 { "2026-06-30" } else { "2026-12-31" }),
        budget: Budget { calls_per_second: 1.try_into().unwrap(), calls_per_day: 1 },
        standing: scene.standing,
    }
}

fn question(scene: &Scene, dataset: &Dataset, item: &Item, asked: &BTreeSet<FieldName>) -> Question {
    let (_, key) = dataset.field(dataset.key.as_str()).unwrap();
    let claim = |name: &FieldName| {
        let (_, field) = dataset.field(name.as_str()).unwrap();
        (name.to_string(), vec![ClaimInput::Equals(Scalar::Text(specimen(field)))])
    };
    Question {
        dataset: dataset.id.to_string(),
        item: item.code.to_string(),
        case: Some("CASE-1".to_owned()),
        authority: None,
        consent: None,
        operator: None,
        approver: None,
        subject: vec![(dataset.key.to_string(), specimen(key))],
        asked: if scene.verify {
            Asked::Claims(asked.iter().map(claim).collect())
        } else {
            Asked::Fields(asked.iter().map(ToString::to_string).collect())
        },
    }
}

fn value(field: &Field) -> Option<crate::catalog::Value> {
    field.kind.parse(&specimen(field), today()).ok()
}

/// A text that the field can hold.
fn specimen(field: &Field) -> String {
    match &field.kind {
        FieldKind::ResidentId => "440100188912310015".to_owned(),
        FieldKind::CreditCode => FIRM.to_owned(),
        FieldKind::LicenceId => {
            "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I".to_owned()
        }
        FieldKind::Division => "440100".to_owned(),
        FieldKind::Text { .. } => "x".to_owned(),
        FieldKind::Code { values } => values[0].0.clone(),
        FieldKind::Date => "2020-01-31".to_owned(),
        FieldKind::Integer => "1".to_owned(),
        FieldKind::Boolean => "1".to_owned(),
    }
}

fn needs<'a>(item: &'a Item, dataset: &'a Dataset) -> impl Iterator<Item = &'a FieldName> {
    item.needed_fields(&dataset.id)
}

fn nth<T>(mut values: impl ExactSizeIterator<Item = T>, index: usize) -> T {
    let index = index % values.len();
    values.nth(index).unwrap()
}

fn chosen(dataset: &Dataset, mask: u32) -> BTreeSet<FieldName> {
    let fields = dataset.fields.iter().enumerate().filter(|(index, _)| mask >> (index % 32) & 1 == 1);
    fields.map(|(_, field)| field.name.clone()).collect()
}

fn played(policies: &PolicySet) -> Vec<Told> {
    let mut runner = TestRunner::deterministic();
    let scenes = scenes();
    (0..SCENES).filter_map(|_| told(policies, &scenes.new_tree(&mut runner).unwrap().current())).collect()
}

/// The policies that come with the program, without the one of that name.
fn without(id: &str) -> PolicySet {
    let folder = in_repository("policies");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut removed = 0;
    let mut sources = Vec::new();
    for name in names.filter(|name| name.ends_with(".cedar")) {
        let text = read(&name);
        let kept: Vec<&str> = text.split("\n\n").filter(|part| !part.contains(&format!("@id(\"{id}\")"))).collect();
        removed += text.split("\n\n").count() - kept.len();
        sources.push((name, kept.join("\n\n")));
    }
    assert_eq!(removed, 1, "the policy `{id}` is one paragraph of a file");
    let schema = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let schema =
        schema.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "cedarschema")).unwrap();
    PolicySet::from_sources(&std::fs::read_to_string(schema).unwrap(), &sources).unwrap()
}

#[test]
fn what_is_said_is_needed_by_the_item_and_granted_by_the_agreement() {
    let told = played(&PolicySet::load(&in_repository("policies")).unwrap());
    let spoke = told.iter().filter(|told| !told.said.is_empty()).count();
    assert!(spoke > SCENES / 50, "{spoke} answers are few to judge by");
    for told in told {
        assert!(told.is_lawful(), "said {:?}, lawful were {:?}", told.said, told.lawful);
    }
}

#[test]
fn without_any_one_of_the_checks_the_law_is_broken() {
    for id in [
        "fields-needed-by-item",
        "fields-agreed-for-comparison",
        "fields-agreed-for-disclosure",
        "agreement-in-force",
        "item-of-caller",
    ] {
        let broken = played(&without(id)).iter().filter(|told| !told.is_lawful()).count();
        assert!(broken > 0, "`{id}` could be deleted and nobody would see it");
    }
}

#[test]
fn a_class_is_kept_by_policy_and_again_by_the_answer() {
    // With all but the one policy gone that keeps a class, the obligations and the shape of the answer keep it.
    for id in ["never-fields", "compare-only-not-disclosed", "aggregate-only-not-asked", "join-key-only-not-asked"] {
        let told = played(&without(id));
        assert!(told.iter().any(|told| told.withheld > 0), "`{id}` was never needed");
        for told in told {
            assert!(told.is_lawful(), "without `{id}`: said {:?}, of fit {:?}", told.said, told.fit);
        }
    }
    // And with all of them there, nothing is left to the answer.
    let whole = played(&PolicySet::load(&in_repository("policies")).unwrap());
    assert!(whole.iter().all(|told| told.withheld == 0));
}
