use proptest::prelude::*;

use super::*;

/// A small catalogue with one of everything.
const SMALL: &str = include_str!("small.yaml");

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

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
fn the_catalogue_of_guangdong_holds_together() {
    let catalog = match load(&root("catalogs/guangdong")) {
        Ok(catalog) => catalog,
        Err(error) => panic!("{}", error.complaints().iter().map(|c| format!("{c}\n")).collect::<String>()),
    };
    let ids: Vec<_> = catalog.datasets.keys().map(|id| id.as_str()).collect();
    assert_eq!(ids, ["e-licence", "legal-entity", "natural-person", "social-credit"]);
    let today = "2026-11-24".parse().unwrap();
    let (in_force, others): (Vec<_>, Vec<_>) = catalog.items.values().partition(|item| item.is_in_force_on(today));
    let departments: std::collections::BTreeSet<_> = in_force.iter().map(|item| &item.department).collect();
    assert!(in_force.len() >= 20 && departments.len() >= 10 && others.len() >= 2);
    let hukou = &catalog.items[&"11440100MB9YYY997R3440101001000".parse().unwrap()];
    let needed: Vec<_> = hukou.needed_fields(&"natural-person".parse().unwrap()).map(|field| field.as_str()).collect();
    assert_eq!(needed, ["resident_id", "name", "birth_date", "sex", "division", "status"]);
    assert!(catalog.divisions[&"440107".parse().unwrap()].abolished);
    assert_eq!(catalog.divisions[&"440100".parse().unwrap()].name, "广州市");
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    for (file, schema, command) in [
        ("catalogs/schema.json", json_schema(), "shuqiao catalog schema > catalogs/schema.json"),
        (
            "catalogs/agreements-schema.json",
            crate::agreements::json_schema(),
            "shuqiao catalog schema --agreements > catalogs/agreements-schema.json",
        ),
    ] {
        let committed = fs::read_to_string(root(file)).unwrap_or_default();
        let committed: serde_json::Value = serde_json::from_str(&committed).unwrap_or_default();
        assert!(committed == schema, "{file} is out of date. Run: {command}");
    }
}

#[test]
fn every_file_names_its_schema_for_editors() {
    for entry in fs::read_dir(root("catalogs/guangdong")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("# yaml-language-server: $schema=../schema.json\n"), "{}", path.display());
        }
    }
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
            "73:17: items[0].department: unknown department `vvv`. Declare the department, or",
        ),
        (
            "dataset: people",
            "dataset: peopel",
            "80:24: items[0].materials[0].stand_ins[0].dataset: unknown dataset `peopel`. Did you mean `people`?",
        ),
    ];
    for (old, new, expected) in cases {
        expect(&[(old, new)], &[expected]);
    }
    expect(
        &[("fields: [resident_id, name]", "fields: [resident_id, nam]")],
        &[
            "80:54: items[0].materials[0].stand_ins[0].fields[1]: the dataset `people` has no field `nam`. Did you mean `name`?",
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
        ("code: 101001/000001", "code: 101001-1", "17:11: datasets[0].code: `101001-1` is not a resource code"),
        (
            "division: \"440000\"\n",
            "division: \"440102\"\n",
            "8:15: departments[0].division: the division `440102` has been abolished. Name 440104, which took its place",
        ),
        ("element: GMSFHM", "element: gmsfhm", "31:18: datasets[0].fields[0].element: `gmsfhm` is not the short name"),
        ("name: married", "name: Married", "46:15: datasets[0].fields[2].name: `Married` is not accepted here"),
        (
            "id: identity-card",
            "id: identity_card",
            "77:13: items[0].materials[0].id: `identity_card` is not accepted here",
        ),
        (
            "3440101001000",
            "7440101001000",
            "71:11: items[0].code: `11440100MB9YYY997R7440101001000` is not accepted here",
        ),
    ] {
        expect(&[(old, new)], &[expected]);
    }
    expect(
        &[("code: 11440100MB9YYY997R3440101001000", "code: \"440101001000\"")],
        &["71:11: items[0].code: `440101001000` is a basic code. Write the implementation code"],
    );
}

