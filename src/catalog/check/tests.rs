//! Tests of `check`.

use super::super::{Complaint, load_from};

/// A small catalogue with one of everything.
const SMALL: &str = include_str!("small.yaml");

fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    match load_from(files) {
        Ok(_) => Vec::new(),
        Err(error) => error.complaints().iter().map(Complaint::to_string).collect(),
    }
}

/// The small catalogue with each first text replaced by the second; each of the complaints, in order, begins with what is
/// expected of it.
#[track_caller]
fn expect(changes: &[(&str, &str)], expected: &[&str]) {
    let mut text = SMALL.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "the small catalogue has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    let came = complaints(&[("c.yaml", &text)]);
    let fits =
        came.len() == expected.len() && came.iter().zip(expected).all(|(c, e)| c.starts_with(&format!("c.yaml:{e}")));
    assert!(fits, "{changes:#?}\ncame {came:#?}\nexpected {expected:#?}");
}

#[test]
fn the_small_catalogue_holds_together() {
    expect(&[], &[]);
}

#[test]
fn names_that_are_declared_nowhere_are_complained_about_with_the_nearest() {
    let cases: [(&str, &str, &str); 9] = [
        (
            "parent: province",
            "parent: provinze",
            "3:72: nodes[1].parent: unknown node `provinze`. Did you mean `province`?",
        ),
        ("node: city", "node: citi", "14:11: departments[1].node: unknown node `citi`. Did you mean `city`?"),
        (
            "division: \"440100\"\n",
            "division: \"440199\"\n",
            "13:15: departments[1].division: unknown division `440199`",
        ),
        (
            "provider: police",
            "provider: polize",
            "20:15: datasets[0].provider: unknown department `polize`. Did you mean `police`?",
        ),
        (
            "key: resident_id",
            "key: residentid",
            "24:10: datasets[0].key: unknown field `residentid`. Did you mean `resident_id`?",
        ),
        ("[name]", "[nam]", "25:22: datasets[0].secondary_keys[0]: unknown field `nam`. Did you mean `name`?"),
        (
            "field: status",
            "field: zzz",
            "26:22: datasets[0].status.field: unknown field `zzz`. Declare the field, or name another",
        ),
        (
            "department: window",
            "department: vvv",
            "74:17: items[0].department: unknown department `vvv`. Declare the department, or",
        ),
        (
            "dataset: people",
            "dataset: peopel",
            "81:24: items[0].materials[0].stand_ins[0].dataset: unknown dataset `peopel`. Did you mean `people`?",
        ),
    ];
    for (old, new, expected) in cases {
        expect(&[(old, new)], &[expected]);
    }
    expect(
        &[("fields: [resident_id, name]", "fields: [resident_id, nam]")],
        &[
            "81:54: items[0].materials[0].stand_ins[0].fields[1]: the dataset `people` has no field `nam`. Did you mean `name`?",
        ],
    );
}

#[test]
fn identifiers_must_be_valid_and_in_their_standard_spelling() {
    for (old, new, expected) in [
        (
            "11440100MB9YYY997R\n",
            "11440100MB9YYY997A\n",
            "12:18: departments[1].credit_code: `11440100MB9YYY997A` is not accepted here",
        ),
        (
            "11440000000999993T",
            "11440000000999993t",
            "7:18: departments[0].credit_code: `11440000000999993t` is not in its standard spelling. Write it as 11440000000999993T",
        ),
        (
            "code: 101001/000001",
            "code: 101001-1",
            "17:11: datasets[0].code: `101001-1` is not accepted here: a resource code has a slash",
        ),
        (
            "division: \"440000\"\n",
            "division: \"440102\"\n",
            "8:15: departments[0].division: the division `440102` has been abolished. Name 440104, which took its place",
        ),
        ("element: GMSFHM", "element: gmsfhm", "32:18: datasets[0].fields[0].element: `gmsfhm` is not the short name"),
        ("name: married", "name: Married", "47:15: datasets[0].fields[2].name: `Married` is not accepted here"),
        (
            "id: identity-card",
            "id: identity_card",
            "78:13: items[0].materials[0].id: `identity_card` is not accepted here",
        ),
        (
            "3440101001000",
            "7440101001000",
            "72:11: items[0].code: `11440100MB9YYY997R7440101001000` is not accepted here",
        ),
    ] {
        expect(&[(old, new)], &[expected]);
    }
    expect(
        &[("code: 11440100MB9YYY997R3440101001000", "code: \"440101001000\"")],
        &["72:11: items[0].code: `440101001000` is a basic code. Write the implementation code"],
    );
}

