//! Publication and the look-ups that follow from it, on real files.

mod catalogue;
mod changes;
mod vacuum;

use std::fs;

use arrow::{array::AsArray, datatypes::Int64Type};
use shuqiao::{
    catalog::{Catalog, Value},
    engine::{Engine, LookupError},
    identifiers::{DatasetId, FieldName, VersionNo},
    publish::PublishError,
};
use tempfile::TempDir;

use crate::support::{
    guangdong, now,
    registers::{Person, csv, line, person, publish_persons},
};

struct Bench {
    dir: TempDir,
    catalog: Catalog,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tables/spill")).unwrap();
        let catalog = guangdong();
        let engine = Engine::new(&catalog, &dir.path().join("tables"), 64 << 20, 100).unwrap();
        Self { dir, catalog, engine }
    }

    async fn publish(&self, text: &str) -> Result<VersionNo, PublishError> {
        let file = self.dir.path().join("persons.csv");
        fs::write(&file, text).unwrap();
        let done = publish_persons(&self.catalog, &self.dir.path().join("tables"), &file).await?;
        let (_, errors) = self.engine.refresh().await;
        assert!(errors.is_empty(), "{errors:?}");
        Ok(done.version)
    }

    fn rejects(&self) -> String {
        fs::read_to_string(self.dir.path().join("persons.rejects.csv")).unwrap_or_default()
    }

    async fn name_of(&self, person: &Person) -> Option<String> {
        let (name, _) = self.catalog.datasets["natural-person"].field("name").unwrap();
        let found = self.engine.look_up(&dataset(), &key(), person.id.as_str(), &[name]).await.unwrap();
        assert!(found.rows.len() <= 1);
        found.rows.into_iter().next().map(|mut row| match row.remove(0) {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        })
    }

    async fn count(&self, statement: &str) -> i64 {
        let batches = self.engine.sql(statement).await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    fn data_files(&self) -> usize {
        let files = fs::read_dir(self.dir.path().join("tables/natural-person")).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".parquet")).count()
    }
}

fn dataset() -> DatasetId {
    "natural-person".parse().unwrap()
}

fn key() -> FieldName {
    "resident_id".parse().unwrap()
}

#[tokio::test]
async fn every_published_key_is_found_and_no_other() {
    let bench = Bench::new();
    // Unsorted input, several pages; every other person stays out.
    bench.publish(&csv((0..6000).rev().filter(|n| n % 2 == 0).map(person))).await.unwrap();
    let serving = bench.engine.serving(&dataset()).unwrap();
    assert!(serving.keyed, "look-ups must go through the page index");
    assert_eq!((serving.rows, serving.as_of), (3000, now()));
    for n in 0..6000 {
        let person = person(n);
        let expected = (n % 2 == 0).then(|| person.name.clone());
        assert_eq!(bench.name_of(&person).await, expected, "{n}");
    }
}

