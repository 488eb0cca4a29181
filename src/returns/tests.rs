//! The cut over random registers, and what is taken of what comes.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    datatypes::{DataType, Field as Column, Schema},
};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::{
    catalog::{Catalog, Dataset, Return, Value},
    identifiers::{CallId, DivisionCode, FieldName, VersionNo},
    keys::{PublicKeys, SigningKey},
    policy::Obligations,
    verification::mask,
};

fn catalog() -> Catalog {
    crate::catalog::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong")).unwrap()
}

fn name(text: &str) -> FieldName {
    text.parse().unwrap()
}

fn shenzhen(fields: &[&str]) -> Return {
    Return {
        node: "shenzhen".parse().unwrap(),
        division: "440300".parse().unwrap(),
        department: "sz-government-services".parse().unwrap(),
        item: "11440300MB9Y03022Y3442035001000".parse().unwrap(),
        fields: fields.iter().map(|field| name(field)).collect(),
    }
}

fn terms(dataset: &Dataset, to: &Return, masked: &[&str], dropped: &[&str]) -> Result<Terms, ReturnError> {
    let names = |names: &[&str]| names.iter().map(|field| name(field)).collect::<BTreeSet<_>>();
    let obligations = Obligations { masked: names(masked), dropped: names(dropped), ..Obligations::default() };
    Terms::new(&"guangdong".parse().unwrap(), dataset, to, &obligations)
}

const FIELDS: [&str; 5] = ["resident_id", "name", "birth_date", "sex", "division"];

/// Key, name, division: one row of a register.
type Row = (String, Option<String>, Option<String>);

fn batch(rows: &[Row]) -> RecordBatch {
    let texts = |cells: Vec<Option<&str>>| Arc::new(StringArray::from(cells)) as ArrayRef;
    let columns = vec![
        texts(rows.iter().map(|row| Some(row.0.as_str())).collect()),
        texts(rows.iter().map(|row| row.1.as_deref()).collect()),
        texts(rows.iter().map(|row| row.2.as_deref()).collect()),
    ];
    let schema =
        Schema::new(["resident_id", "name", "division"].map(|name| Column::new(name, DataType::Utf8, true)).to_vec());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let place = prop_oneof![
        3 => Just(Some("440305".to_owned())),
        1 => Just(Some("440300".to_owned())),
        1 => Just(Some("440305007".to_owned())),
        3 => Just(Some("440106".to_owned())),
        1 => Just(Some("440000".to_owned())),
        1 => Just(Some("nowhere".to_owned())),
        1 => Just(None),
        2 => prop::sample::select(DivisionCode::all_known().collect::<Vec<_>>()).prop_map(|code| Some(code.to_string())),
    ];
    let name = prop::option::of("[张王李欧阳]{1}[一-龥]{1,3}");
    prop::collection::vec((0..10_000_u32, name, place), 0..60).prop_map(|rows| {
        let key = |(number, name, place)| (format!("K{number}"), name, place);
        rows.into_iter().map(key).collect()
    })
}

proptest! {
    #[test]
    fn exactly_the_rows_of_the_area_leave_and_of_them_what_the_terms_say(rows in rows(), masks: bool, tells_place: bool) {
        let catalog = catalog();
        let dataset = &catalog.datasets["natural-person"];
        let fields: &[&str] = if tells_place { &["resident_id", "name", "division"] } else { &["resident_id", "name"] };
        let masked: &[&str] = if masks { &["name"] } else { &[] };
        let terms = terms(dataset, &shenzhen(fields), masked, &[]).unwrap();
        let batch = batch(&rows);
        let cut = Cut::new(&terms, batch.schema_ref()).unwrap().cut(&batch).unwrap();

        let area: DivisionCode = "440300".parse().unwrap();
        let concerns = |row: &&Row| {
            let place = row.2.as_deref().and_then(|code| code.parse::<DivisionCode>().ok());
            place.is_some_and(|place| area.contains(&place.successor().unwrap_or(place)))
        };
        let expected: Vec<_> = rows.iter().filter(concerns).collect();
        prop_assert_eq!(cut.num_rows(), expected.len());
        prop_assert_eq!(cut.num_columns(), fields.len());
        for (at, row) in expected.iter().enumerate() {
            prop_assert_eq!(cut.column(0).as_string::<i32>().value(at), row.0.as_str());
            let shown = cut.column(1).as_string::<i32>();
            let style = dataset.field("name").unwrap().1.mask;
            let told = row.1.clone().map(|name| if masks { mask(style, &Value::Text(name)) } else { name });
            prop_assert_eq!(shown.is_valid(at).then(|| shown.value(at).to_owned()), told);
        }
    }
}