#[test]
fn nothing_is_declared_twice() {
    for (old, new, expected) in [
        ("name: married", "name: name", "47:15: datasets[0].fields[2].name: the field `name` is declared twice"),
        (
            "fields: [resident_id, name]",
            "fields: [name, name]",
            "81:47: items[0].materials[0].stand_ins[0].fields[1]: `name` stands twice in the list",
        ),
        (
            "secondary_keys: [name]",
            "secondary_keys: [name, name]",
            "25:28: datasets[0].secondary_keys[1]: `name` stands twice in the list",
        ),
        (
            "secondary_keys: [name]",
            "secondary_keys: [resident_id]",
            "25:22: datasets[0].secondary_keys[0]: the key is a secondary key as well",
        ),
        (
            "11440100MB9YYY997R\n",
            "11440000000999993T\n",
            "12:18: departments[1].credit_code: the credit code is already that of the department `police`",
        ),
    ] {
        expect(&[(old, new)], &[expected]);
    }
    let renamed = [("id: city", "id: province"), ("node: city", "node: province")];
    expect(
        &renamed,
        &[
            "3:11: nodes[1].id: the node `province` is declared twice. Rename or remove one; the first stands at c.yaml:2",
        ],
    );
    let twice = complaints(&[
        ("a.yaml", SMALL),
        ("b.yaml", "nodes:\n  - { id: city, name: { zh: 市, en: C }, division: \"440300\" }\n"),
    ]);
    assert_eq!(
        twice,
        [
            "b.yaml:2:11: nodes[0].id: the node `city` is declared twice. Rename or remove one; the first stands at a.yaml:3"
        ]
    );
}

#[test]
fn keys_and_states_are_fields_that_can_serve_as_such() {
    for (old, new, expected) in [
        (
            "disclosure: masked",
            "disclosure: never",
            "24:10: datasets[0].key: the key `resident_id` is a field that may `never` be used",
        ),
        ("mask: resident_id", "required: false", "24:10: datasets[0].key: the key `resident_id` is not required"),
        ("[name]", "[married]", "25:22: datasets[0].secondary_keys[0]: the key `married` does not name a subject"),
        (
            "[name]",
            "[secret]",
            "25:22: datasets[0].secondary_keys[0]: the key `secret` is a field that may `never` be used",
        ),
        (
            "[name]",
            "[name]\n    division: status",
            "26:15: datasets[0].division: the field `status` does not hold a division",
        ),
        (
            "disclosure: masked",
            "disclosure: aggregate_only",
            "24:10: datasets[0].key: the key `resident_id` is a field for statistics only",
        ),
        ("field: status", "field: name", "26:22: datasets[0].status.field: the status field is not of kind `code`"),
        (
            "ordinary: [\"0\"]",
            "ordinary: [\"1\"]",
            "26:41: datasets[0].status.ordinary[0]: the status field has no code `1`. It has `0`, `9`",
        ),
        ("ordinary: [\"0\"]", "ordinary: []", "26:40: datasets[0].status.ordinary: the list is empty"),
    ] {
        expect(&[(old, new)], &[expected]);
    }
    expect(&[("disclosure: masked", "disclosure: join_key_only")], &[]);
    let optional = [("sensitivity: 2\n", "sensitivity: 2\n        required: false\n")];
    expect(&optional, &["26:22: datasets[0].status.field: the status field is not required"]);
}

