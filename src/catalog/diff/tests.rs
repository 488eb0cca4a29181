//! Tests of `diff`.

use proptest::prelude::*;

use super::*;
use crate::catalog::load_from;

const SMALL: &str = include_str!("../check/small.yaml");

fn catalog(text: &str) -> Catalog {
    load_from([("c.yaml".to_owned(), text.to_owned())]).unwrap_or_else(|error| panic!("{error}"))
}

fn changed(changes: &[(&str, &str)]) -> Catalog {
    let mut text = SMALL.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "the small catalogue has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    catalog(&text)
}

#[track_caller]
fn expect(changes: &[(&str, &str)], expected: &[&str]) {
    let came: Vec<String> = diff(&catalog(SMALL), &changed(changes)).iter().map(Change::to_string).collect();
    assert_eq!(came, expected, "{changes:#?}");
}

#[test]
fn each_change_is_named_with_what_it_does() {
    let married = "      - name: married
        title: { zh: 婚姻状况, en: Married }
        element: HYZK
        kind: boolean
        comparator: exact
        sensitivity: 4
        disclosure: compare_only
        required: false
";
    for (old, new, expected) in [
        ("zh: 人口,", "zh: 人口库,", "compatible  dataset people: name changed"),
        ("provider: police", "provider: window", "compatible  dataset people: provider: police -> window"),
        ("update_cycle: daily", "update_cycle: weekly", "compatible  dataset people: update_cycle: daily -> weekly"),
        ("ground: 仅限核验", "ground: 须核验", "compatible  dataset people: ground of sharing changed"),
        ("published_on: 2025-08-01", "published_on: 2025-08-02", "compatible  dataset people: listing changed"),
        (
            "secondary_keys: [name]",
            "secondary_keys: []",
            "breaking    dataset people: records can no longer be looked up by name",
        ),
        ("ordinary: [\"0\"]", "ordinary: [\"0\", \"9\"]", "compatible  dataset people: ordinary states: 0 -> 0, 9"),
        ("ordinary: [\"0\"]", "ordinary: [\"9\"]", "narrowing   dataset people: ordinary states: 0 -> 9"),
        ("chars_max: 50", "chars_max: 60", "compatible  field people.name: chars_max: 50 -> 60"),
        ("chars_max: 50", "chars_max: 40", "narrowing   field people.name: chars_max: 50 -> 40"),
        ("\"9\": 死亡 }", "\"9\": 死亡, \"1\": 注销 }", "compatible  field people.status: codes added: 1"),
        (", \"9\": 死亡 }", " }", "narrowing   field people.status: codes removed: 9"),
        ("\"9\": 死亡 }", "\"9\": 去世 }", "compatible  field people.status: meanings of codes changed: 9"),
        ("kind: boolean", "kind: date", ""),
        (
            "disclosure: compare_only",
            "disclosure: never",
            "breaking    field people.married: disclosure: compare_only -> never",
        ),
        (
            "disclosure: compare_only",
            "disclosure: masked",
            "compatible  field people.married: disclosure: compare_only -> masked",
        ),
        (
            "disclosure: compare_only",
            "disclosure: aggregate_only",
            "breaking    field people.married: disclosure: compare_only -> aggregate_only",
        ),
        (
            "disclosure: compare_only",
            "disclosure: join_key_only",
            "breaking    field people.married: disclosure: compare_only -> join_key_only",
        ),
        ("required: false", "required: true", "narrowing   field people.married: required: false -> true"),
        (married, "", "breaking    field people.married: removed"),
        (
            "[resident_id, name] }",
            "[resident_id] }",
            "breaking    item 11440100MB9YYY997R3440101001000: no longer needs people.name",
        ),
        (
            "[resident_id, name] }",
            "[resident_id, name, status] }",
            "compatible  item 11440100MB9YYY997R3440101001000: needs people.status",
        ),
        (
            "valid_until: 2026-12-31",
            "valid_until: 2026-06-30",
            "narrowing   item 11440100MB9YYY997R3440101001000: valid_until: 2026-12-31 -> 2026-06-30",
        ),
        (
            "en: Identity card",
            "en: Card of identity",
            "compatible  item 11440100MB9YYY997R3440101001000: materials changed",
        ),
        ("zh: 窗口", "zh: 办事窗口", "compatible  department window: name changed"),
    ] {
        if expected.is_empty() {
            continue;
        }
        expect(&[(old, new)], &[expected]);
    }
    let retyped = [("kind: boolean\n        comparator: exact", "kind: date\n        comparator: date")];
    expect(
        &retyped,
        &[
            "breaking    field people.married: kind: boolean -> date",
            "narrowing   field people.married: comparator: exact -> date",
        ],
    );
    let renamed = [("name: married", "name: marital_status")];
    expect(
        &renamed,
        &[
            "compatible  field people.marital_status: added (婚姻状况, boolean)",
            "breaking    field people.married: removed (renamed to marital_status?)",
        ],
    );
}