#[test]
fn what_cannot_be_masked_does_not_leave_and_nothing_leaves_without_the_key() {
    let catalog = catalog();
    let dataset = &catalog.datasets["natural-person"];
    let to = shenzhen(&FIELDS);
    let all = terms(dataset, &to, &["name", "birth_date"], &["sex"]).unwrap();
    assert_eq!(all.fields(), ["resident_id", "name", "division"].map(name), "a masked date is no date");
    assert_eq!(all.masked(), ["name"].map(name));
    for (masked, dropped) in [(&["resident_id"][..], &[][..]), (&[], &["resident_id"])] {
        let error = terms(dataset, &to, masked, dropped).unwrap_err();
        assert_eq!(error.code(), Code::Denied, "{error}");
    }
    let without = Dataset { division: None, ..Dataset::clone(dataset) };
    assert_eq!(terms(&without, &to, &[], &[]).unwrap_err().code(), Code::CatalogInvalid);
    // A register that is laid out otherwise than the catalogue says is not cut.
    let layout = Schema::new(vec![Column::new("resident_id", DataType::Utf8, true)]);
    assert!(matches!(Cut::new(&all, &layout), Err(ReturnError::Layout { .. })));
}

#[test]
fn a_cursor_is_of_a_version_and_of_the_terms_and_goes_only_forward() {
    let catalog = catalog();
    let dataset = &catalog.datasets["natural-person"];
    let to = shenzhen(&FIELDS);
    let whole = terms(dataset, &to, &[], &[]).unwrap();
    let less = terms(dataset, &to, &["name"], &[]).unwrap();
    let (one, two) = (whole.cursor(VersionNo(1)), whole.cursor(VersionNo(2)));
    let other = less.cursor(VersionNo(1));
    assert_eq!(one.to_string().parse::<Cursor>().unwrap(), one);
    for text in
        ["", "1", "1-", "-00", "01-0011223344556677", "1-00112233445566", "1-00112233445566FF", "1-0011223344556677x"]
    {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
    for (next, here, follows) in
        [(two, one, true), (one, two, false), (one, one, false), (other, one, true), (other, two, false)]
    {
        assert_eq!(next.follows(here), follows, "{next} after {here}");
    }
}

/// A slice of some rows, its manifest and the file as it is when it has arrived.
struct Sent {
    slice: Slice,
    manifest: Manifest,
    dir: tempfile::TempDir,
}

async fn sent(rows: &[Row], after: Option<Cursor>) -> Sent {
    let catalog = catalog();
    let dataset = &catalog.datasets["natural-person"];
    let terms = terms(dataset, &shenzhen(&["resident_id", "name"]), &[], &[]).unwrap();
    let (dir, batch) = (tempfile::tempdir().unwrap(), batch(rows));
    let cut = Cut::new(&terms, batch.schema_ref()).unwrap();
    let batches = futures::stream::iter([Ok(batch)]).boxed();
    let slice = spool(dir.path(), cut, batches).await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it has a name");
    let as_of: DateTime<Utc> = "2026-11-27T00:00:00Z".parse().unwrap();
    let manifest =
        Manifest::new(CallId::new(uuid::Uuid::nil()), &terms, &slice, (VersionNo(7), as_of), after, Utc::now());
    std::io::copy(&mut &slice.file, &mut std::fs::File::create(dir.path().join("slice.parquet")).unwrap()).unwrap();
    Sent { slice, manifest, dir }
}

fn some_rows() -> Vec<Row> {
    let row = |number: u32| {
        let place = if number.is_multiple_of(3) { "440305" } else { "440106" };
        (format!("K{number}"), Some("张三".to_owned()), Some(place.to_owned()))
    };
    (0..30).map(row).collect()
}

#[tokio::test]
async fn what_came_is_taken_only_if_it_is_what_was_signed() {
    let Sent { slice, manifest, dir } = sent(&some_rows(), None).await;
    let file = dir.path().join("slice.parquet");
    assert_eq!((slice.rows, slice.bytes), (10, std::fs::metadata(&file).unwrap().len()));
    check(&file, &manifest).unwrap();
    let reason = |manifest: &Manifest| check(&file, manifest).unwrap_err().to_string();
    assert!(reason(&Manifest { rows: 9, ..manifest.clone() }).contains("rows"));
    assert!(reason(&Manifest { bytes: manifest.bytes + 1, ..manifest.clone() }).contains("as long"));
    let mut bytes = std::fs::read(&file).unwrap();
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        assert!(reason(&manifest).contains("SHA-256"), "byte {at}");
        bytes[at] ^= 1;
    }
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(check(&file, &manifest).unwrap_err().code(), Code::ReturnInvalid);
}

