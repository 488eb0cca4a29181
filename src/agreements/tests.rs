//! Tests of `agreements`.

mod desk;
mod model;
mod office;

use proptest::prelude::*;

use super::*;

const HUKOU: &str = "11440100MB9YYY997R3440101001000";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn guangdong() -> Catalog {
    catalog::load(&root("catalogs/guangdong")).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// One agreement as it is written, with its days.
fn written(id: &str, valid_from: &str, valid_until: &str) -> String {
    format!(
        "  - id: {id}
    consumer: gz-administrative-approval
    dataset: natural-person
    items: [{HUKOU}]
    compare: [name, birth_date]
    disclose: [name]
    valid_from: {valid_from}
    valid_until: {valid_until}
    calls_per_second: 5
    calls_per_day: 100
"
    )
}

fn complaints(text: &str) -> Vec<String> {
    match load_from("a.yaml", text, &guangdong()) {
        Ok(_) => Vec::new(),
        Err(error) => error.complaints().iter().map(Complaint::to_string).collect(),
    }
}

#[test]
fn the_agreements_of_guangdong_fit_its_catalogue() {
    let catalog = guangdong();
    let agreements = match load(&root("catalogs/guangdong-agreements.yaml"), &catalog) {
        Ok(agreements) => agreements,
        Err(error) => panic!("{}", error.complaints().iter().map(|c| format!("{c}\n")).collect::<String>()),
    };
    let today = day("2026-11-24");
    let in_force = agreements.iter().filter(|agreement| agreement.is_in_force_on(today)).count();
    let ended = agreements.iter().filter(|agreement| agreement.valid_until < today).count();
    assert!(in_force >= 12 && ended >= 1, "{in_force} in force, {ended} ended");
    let (consumer, dataset) = ("gz-administrative-approval".parse().unwrap(), "natural-person".parse().unwrap());
    let found = agreements.find(&consumer, &dataset, &HUKOU.parse().unwrap(), today).unwrap();
    assert_eq!(found.id.as_str(), "agr-gz-hukou-person");
    assert_eq!(found.compare.len(), 6);
    let other = "gz-housing".parse().unwrap();
    assert!(agreements.find(&other, &dataset, &HUKOU.parse().unwrap(), today).is_none());
}

#[test]
fn the_one_in_force_is_found_else_the_last_that_ended_else_the_first_to_come() {
    let text = format!(
        "agreements:\n{}{}{}",
        written("third", "2027-01-01", "2027-12-31"),
        written("first", "2024-01-01", "2024-12-31"),
        written("second", "2025-06-01", "2025-12-31"),
    );
    let agreements = load_from("a.yaml", &text, &guangdong()).unwrap();
    let (consumer, dataset) = ("gz-administrative-approval".parse().unwrap(), "natural-person".parse().unwrap());
    for (today, expected) in [
        ("2023-12-31", "first"),
        ("2024-01-01", "first"),
        ("2025-01-01", "first"),
        ("2025-06-01", "second"),
        ("2026-11-24", "second"),
        ("2027-12-31", "third"),
        ("2030-01-01", "third"),
    ] {
        let found = agreements.find(&consumer, &dataset, &HUKOU.parse().unwrap(), day(today)).unwrap();
        assert_eq!(found.id.as_str(), expected, "on {today}");
    }
    let order: Vec<_> = agreements.iter().map(|agreement| agreement.id.as_str().to_owned()).collect();
    assert_eq!(order, ["third", "first", "second"]);
}

#[test]
fn an_agreement_grants_no_more_than_the_catalogue_allows_and_its_items_need() {
    for (old, new, expected) in [
        (
            "consumer: gz-administrative-approval",
            "consumer: gz-administrative-aproval",
            "3:15: agreements[0].consumer: unknown department `gz-administrative-aproval`. Did you mean `gz-administrative-approval`?",
        ),
        (
            "consumer: gz-administrative-approval",
            "consumer: gz-housing",
            "5:13: agreements[0].items[0]: the item is carried out by `gz-administrative-approval`, not by `gz-housing`",
        ),
        (
            "dataset: natural-person",
            "dataset: natural-persons",
            "4:14: agreements[0].dataset: unknown dataset `natural-persons`. Did you mean `natural-person`?",
        ),
        (
            HUKOU,
            "11440100MB9YYY997R3440101001999",
            "5:13: agreements[0].items[0]: unknown item `11440100MB9YYY997R3440101001999`. Did you mean",
        ),
        (
            HUKOU,
            "11440100MB9YYY997A3440101001000",
            "5:13: agreements[0].items[0]: `11440100MB9YYY997A3440101001000` is not accepted here",
        ),
        (
            "compare: [name, birth_date]",
            "compare: [name, birthdate]",
            "6:21: agreements[0].compare[1]: the dataset `natural-person` has no field `birthdate`. Did you mean `birth_date`?",
        ),
        (
            "compare: [name, birth_date]",
            "compare: [name, phone]",
            "6:21: agreements[0].compare[1]: no item of the agreement needs the field `phone`",
        ),
        (
            "compare: [name, birth_date]",
            "compare: [name, name]",
            "6:21: agreements[0].compare[1]: `name` stands twice in the list",
        ),
        (
            "disclose: [name]",
            "disclose: [marital_status]",
            "7:16: agreements[0].disclose[0]: the catalogue does not let the field `marital_status` be used so. Remove it, or grant it under `compare`",
        ),
        (
            "valid_until: 2027-12-31",
            "valid_until: 2020-12-31",
            "9:18: agreements[0].valid_until: `valid_until` 2020-12-31 lies before",
        ),
        ("calls_per_second: 5", "calls_per_second: 0", "10:23: agreements[0].calls_per_second: no call a second"),
        ("calls_per_day: 100", "calls_per_day: 0", "11:20: agreements[0].calls_per_day: no call a day"),
        (
            "calls_per_day: 100",
            "calls_per_day: -1",
            "11:20: agreements[0].calls_per_day: a whole number of fitting size is expected here",
        ),
        (
            "calls_per_day",
            "calls_per_dya",
            "11:5: agreements[0].calls_per_dya: unknown key `calls_per_dya`. Did you mean `calls_per_day`?",
        ),
        ("id: one", "id: One", "2:9: agreements[0].id: `One` is not accepted here"),
    ] {
        let text = format!("agreements:\n{}", written("one", "2025-01-01", "2027-12-31"));
        let came = complaints(&text.replacen(old, new, 1));
        assert!(came.iter().any(|c| c.starts_with(&format!("a.yaml:{expected}"))), "{old} -> {new}\n{came:#?}");
        // A wrong dataset or item leaves nothing that could be needed; all else stands alone.
        assert!(came.len() == 1 || old == HUKOU, "{old} -> {new}\n{came:#?}");
    }
}

#[test]
fn an_agreement_that_grants_nothing_or_covers_nothing_is_none() {
    let one = format!("agreements:\n{}", written("one", "2025-01-01", "2027-12-31"));
    let nothing = one.replace("    compare: [name, birth_date]\n    disclose: [name]\n", "");
    assert!(complaints(&nothing)[0].starts_with("a.yaml:2:9: agreements[0].id: the agreement grants no field"));
    let no_item = one.replace(HUKOU, "");
    assert!(complaints(&no_item)[0].starts_with("a.yaml:5:12: agreements[0].items: the list is empty"));
    let not_needed =
        one.replace("natural-person", "e-licence").replace("name, birth_date", "status").replace("[name]", "[]");
    assert!(complaints(&not_needed)[0].contains("none of the item's materials needs the dataset `e-licence`"));
}

#[test]
fn two_agreements_for_one_use_do_not_overlap() {
    let overlapping = format!(
        "agreements:\n{}{}",
        written("one", "2025-01-01", "2025-12-31"),
        written("two", "2025-12-31", "2026-12-31")
    );
    let came = complaints(&overlapping);
    assert_eq!(came.len(), 1, "{came:#?}");
    assert!(came[0].starts_with("a.yaml:18:17: agreements[1].valid_from: in force for the item"), "{came:#?}");
    assert!(came[0].contains("together with `one`, which ends on 2025-12-31"), "{came:#?}");
    let within = format!(
        "agreements:\n{}{}{}",
        written("long", "2025-01-01", "2027-12-31"),
        written("short", "2025-02-01", "2025-02-28"),
        written("later", "2026-01-01", "2026-12-31")
    );
    let came = complaints(&within);
    assert!(came.len() == 2 && came.iter().all(|complaint| complaint.contains("together with `long`")), "{came:#?}");
    let twice = format!(
        "agreements:\n{}{}",
        written("one", "2025-01-01", "2025-12-31"),
        written("one", "2026-01-01", "2026-12-31")
    );
    assert!(complaints(&twice)[0].starts_with("a.yaml:12:9: agreements[1].id: the agreement `one` is declared twice"));
}

#[test]
fn a_file_that_is_not_there_is_unreadable_and_says_which() {
    let error = load(Path::new("/nonexistent/agreements.yaml"), &guangdong()).unwrap_err();
    assert_eq!(error.code(), Code::StorageFailed);
    assert!(error.to_string().contains("/nonexistent/agreements.yaml"));
    let error = load_from("a.yaml", "agreements: 3", &guangdong()).unwrap_err();
    assert_eq!(error.code(), Code::CatalogInvalid);
    assert_eq!(
        error.to_string(),
        "the agreements do not hold together: a.yaml:1:13: agreements: a list is expected here. Correct the value"
    );
}

proptest! {
    #[test]
    fn random_text_never_panics(cut in 0..300usize, scrap in "[-:{}\\[\\]&*!|>'\"%@`#, \\n\\ta-z0-9]{0,12}") {
        let catalog = Catalog {
            nodes: Default::default(), departments: Default::default(), datasets: Default::default(),
            items: Default::default(), earlier_items: Default::default(), divisions: Default::default(),
        };
        let mut text = format!("agreements:\n{}", written("one", "2025-01-01", "2027-12-31"));
        let cut = cut.min(text.len());
        text.insert_str(cut, &scrap);
        if let Err(error) = load_from("p.yaml", &text, &catalog) {
            for complaint in error.complaints() {
                prop_assert!(complaint.line >= 1 && complaint.column >= 1, "{:?}", complaint);
            }
        }
    }
}

#[test]
fn the_committed_schema_is_that_of_the_program() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/agreements-schema.json");
    let committed: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap_or_default()).unwrap_or_default();
    let command = "shuqiao catalog schema --agreements > catalogs/agreements-schema.json";
    assert!(committed == super::json_schema(), "out of date. Run: {command}");
}