#[test]
fn a_second_version_of_an_item_is_an_addition() {
    let second = "
  - code: 11440100MB9YYY997R3440101001000
    version: 2
    name: { zh: 户口迁入, en: Registration }
    department: window
    valid_from: 2027-01-01
    materials:
      - id: identity-card
        name: { zh: 身份证, en: Identity card }
        stand_ins:
          - { dataset: people, fields: [resident_id] }
";
    let (old, new) = (catalog(SMALL), catalog(&format!("{SMALL}{second}")));
    let came = diff(&old, &new);
    assert_eq!(
        came.iter().map(Change::to_string).collect::<Vec<_>>(),
        ["compatible  item 11440100MB9YYY997R3440101001000 version 2: added (户口迁入)"]
    );
    assert_eq!(worst(&diff(&new, &old)), Some(Effect::Narrowing));
}

#[test]
fn what_is_removed_one_way_is_added_the_other_way() {
    let empty = catalog("nodes: []\n");
    let small = catalog(SMALL);
    let (there, back) = (diff(&empty, &small), diff(&small, &empty));
    assert_eq!(there.len(), 6, "{there:#?}");
    let subjects = |changes: &[Change]| changes.iter().map(|change| change.subject.clone()).collect::<Vec<_>>();
    assert_eq!(subjects(&there), subjects(&back));
    assert_eq!((worst(&there), worst(&back)), (Some(Effect::Compatible), Some(Effect::Breaking)));
    assert_eq!(worst(&diff(&small, &small)), None);
}

/// Harmless edits, any of which may be made.
const EDITS: &[(&str, &str)] = &[
    ("zh: 人口,", "zh: 人口库,"),
    ("chars_max: 50", "chars_max: 60"),
    ("update_cycle: daily", "update_cycle: weekly"),
    ("disclosure: compare_only", "disclosure: masked"),
    ("required: false", "required: true"),
    ("secondary_keys: [name]", "secondary_keys: []"),
    ("[resident_id, name] }", "[resident_id] }"),
    ("valid_until: 2026-12-31", "valid_until: 2027-12-31"),
    ("zh: 窗口", "zh: 办事窗口"),
    (", parent: province", ""),
];

proptest! {
    #[test]
    fn a_difference_is_found_from_either_side_and_none_where_there_is_none(one in proptest::collection::vec(any::<bool>(), EDITS.len()), other in proptest::collection::vec(any::<bool>(), EDITS.len())) {
        let made = |chosen: &[bool]| {
            let edits: Vec<_> = EDITS.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(edit, _)| *edit).collect();
            changed(&edits)
        };
        let (a, b) = (made(&one), made(&other));
        let subjects = |changes: Vec<Change>| changes.into_iter().map(|change| change.subject).collect::<Vec<_>>();
        let (there, back) = (subjects(diff(&a, &b)), subjects(diff(&b, &a)));
        prop_assert_eq!(there.is_empty(), one == other);
        prop_assert_eq!(there, back);
        prop_assert!(diff(&a, &a).is_empty());
    }
}