#[tokio::test]
async fn a_manifest_holds_for_one_node_one_dataset_and_the_next_version() {
    let here: Cursor = "3-0011223344556677".parse().unwrap();
    let manifest = sent(&some_rows(), Some(here)).await.manifest;
    let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let keys = PublicKeys::new([key.public()]);
    let (from, to, dataset) =
        ("guangdong".parse().unwrap(), "shenzhen".parse().unwrap(), "natural-person".parse().unwrap());
    let area = "440300".parse().unwrap();
    let expected = Expected { from: &from, to: &to, area: &area, dataset: &dataset, after: Some(here) };
    let text = manifest.sign(&key).unwrap();
    assert_eq!(Manifest::verify(&text, &keys, expected).unwrap(), manifest);

    let refused = |text: &str, expected: Expected<'_>| {
        let error = Manifest::verify(text, &keys, expected).unwrap_err();
        assert_eq!(error.code(), Code::ReturnInvalid);
        error.to_string()
    };
    assert!(refused(&manifest.sign(&stranger).unwrap(), expected).contains("not in the key set"));
    assert!(refused("", expected).contains("compact JWS"));
    let other = "guangzhou".parse().unwrap();
    assert!(refused(&text, Expected { from: &other, ..expected }).contains("of another node"));
    assert!(refused(&text, Expected { to: &other, ..expected }).contains("for another node"));
    assert!(refused(&text, Expected { area: &"440100".parse().unwrap(), ..expected }).contains("another division"));
    assert!(
        refused(&text, Expected { dataset: &"legal-entity".parse().unwrap(), ..expected }).contains("another dataset")
    );
    assert!(refused(&text, Expected { after: None, ..expected }).contains("follows another version"));
    let older = Manifest { after: Some("8-0011223344556677".parse().unwrap()), ..manifest.clone() };
    let newer_here = Expected { after: older.after, ..expected };
    assert!(refused(&older.sign(&key).unwrap(), newer_here).contains("not newer"));
    let again = Manifest { after: Some(manifest.cursor), ..manifest.clone() };
    assert!(refused(&again.sign(&key).unwrap(), Expected { after: again.after, ..expected }).contains("not newer"));
    // Signed for something else by the very key.
    let receipt = crate::keys::jws::sign(&key, "receipt+jwt", &serde_json::to_vec(&manifest).unwrap());
    assert!(refused(&receipt, expected).contains("type"));
}

#[tokio::test]
async fn a_register_that_breaks_off_makes_no_slice() {
    let catalog = catalog();
    let terms = terms(&catalog.datasets["natural-person"], &shenzhen(&["resident_id"]), &[], &[]).unwrap();
    let (dir, batch) = (tempfile::tempdir().unwrap(), batch(&some_rows()));
    let cut = Cut::new(&terms, batch.schema_ref()).unwrap();
    let broken = EngineError::Unknown { dataset: terms.dataset.clone() };
    let batches = futures::stream::iter([Ok(batch), Err(broken)]).boxed();
    assert!(matches!(spool(dir.path(), cut, batches).await, Err(ReturnError::Read(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
