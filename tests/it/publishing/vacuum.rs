//! What `vacuum` removes, and what it never does.

use std::{fs, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use shuqiao::publish::{Retention, Vacuumed, vacuum};

use super::*;

impl Bench {
    async fn vacuum(&self, versions: u64, days: i64, now: DateTime<Utc>, dry_run: bool) -> Vacuumed {
        let retention = Retention { versions, younger_than: TimeDelta::days(days) };
        let (dataset, tables) = (&self.catalog.datasets["natural-person"], self.dir.path().join("tables"));
        vacuum(dataset, &tables.join("natural-person"), &tables.join("spill"), retention, now, dry_run).await.unwrap()
    }
}

fn counts(found: Vacuumed) -> [u64; 3] {
    [found.orphans.files, found.expired.files, found.kept.files]
}

#[tokio::test]
async fn files_of_versions_that_need_not_be_kept_are_removed_and_no_others() {
    let bench = Bench::new();
    for generation in 0..4 {
        bench.publish(&csv((0..10).map(|n| Person { name: format!("第{generation}"), ..person(n) }))).await.unwrap();
    }
    assert_eq!(bench.data_files(), 4);
    // By their number, by their age, and both; a dry run removes nothing.
    let later = now() + TimeDelta::days(3);
    for (versions, days, expect) in
        [(4, 1, [0, 0, 4]), (1, 7, [0, 0, 4]), (2, 1, [0, 2, 2]), (1, 1, [0, 3, 1]), (100, 1, [0, 0, 4])]
    {
        assert_eq!(counts(bench.vacuum(versions, days, later, true).await), expect, "{versions} {days}");
        assert_eq!(bench.data_files(), 4);
    }
    let found = bench.vacuum(2, 1, later, false).await;
    assert!(found.expired.bytes > 0 && found.kept.bytes > 0);
    assert_eq!(bench.data_files(), 2);
    assert_eq!(counts(bench.vacuum(2, 1, later, false).await), [0, 0, 2]);
    assert_eq!(bench.name_of(&person(3)).await.as_deref(), Some("第3"));
}

#[tokio::test]
async fn a_version_that_is_being_served_answers_after_its_files_are_removed() {
    let bench = Bench::new();
    bench.publish(&csv((0..1000).map(person))).await.unwrap();
    let file = bench.dir.path().join("next.csv");
    fs::write(&file, csv((0..10).map(person))).unwrap();
    // Published, and not yet seen by the engine.
    publish_persons(&bench.catalog, &bench.dir.path().join("tables"), &file).await.unwrap();
    assert_eq!(counts(bench.vacuum(1, 0, now() + TimeDelta::days(1), false).await), [0, 1, 1]);
    for n in [0, 500, 999] {
        assert_eq!(bench.name_of(&person(n)).await, Some(person(n).name));
    }
}

#[tokio::test]
async fn what_a_killed_publication_left_is_found_whatever_is_to_be_kept() {
    let bench = Bench::new();
    bench.publish(&csv((0..10).map(person))).await.unwrap();
    let table = bench.dir.path().join("tables/natural-person");
    let left = [
        table.join("part-00000000-0000-4000-8000-000000000007.parquet"),
        table.join("_delta_log/00000000000000000001.json#1"),
        bench.dir.path().join("tables/spill/natural-person/datafusion-x/run"),
    ];
    let foreign = table.join("persons.parquet");
    fs::create_dir_all(left[2].parent().unwrap()).unwrap();
    for path in left.iter().chain([&foreign]) {
        fs::write(path, "rows").unwrap();
    }
    assert_eq!(counts(bench.vacuum(100, 7, now(), false).await), [3, 0, 1]);
    assert!(left.iter().all(|path| !path.exists()) && foreign.exists());
    assert_eq!(bench.name_of(&person(3)).await, Some(person(3).name));
}

#[tokio::test]
async fn nothing_is_removed_while_a_publication_is_under_way() {
    let bench = Bench::new();
    bench.publish(&csv((0..10).map(person))).await.unwrap();
    let tables = bench.dir.path().join("tables");
    let lock = fs::File::create(tables.join("natural-person/.publish.lock")).unwrap();
    lock.lock().unwrap();
    let retention = Retention { versions: 1, younger_than: TimeDelta::zero() };
    let dataset = &bench.catalog.datasets["natural-person"];
    let (table, spill) = (tables.join("natural-person"), tables.join("spill"));
    let refused = vacuum(dataset, &table, &spill, retention, now(), false).await.unwrap_err();
    assert!(matches!(refused, PublishError::Busy { .. }), "{refused}");
    drop(lock);
    // A lock that its process left goes with it: nothing to wait for, nothing to remove by hand.
    tokio::time::timeout(Duration::from_secs(60), vacuum(dataset, &table, &spill, retention, now(), false))
        .await
        .unwrap()
        .unwrap();
}
