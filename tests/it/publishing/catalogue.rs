//! The engine follows a new catalogue, and serves no version that was published for another one.

use std::fs;

use shuqiao::{
    catalog::{self, Catalog, Sources, Value},
    engine::LookupError,
    publish::PublishError,
};

use super::{Bench, dataset, key};
use crate::support::{
    registers::{HEADER, csv, line, person, publish_file, publish_person_changes},
    root,
};

const FILE: &str = "natural-person.yaml";

/// The repository's catalogue with a change to the register of persons.
fn changed(old: &str, new: &str) -> Catalog {
    let sources = Sources::read(&root().join("catalogs/guangdong")).unwrap();
    let text = sources.files().find(|(name, _)| *name == FILE).unwrap().1.to_owned();
    assert!(text.contains(old), "{old}");
    let sources = sources.with([(FILE.to_owned(), Some(text.replacen(old, new, 1)))]).unwrap();
    catalog::load_from(sources.files().map(|(name, text)| (name.to_owned(), text.to_owned())))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A further optional field before the telephone.
const PHONE: &str = "      - name: phone\n";
const NICKNAME: &str = "      - name: nickname
        title: { zh: 别名, en: Nickname }
        element: BM
        kind: text
        chars_max: 20
        comparator: name
        sensitivity: 3
        disclosure: masked
        required: false
      - name: phone
";

#[tokio::test]
async fn a_field_that_came_later_has_no_value_and_the_others_keep_theirs() {
    let bench = Bench::new();
    bench.publish(&csv((0..5).map(person))).await.unwrap();
    let after = changed(PHONE, NICKNAME);
    assert!(bench.engine.take(&after).await.unwrap().is_empty());
    let (old, new) = (&bench.catalog.datasets["natural-person"], &after.datasets["natural-person"]);
    let someone = person(3);
    for dataset in [old, new] {
        // A call that was read under either catalogue names its own positions.
        let position = |name: &str| dataset.field(name).unwrap().0;
        let fields = [position("phone"), position("name"), position("status")];
        let found = bench.engine.look_up_in(dataset, &key(), someone.id.as_str(), &fields).await.unwrap();
        assert_eq!(found.rows[0][1], Some(Value::Text(someone.name.clone())));
        assert_eq!(found.rows[0][2], Some(Value::Text("0".to_owned())));
    }
    let nickname = new.field("nickname").unwrap().0;
    let found = bench.engine.look_up_in(new, &key(), someone.id.as_str(), &[nickname]).await.unwrap();
    assert_eq!(found.rows, [vec![None]]);
    assert_eq!(bench.count("select count(*) from \"natural-person\" where nickname is null").await, 5);
}

#[tokio::test]
async fn what_was_published_as_something_else_is_not_served_until_it_is_published_again() {
    let bench = Bench::new();
    bench.publish(&csv((0..5).map(person))).await.unwrap();
    let retyped = changed(
        "kind: text\n        chars_max: 20\n        comparator: code\n        sensitivity: 3\n        disclosure: masked\n        mask: phone",
        "kind: credit_code\n        comparator: code\n        sensitivity: 3\n        disclosure: masked\n        mask: whole",
    );
    // Its column was text then and is text now.
    let errors: Vec<_> = bench.engine.take(&retyped).await.unwrap().iter().map(ToString::to_string).collect();
    let errors = errors.join("\n");
    assert!(errors.contains("`phone` was published as text, the catalogue now says credit_code"), "{errors}");
    let looked = bench.engine.look_up(&dataset(), &key(), person(1).id.as_str(), &[0]).await;
    assert!(matches!(looked, Err(LookupError::NotPublished { .. })), "{looked:?}");
    assert!(bench.engine.serving(&dataset()).is_none());
    let old = &bench.catalog.datasets["natural-person"];
    let phone = old.field("phone").unwrap().0;
    let looked = bench.engine.look_up_in(old, &key(), person(1).id.as_str(), &[phone]).await;
    assert!(matches!(looked, Err(LookupError::Changed { .. })), "{looked:?}");

    let tables = bench.dir.path().join("tables");
    let changes = bench.dir.path().join("changes.csv");
    fs::write(&changes, format!("{HEADER},_change\n{},upsert\n", line(&person(1)))).unwrap();
    let unfit = publish_person_changes(&retyped, &tables, &changes).await.unwrap_err();
    assert!(matches!(unfit, PublishError::UnfitBase { .. }) && unfit.to_string().contains("`phone`"), "{unfit}");

    // Published whole, under the catalogue as it was at first: served again once that is back.
    assert!(bench.engine.take(&bench.catalog).await.unwrap().is_empty());
    bench.publish(&csv((0..5).map(person))).await.unwrap();
    assert_eq!(bench.name_of(&person(1)).await, Some(person(1).name));
}

#[tokio::test]
async fn datasets_come_and_go_while_the_others_are_served() {
    let bench = Bench::new();
    bench.publish(&csv((0..5).map(person))).await.unwrap();
    let text = |name: &str| fs::read_to_string(root().join("catalogs/guangdong").join(name)).unwrap();
    let fewer = ["nodes.yaml", "departments.yaml", FILE].map(|name| (name.to_owned(), text(name)));
    let fewer = fewer.map(|(name, text)| (name, without_related(&text)));
    let fewer = catalog::load_from(fewer).unwrap_or_else(|error| panic!("{error}"));
    assert!(bench.engine.take(&fewer).await.unwrap().is_empty());
    assert_eq!(bench.name_of(&person(1)).await, Some(person(1).name), "the version goes on");
    let gone = bench.engine.look_up(&"legal-entity".parse().unwrap(), &key(), "x", &[0]).await;
    assert!(matches!(gone, Err(LookupError::Unknown { .. })), "{gone:?}");
    assert!(bench.engine.sql("select count(*) from \"legal-entity\"").await.is_err());

    assert!(bench.engine.take(&bench.catalog).await.unwrap().is_empty());
    let back = bench.engine.look_up(&"legal-entity".parse().unwrap(), &key(), "x", &[0]).await;
    assert!(matches!(back, Err(LookupError::NotPublished { .. })), "{back:?}");
    assert_eq!(bench.count("select count(*) from \"legal-entity\"").await, 0);
    let file = bench.dir.path().join("again.csv");
    fs::write(&file, csv((0..7).map(person))).unwrap();
    publish_file(&bench.catalog, "natural-person", &bench.dir.path().join("tables"), &file).await.unwrap();
    bench.engine.refresh().await;
    assert_eq!(bench.count("select count(*) from \"natural-person\"").await, 7);
}

fn without_related(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("related:")).map(|line| format!("{line}\n")).collect()
}