#[test]
fn comparator_mask_and_level_fit_the_field() {
    for (old, new, expected) in [
        (
            "comparator: code",
            "comparator: date",
            "34:21: datasets[0].fields[0].comparator: the comparator does not fit the kind of the field. Use `code` or `exact`",
        ),
        ("mask: name", "mask: name\n        required: true", ""),
        ("mask: name", "mask: phone", ""),
        (
            "mask: resident_id",
            "mask: phone",
            "37:15: datasets[0].fields[0].mask: the mask does not fit the kind of the field",
        ),
        (
            "disclosure: compare_only",
            "disclosure: plain",
            "53:21: datasets[0].fields[2].disclosure: a field at level 4 may not be disclosed `plain`",
        ),
        (
            "update_cycle: daily\n    sensitivity: 4",
            "update_cycle: daily\n    sensitivity: 5",
            "23:18: datasets[0].sensitivity: there is no level 5",
        ),
        (
            "chars_max: 50",
            "chars_max: 0",
            "42:20: datasets[0].fields[1].chars_max: a text of at most 0 characters cannot be kept",
        ),
        (
            "kind: text\n        chars_max: 50",
            "kind: text",
            "41:15: datasets[0].fields[1].kind: a field of kind `text` needs `chars_max`",
        ),
        (
            "kind: boolean",
            "kind: boolean\n        chars_max: 5",
            "51:20: datasets[0].fields[2].chars_max: only a field of kind `text` has `chars_max`",
        ),
        (
            "kind: boolean",
            "kind: boolean\n        codes: { a: b }",
            "51:16: datasets[0].fields[2].codes: only a field of kind `code` has `codes`",
        ),
        (
            "        codes: { \"0\": 正常, \"9\": 死亡 }\n",
            "",
            "66:15: datasets[0].fields[4].kind: a field of kind `code` needs `codes`",
        ),
        (
            "codes: { \"0\": 正常,",
            "codes: { \"0 \": 正常, \"0\": 好,",
            "67:18: datasets[0].fields[4].codes: `0 ` is not a code",
        ),
        ("\"9\": 死亡", "\"9\": \"\"", "67:32: datasets[0].fields[4].codes.9: the text is empty"),
        ("reject_share_max: 0.01", "reject_share_max: 1.5", "27:23: datasets[0].reject_share_max: 1.5 is not a share"),
        ("reject_share_max: 0.01", "reject_share_max: .nan", "27:23: datasets[0].reject_share_max: NaN is not a share"),
    ] {
        let expected: &[&str] = if expected.is_empty() { &[] } else { &[expected] };
        expect(&[(old, new)], expected);
    }
    let lower = [("update_cycle: daily\n    sensitivity: 4", "update_cycle: daily\n    sensitivity: 3")];
    expect(
        &lower,
        &[
            "52:22: datasets[0].fields[2].sensitivity: the field is at level 4, its dataset only at 3",
            "61:22: datasets[0].fields[3].sensitivity: the field is at level 4, its dataset only at 3",
        ],
    );
}

#[test]
fn what_is_not_freely_shared_says_why() {
    let conditional = "sharing: { attribute: conditional, ground: 仅限核验 }";
    for (new, expected) in [
        (
            "sharing: { attribute: conditional }",
            "21:27: datasets[0].sharing.attribute: a `conditional` dataset states no conditions",
        ),
        (
            "sharing: { attribute: not_shared }",
            "21:27: datasets[0].sharing.attribute: a `not_shared` dataset states no legal ground",
        ),
        ("sharing: { attribute: conditional, ground: \"\" }", "21:48: datasets[0].sharing.ground: the text is empty"),
        (
            "sharing: { attribute: not_shared, ground: 法律 }",
            "81:24: items[0].materials[0].stand_ins[0].dataset: the dataset `people` is not shared",
        ),
    ] {
        expect(&[(conditional, new)], &[expected]);
    }
    expect(&[(conditional, "sharing: { attribute: unconditional }")], &[]);
}

#[test]
fn an_item_is_its_departments_and_asks_for_what_may_be_used() {
    for (old, new, expected) in [
        (
            "department: window",
            "department: police",
            "72:11: items[0].code: the item code does not begin with the credit code of the department `police`. Begin it with 11440000000999993T",
        ),
        (
            "[resident_id, name]",
            "[resident_id, secret]",
            "81:54: items[0].materials[0].stand_ins[0].fields[1]: the field `secret` may never be used",
        ),
        ("[resident_id, name]", "[]", "81:40: items[0].materials[0].stand_ins[0].fields: the list is empty"),
        (
            "valid_until: 2026-12-31",
            "valid_until: 2024-12-31",
            "76:18: items[0].valid_until: `valid_until` 2024-12-31 lies before `valid_from` 2025-01-01",
        ),
        (
            "valid_from: 2025-01-01",
            "valid_from: 2025-1-1",
            "75:17: items[0].valid_from: `2025-1-1` is not a date. Write it as 2020-01-31",
        ),
        ("valid_from: 2025-01-01", "valid_from: 2025-02-29", "75:17: items[0].valid_from: `2025-02-29` is not a date"),
        ("en: Identity card", "en: \" \"", "79:30: items[0].materials[0].name.en: the text is empty"),
    ] {
        expect(&[(old, new)], &[expected]);
    }
}

#[test]
fn nodes_form_a_tree_over_divisions() {
    let circle = [
        ("division: \"440000\" }", "division: \"440000\", parent: city }"),
        ("division: \"440100\", parent", "division: \"440000\", parent"),
    ];
    expect(
        &circle,
        &[
            "2:80: nodes[0].parent: the node `province` stands above itself",
            "3:72: nodes[1].parent: the node `city` stands above itself",
        ],
    );
    let outside = [
        ("division: \"440000\" }", "division: \"440300\" }"),
        ("node: province", "node: city"),
        ("division: \"440000\"", "division: \"440100\""),
    ];
    expect(&outside, &["3:72: nodes[1].parent: the parent `province` does not cover division 440100"]);
    expect(
        &[("division: \"440000\"\n    node: province", "division: \"440000\"\n    node: city")],
        &["9:11: departments[0].node: the node `city` does not cover division 440000"],
    );
}

