//! Small registers with known people in them.

use std::{fmt::Write as _, path::Path, sync::Arc};

use chrono::{Days, NaiveDate};
use shuqiao::{
    catalog::{Catalog, Dataset},
    engine::SortPlace,
    identifiers::ResidentId,
    publish::{Publication, PublishError, Published, publish, publish_changes},
};

use super::{day, now};

pub(crate) const HEADER: &str =
    "resident_id,name,former_name,sex,ethnicity,birth_date,division,address,phone,marital_status,status,status_date";

/// One person as a line of the register.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: ResidentId,
    pub(crate) name: String,
    pub(crate) status: &'static str,
}

/// Person number `n`: another birthday and name for each, every tenth deceased.
pub(crate) fn person(n: u64) -> Person {
    let birth = NaiveDate::from_ymd_opt(1950, 1, 1).unwrap() + Days::new(n % 20_000);
    let serial = u16::try_from(n / 20_000 % 999 + 1).unwrap();
    let id = ResidentId::from_parts(440_106, birth, serial).unwrap();
    Person { id, name: format!("测试{n}"), status: if n % 10 == 9 { "9" } else { "0" } }
}

pub(crate) fn line(person: &Person) -> String {
    format!(
        "{},{},,{},01,{},440106,广东省广州市天河区测试路1号,13800000000,10,{},",
        person.id,
        person.name,
        if person.id.as_str().as_bytes()[16] % 2 == 1 { "1" } else { "2" },
        person.id.birth_date(),
        person.status,
    )
}

pub(crate) fn csv(people: impl IntoIterator<Item = Person>) -> String {
    let mut text = format!("{HEADER}\n");
    for person in people {
        writeln!(text, "{}", line(&person)).unwrap();
    }
    text
}

/// Publish a file as the next version of natural-person below `tables`.
pub(crate) async fn publish_persons(catalog: &Catalog, tables: &Path, file: &Path) -> Result<Published, PublishError> {
    publish_file(catalog, "natural-person", tables, file).await
}

/// Apply a file of changes to natural-person below `tables`.
pub(crate) async fn publish_person_changes(
    catalog: &Catalog,
    tables: &Path,
    file: &Path,
) -> Result<Published, PublishError> {
    let table = tables.join("natural-person");
    let rejects = file.with_extension("rejects.csv");
    publish_changes(publication(&catalog.datasets["natural-person"], &table, file, &rejects), Arc::new(|_| {})).await
}

/// Publish a file as the next version of a dataset below `tables`.
pub(crate) async fn publish_file(
    catalog: &Catalog,
    dataset: &str,
    tables: &Path,
    file: &Path,
) -> Result<Published, PublishError> {
    let rejects = file.with_extension("rejects.csv");
    let table = tables.join(dataset);
    publish(publication(&catalog.datasets[dataset], &table, file, &rejects), Arc::new(|_| {})).await
}

fn publication<'a>(dataset: &'a Arc<Dataset>, table: &'a Path, file: &'a Path, rejects: &'a Path) -> Publication<'a> {
    let spill = table.parent().unwrap_or(table).join("spill");
    let sort = SortPlace { memory_bytes: 64 << 20, spill };
    Publication { dataset, file, table, rejects, sort, as_of: now(), now: now(), today: day("2026-11-24") }
}
