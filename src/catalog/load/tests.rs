//! Tests of `load`.

use proptest::prelude::*;

use super::*;

/// A small catalogue with one of everything.
const SMALL: &str = include_str!("../check/small.yaml");

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
fn the_committed_schema_is_that_of_the_program() {
    let committed = fs::read_to_string(root("catalogs/schema.json")).unwrap_or_default();
    let committed: serde_json::Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(committed == json_schema(), "out of date. Run: shuqiao catalog schema > catalogs/schema.json");
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