#[test]
fn everything_is_complained_about_at_once_in_the_order_of_the_file() {
    expect(
        &[
            ("node: city", "node: citi"),
            ("provider: police", "provider: polize"),
            ("[name]", "[nam]"),
            ("chars_max: 50", "chars_max: 0"),
        ],
        &["14:11: ", "20:15: ", "25:22: ", "42:20: "],
    );
}

#[test]
fn the_listing_says_what_the_guideline_asks_for() {
    for (old, new, expected) in [
        ("modes: [service_interface]", "modes: []", "28:41: datasets[0].listing.modes: the list is empty"),
        (
            "modes: [service_interface]",
            "modes: [file_download, file_download]",
            "28:57: datasets[0].listing.modes[1]: `file_download` stands twice in the list",
        ),
        (
            "opening: { attribute: not_open }",
            "opening: { attribute: conditional }",
            "28:84: datasets[0].listing.opening.attribute: a `conditional` opening states no conditions",
        ),
        (
            "opening: { attribute: not_open }",
            "opening: { attribute: open }",
            "28:84: datasets[0].listing.opening.attribute: the public would have what departments do not have",
        ),
        (
            "updated_on: 2026-01-05",
            "updated_on: 2025-01-05",
            "28:134: datasets[0].listing.updated_on: `updated_on` 2025-01-05 lies before `published_on` 2025-08-01",
        ),
        (
            "related: []",
            "related: [102001/000001]",
            "28:156: datasets[0].listing.related[0]: no dataset has the resource code `102001/000001`",
        ),
        (
            "related: []",
            "related: [101001/000001]",
            "28:156: datasets[0].listing.related[0]: the entry is related to itself",
        ),
        ("related: []", "related: [9/9]", "28:156: datasets[0].listing.related[0]: `9/9` is not accepted here"),
        ("code: 101001/000001", "code: 109001/000001", "17:11: datasets[0].code: `109001/000001` is not accepted here"),
    ] {
        expect(&[(old, new)], &[expected]);
    }
}

/// A further version of the item, in the last lines of the file.
fn second(version: &str, from: &str) -> String {
    format!(
        "
  - code: 11440100MB9YYY997R3440101001000
    {version}
    name: {{ zh: 户口迁入, en: Registration }}
    department: window
    valid_from: {from}
    materials:
      - id: identity-card
        name: {{ zh: 身份证, en: Identity card }}
        stand_ins:
          - {{ dataset: people, fields: [resident_id] }}
"
    )
}

#[test]
fn versions_of_an_item_follow_each_other() {
    let with = |version: &str, from: &str| complaints(&[("c.yaml", &format!("{SMALL}{}", second(version, from)))]);
    assert!(with("version: 2", "2027-01-01").is_empty());
    for (version, from, expected) in [
        ("version: 2", "2026-12-31", "valid_from: in force together with version 1, which ends on 2026-12-31"),
        ("version: 2", "2020-01-01", "valid_from: in force together with version 1"),
        ("version: 1", "2027-01-01", "code: the item `11440100MB9YYY997R3440101001000` is declared twice"),
        ("version: 0", "2027-01-01", "version: there is no version 0"),
    ] {
        let came = with(version, from);
        assert!(came.iter().any(|one| one.contains(&format!("items[1].{expected}"))), "{version} {from}: {came:#?}");
    }
}

#[test]
fn the_version_in_force_on_a_day_is_the_one_that_counts() {
    let text = format!("{SMALL}{}", second("version: 2", "2027-02-01"));
    let catalog = load_from([("c.yaml".to_owned(), text)]).unwrap();
    let code = "11440100MB9YYY997R3440101001000".parse().unwrap();
    assert_eq!((catalog.items[&code].version, catalog.versions(&code).count()), (2, 2));
    // Before both the first one; between them the one that has ended, so that a refusal can name it.
    for (day, version) in
        [("2020-01-01", 1), ("2026-12-31", 1), ("2027-01-15", 1), ("2027-02-01", 2), ("2030-01-01", 2)]
    {
        assert_eq!(catalog.item_on(&code, day.parse().unwrap()).unwrap().version, version, "{day}");
    }
    assert!(
        catalog.item_on(&"11440100MB9YYY997R3440101001999".parse().unwrap(), "2026-01-01".parse().unwrap()).is_none()
    );
}