#[test]
fn nothing_is_declared_twice() {
    for (old, new, expected) in [
        ("name: married", "name: name", "46:15: datasets[0].fields[2].name: the field `name` is declared twice"),
        (
            "fields: [resident_id, name]",
            "fields: [name, name]",
            "80:47: items[0].materials[0].stand_ins[0].fields[1]: `name` stands twice in the list",
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
        ("field: status", "field: name", "26:22: datasets[0].status.field: the status field is not of kind `code`"),
        (
            "ordinary: [\"0\"]",
            "ordinary: [\"1\"]",
            "26:41: datasets[0].status.ordinary[0]: the status field has no code `1`. Its codes are `0`, `9`",
        ),
        ("ordinary: [\"0\"]", "ordinary: []", "26:40: datasets[0].status.ordinary: the list is empty"),
    ] {
        expect(&[(old, new)], &[expected]);
    }
    let optional = [("sensitivity: 2\n", "sensitivity: 2\n        required: false\n")];
    expect(&optional, &["26:22: datasets[0].status.field: the status field is not required"]);
}

#[test]
fn comparator_mask_and_level_fit_the_field() {
    for (old, new, expected) in [
        (
            "comparator: code",
            "comparator: date",
            "33:21: datasets[0].fields[0].comparator: the comparator does not fit the kind of the field. Use `code` or `exact`",
        ),
        ("mask: name", "mask: name\n        required: true", ""),
        ("mask: name", "mask: phone", ""),
        (
            "mask: resident_id",
            "mask: phone",
            "36:15: datasets[0].fields[0].mask: the mask does not fit the kind of the field",
        ),
        (
            "disclosure: compare_only",
            "disclosure: plain",
            "52:21: datasets[0].fields[2].disclosure: a field at level 4 may not be disclosed `plain`",
        ),
        (
            "update_cycle: daily\n    sensitivity: 4",
            "update_cycle: daily\n    sensitivity: 5",
            "23:18: datasets[0].sensitivity: there is no level 5",
        ),
        (
            "chars_max: 50",
            "chars_max: 0",
            "41:20: datasets[0].fields[1].chars_max: a text of at most 0 characters cannot be kept",
        ),
        (
            "kind: text\n        chars_max: 50",
            "kind: text",
            "40:15: datasets[0].fields[1].kind: a field of kind `text` needs `chars_max`",
        ),
        (
            "kind: boolean",
            "kind: boolean\n        chars_max: 5",
            "50:20: datasets[0].fields[2].chars_max: only a field of kind `text` has `chars_max`",
        ),
        (
            "kind: boolean",
            "kind: boolean\n        codes: { a: b }",
            "50:16: datasets[0].fields[2].codes: only a field of kind `code` has `codes`",
        ),
        (
            "        codes: { \"0\": 正常, \"9\": 死亡 }\n",
            "",
            "65:15: datasets[0].fields[4].kind: a field of kind `code` needs `codes`",
        ),
        (
            "codes: { \"0\": 正常,",
            "codes: { \"0 \": 正常, \"0\": 好,",
            "66:18: datasets[0].fields[4].codes: `0 ` is not a code",
        ),
        ("\"9\": 死亡", "\"9\": \"\"", "66:32: datasets[0].fields[4].codes.9: the text is empty"),
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
            "51:22: datasets[0].fields[2].sensitivity: the field is at level 4, its dataset only at 3",
            "60:22: datasets[0].fields[3].sensitivity: the field is at level 4, its dataset only at 3",
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
            "80:24: items[0].materials[0].stand_ins[0].dataset: the dataset `people` is not shared",
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
            "71:11: items[0].code: the item code does not begin with the credit code of the department `police`. Begin it with 11440000000999993T",
        ),
        (
            "[resident_id, name]",
            "[resident_id, secret]",
            "80:54: items[0].materials[0].stand_ins[0].fields[1]: the field `secret` may never be used",
        ),
        ("[resident_id, name]", "[]", "80:40: items[0].materials[0].stand_ins[0].fields: the list is empty"),
        (
            "valid_until: 2026-12-31",
            "valid_until: 2024-12-31",
            "75:18: items[0].valid_until: `valid_until` 2024-12-31 lies before `valid_from` 2025-01-01",
        ),
        (
            "valid_from: 2025-01-01",
            "valid_from: 2025-1-1",
            "74:17: items[0].valid_from: `2025-1-1` is not a date. Write it as 2020-01-31",
        ),
        ("valid_from: 2025-01-01", "valid_from: 2025-02-29", "74:17: items[0].valid_from: `2025-02-29` is not a date"),
        ("en: Identity card", "en: \" \"", "78:30: items[0].materials[0].name.en: the text is empty"),
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
        &["14:11: ", "20:15: ", "25:22: ", "41:20: "],
    );
}