#[tokio::test]
async fn sql_over_the_same_table_agrees_with_the_look_ups() {
    let bench = Bench::new();
    bench.publish(&csv((0..3000).map(person))).await.unwrap();
    assert_eq!(bench.count(r#"select count(*) from "natural-person""#).await, 3000);
    assert_eq!(bench.count(r#"select count(*) from "natural-person" where status = '9'"#).await, 300);
    for n in [0, 511, 512, 513, 1024, 2999] {
        let person = person(n);
        let statement = format!(
            r#"select count(*) from "natural-person" where resident_id = '{}' and name = '{}'"#,
            person.id, person.name
        );
        assert_eq!(bench.count(&statement).await, 1, "{n}");
    }
    let range = r#"select count(*) from "natural-person" where birth_date >= date '1950-01-01' and birth_date < date '1950-01-11'"#;
    assert_eq!(bench.count(range).await, 10);
}

#[tokio::test]
async fn sql_cannot_write_or_read_other_files() {
    let bench = Bench::new();
    bench.publish(&csv((0..10).map(person))).await.unwrap();
    for statement in [
        r#"drop table "natural-person""#,
        "create external table t stored as csv location '/etc/passwd'",
        "copy (select 1) to '/tmp/shuqiao-never'",
        "set datafusion.execution.batch_size = 1",
        "select * from '/etc/passwd'",
    ] {
        assert!(bench.engine.sql(statement).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn a_dataset_that_was_never_published_is_not_an_empty_one() {
    let bench = Bench::new();
    let found = bench.engine.look_up(&dataset(), &key(), person(0).id.as_str(), &[0]).await;
    assert!(matches!(found, Err(LookupError::NotPublished { .. })), "{found:?}");
}

#[tokio::test]
async fn bad_rows_are_listed_with_line_field_and_reason_but_never_with_their_value() {
    let bench = Bench::new();
    let mut text = csv((0..5000).map(person));
    let bad = line(&person(7000)).replace(",0,", ",x,");
    text.push_str(&format!("{bad}\n"));
    text.push_str(&format!("{}\n", line(&person(7001)).replacen("测试7001", "", 1)));
    text.push_str(&format!("{}\n", line(&person(3)))); // A key that stands twice.
    text.push_str("too,short\n");
    bench.publish(&text).await.unwrap();
    let rejects = bench.rejects();
    let lines: Vec<_> = rejects.lines().collect();
    assert_eq!(lines[0], "line,field,reason");
    assert!(lines.iter().any(|line| line.starts_with("5002,status,")), "{rejects}");
    assert!(lines.iter().any(|line| line.starts_with("5003,name,")), "{rejects}");
    assert!(lines.iter().any(|line| line.starts_with("5004,resident_id,")), "{rejects}");
    assert!(lines.iter().any(|line| line.starts_with("5005,,")), "{rejects}");
    assert!(!rejects.contains(person(7000).id.as_str()) && !rejects.contains(person(3).id.as_str()));
    assert_eq!(bench.count(r#"select count(*) from "natural-person""#).await, 5000);
}

#[tokio::test]
async fn above_the_tolerance_nothing_is_published_and_the_old_version_serves() {
    let bench = Bench::new();
    let first = bench.publish(&csv((0..100).map(person))).await.unwrap();
    let files = bench.data_files();
    let mut text = csv((0..100).map(|n| Person { name: "新名".to_owned(), ..person(n) }));
    text.push_str(&"not,a,row\n".repeat(10));
    let refused = bench.publish(&text).await.unwrap_err();
    assert!(matches!(refused, PublishError::TooManyBadRows { rejected: 10, rows: 110, .. }), "{refused}");
    assert_eq!(bench.engine.serving(&dataset()).unwrap().version, first);
    assert_eq!(bench.name_of(&person(5)).await.as_deref(), Some("测试5"));
    assert_eq!(bench.data_files(), files, "the refused version's files are removed");
}

#[tokio::test]
async fn a_second_version_replaces_the_first_as_a_whole() {
    let bench = Bench::new();
    let first = bench.publish(&csv((0..100).map(person))).await.unwrap();
    let second =
        bench.publish(&csv((50..200).map(|n| Person { name: format!("改名{n}"), ..person(n) }))).await.unwrap();
    assert!(second > first);
    assert_eq!(bench.name_of(&person(5)).await, None);
    assert_eq!(bench.name_of(&person(150)).await.as_deref(), Some("改名150"));
}

#[tokio::test]
async fn a_parquet_file_is_published_like_a_csv() {
    let bench = Bench::new();
    bench.publish(&csv((0..500).map(person))).await.unwrap();
    let published = fs::read_dir(bench.dir.path().join("tables/natural-person")).unwrap();
    let part = published
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "parquet"))
        .unwrap();
    let other = Bench::new();
    let done = publish_persons(&other.catalog, &other.dir.path().join("tables"), &part).await.unwrap();
    assert_eq!((done.rows, done.rejected), (500, 0));
    other.engine.refresh().await;
    assert_eq!(other.name_of(&person(77)).await.as_deref(), Some("测试77"));
}

#[tokio::test]
async fn a_header_that_is_not_the_catalogues_is_refused_with_a_hint() {
    let bench = Bench::new();
    for (text, hint) in [
        (csv((0..3).map(person)).replacen("birth_date", "birthdate", 1), "`birth_date`"),
        (csv((0..3).map(person)).replacen("former_name", "name", 1), "twice"),
        ("resident_id\n".to_owned(), "missing"),
    ] {
        let refused = bench.publish(&text).await.unwrap_err().to_string();
        assert!(refused.contains(hint), "{refused}");
    }
}

#[tokio::test]
async fn a_firm_is_found_by_its_representative_too() {
    let bench = Bench::new();
    let file = bench.dir.path().join("firms.csv");
    let id = person(1).id;
    let firm = |body: &[u8; 8]| shuqiao::identifiers::CreditCode::from_parts('9', '1', 440_106, *body).unwrap();
    let mut text = "credit_code,name,kind,legal_representative,legal_representative_id,registered_capital,established_on,division,address,status,status_date\n".to_owned();
    let kind = match &bench.catalog.datasets["legal-entity"].field("kind").unwrap().1.kind {
        shuqiao::catalog::FieldKind::Code { values } => values[0].0.clone(),
        other => panic!("{other:?}"),
    };
    for (body, owner) in [(b"MA9AAAA1", id), (b"MA9AAAA2", id), (b"MA9AAAA3", person(2).id)] {
        text.push_str(&format!("{},测试公司,{kind},测试,{owner},1000000,2020-01-31,440106,测试路1号,1,\n", firm(body)));
    }
    fs::write(&file, text).unwrap();
    let dataset = &bench.catalog.datasets["legal-entity"];
    let tables = bench.dir.path().join("tables");
    let publication = shuqiao::publish::Publication {
        dataset,
        file: &file,
        table: &tables.join("legal-entity"),
        rejects: &file.with_extension("rejects.csv"),
        sort: shuqiao::engine::SortPlace { memory_bytes: 64 << 20, spill: tables.join("spill") },
        as_of: now(),
        now: now(),
        today: crate::support::day("2026-11-24"),
    };
    shuqiao::publish::publish(publication, std::sync::Arc::new(|_| {})).await.unwrap();
    bench.engine.refresh().await;
    let by: FieldName = "legal_representative_id".parse().unwrap();
    let found = bench.engine.look_up(&dataset.id, &by, id.as_str(), &[0]).await.unwrap();
    assert_eq!(found.rows.len(), 2);
}