#[test]
fn a_shape_that_does_not_fit_is_complained_about_in_its_place() {
    for (text, expected) in [
        ("nodes:\n  - id: a\n    nme: x\n", "3:5: nodes[0].nme: unknown key `nme`. Did you mean `name`?"),
        ("nodes:\n  - id: a\n", "2:5: nodes[0]: the key `name` is missing. Add `name`"),
        ("nodes: 3\n", "1:8: nodes: a list is expected here. Correct the value"),
        ("nodes:\n  - a\n", "2:5: nodes[0]: a mapping is expected here. Correct the value"),
        ("- a\n", "1:1: a mapping is expected here. Correct the value"),
        (
            "datasets:\n  - id: x\n    update_cycle: dayly\n",
            "3:19: datasets[0].update_cycle: unknown value `dayly`. Did you mean `daily`?",
        ),
        ("a: []", "1:1: unknown key `a`. The keys here are `nodes`, `departments`, `datasets`, `items`"),
        ("nodes: []\nnodes: []\n", "2:1: the key `nodes` stands twice. Remove one of the two"),
        (
            "items:\n  - code: x\n    valid_from:\n",
            "3:15: items[0].valid_from: a text is expected here, there is none. Write it",
        ),
        ("items:\n  - code: !!int 7\n", "2:17: items[0].code: tags (`!`) are not read. Remove the tag"),
        (
            "datasets:\n  - sensitivity: 900\n",
            "2:18: datasets[0].sensitivity: a whole number of fitting size is expected here. Correct the value",
        ),
        ("nodes: []\n---\nnodes: []\n", "3:1: the file holds more than one document. Keep one document a file"),
        ("nodes:\n  - <<: {id: 3}\n", "2:5: merge keys (`<<`) are not read. Spell the keys out"),
        ("nodes: [", "1:8: the file cannot be read: "),
        ("nodes: [*a]", "1:9: the file cannot be read: alias references unknown anchor. Correct the YAML"),
    ] {
        let came = complaints(&[("f.yaml", text)]);
        assert!(came.len() == 1 && came[0].starts_with(&format!("f.yaml:{expected}")), "{text:?}\n{came:#?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let broken = SMALL.replacen("departments:", "departmnts:", 1);
    let other = "items:\n  - code: 11440100MB9YYY997R3440101001000\n    name: { zh: 项, en: \"\" }\n    department: window\n    valid_from: 2025-01-01\n    materials: []\n";
    let came = complaints(&[("a.yaml", &broken), ("b.yaml", other)]);
    // `window` is declared in the file that could not be read: nothing can be said about it.
    assert_eq!(came.len(), 3, "{came:#?}");
    assert!(
        came[0].starts_with("a.yaml:4:1: ") && came[0].contains("`departmnts`. Did you mean `departments`?"),
        "{came:#?}"
    );
    assert!(came[1].starts_with("b.yaml:3:") && came[2].starts_with("b.yaml:6:"), "{came:#?}");
}

#[test]
fn hostile_files_end_in_a_complaint() {
    let doubling: String = (1..40).map(|level| format!("  - &a{level} [*a{}, *a{}]\n", level - 1, level - 1)).collect();
    let anchored = format!("nodes:\n  - &a0 [x]\n{doubling}");
    for (what, text) in [
        ("deep flow lists", "[".repeat(100_000)),
        ("deep mappings", (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("deep lists on one line", "- ".repeat(100_000)),
        ("aliases that double", anchored),
        ("many nodes", format!("nodes: [{}]", "a, ".repeat(200_000))),
        ("a large file", "#".repeat(yaml::FILE_BYTES_MAX + 1)),
        ("a long key", format!("{}: 1", "k".repeat(500_000))),
        ("a long scalar", format!("nodes: [\"{}\"]", "k".repeat(500_000))),
        ("question marks", "? ".repeat(100_000)),
    ] {
        let came = complaints(&[("h.yaml", &text)]);
        assert_eq!(came.len(), 1, "{what}");
        assert!(came[0].len() < 600, "{what}: {}", came[0].len());
    }
}

#[test]
fn thousands_of_wrong_names_do_not_take_forever() {
    let nodes: String = (0..4_000)
        .map(|n| format!("  - {{ id: n{n}, name: {{ zh: 节, en: N }}, division: \"440000\", parent: m{n} }}\n"))
        .collect();
    assert_eq!(complaints(&[("n.yaml", &format!("nodes:\n{nodes}"))]).len(), 4_000);
    let chain: String = (0..4_000)
        .map(|n| {
            format!(
                "  - {{ id: n{n}, name: {{ zh: 节, en: N }}, division: \"440000\", parent: n{} }}\n",
                (n + 1) % 4_000
            )
        })
        .collect();
    assert_eq!(complaints(&[("n.yaml", &format!("nodes:\n{chain}"))]).len(), 4_000);
}

#[test]
fn a_directory_is_read_with_those_below_it() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(load(directory.path()), Err(CatalogError::Absent { .. })));
    assert!(matches!(load(&directory.path().join("nothing")), Err(CatalogError::Unreadable { .. })));
    let below = directory.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("small.yaml"), SMALL).unwrap();
    fs::write(directory.path().join("notes.txt"), "nodes: 3").unwrap();
    assert_eq!(load(directory.path()).unwrap().nodes.len(), 2);
    fs::write(directory.path().join("large.yaml"), "#".repeat(yaml::FILE_BYTES_MAX + 10)).unwrap();
    let error = load(directory.path()).unwrap_err();
    assert!(error.to_string().contains("larger than") && error.code() == Code::CatalogInvalid, "{error}");
    fs::create_dir_all(directory.path().join("1/2/3/4/5")).unwrap();
    assert!(matches!(load(directory.path()), Err(CatalogError::TooManyFiles { .. })));
}

/// One edit of a text: cut out, put in, or doubled, at character positions.
#[derive(Clone, Debug)]
enum Edit {
    Cut(usize, usize),
    Put(usize, String),
    Double(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..SMALL.chars().count();
    let scraps = "[-:{}\\[\\]&*!|>'\"%@`#, \n\t0-9a-z]{1,4}|resident_id|never|\\PC{1,3}";
    prop_oneof![
        (at(), 1..60usize).prop_map(|(at, length)| Edit::Cut(at, length)),
        (at(), scraps).prop_map(|(at, text)| Edit::Put(at, text)),
        (at(), 1..400usize).prop_map(|(at, length)| Edit::Double(at, length)),
    ]
}

fn edited(text: &str, edit: &Edit) -> String {
    let characters: Vec<char> = text.chars().collect();
    let split = |at: usize, length: usize| {
        let at = at.min(characters.len());
        let end = (at + length).min(characters.len());
        (characters[..at].iter(), characters[at..end].iter(), characters[end..].iter())
    };
    match edit {
        Edit::Cut(at, length) => {
            let (before, _, after) = split(*at, *length);
            before.chain(after).collect()
        }
        Edit::Put(at, text) => {
            let (before, _, after) = split(*at, 0);
            before.copied().chain(text.chars()).chain(after.copied()).collect()
        }
        Edit::Double(at, length) => {
            let (before, twice, after) = split(*at, *length);
            before.chain(twice.clone()).chain(twice).chain(after).collect()
        }
    }
}

/// Whatever the text, the outcome is a catalogue or complaints that point into it, one line each.
fn ends_well(text: String) -> Result<(), TestCaseError> {
    let lines = u32::try_from(text.split('\n').count()).unwrap();
    let Err(error) = load_from([("p.yaml".to_owned(), text)]) else { return Ok(()) };
    prop_assert!(!error.complaints().is_empty());
    for complaint in error.complaints() {
        prop_assert!(complaint.line >= 1 && complaint.line <= lines + 1 && complaint.column >= 1, "{:?}", complaint);
        prop_assert!(!complaint.to_string().contains('\n') && !complaint.remedy.is_empty(), "{:?}", complaint);
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}|[-:{}\\[\\]&*!|>'\"%@`#, \n\ta-z0-9]{0,200}") {
        ends_well(text)?;
    }

    #[test]
    fn a_damaged_catalogue_never_panics(edits in proptest::collection::vec(edit(), 1..5)) {
        ends_well(edits.iter().fold(SMALL.to_owned(), |text, edit| edited(&text, edit)))?;
    }
}
