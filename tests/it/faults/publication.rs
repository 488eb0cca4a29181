//! `kill -9` while a version is being published: whole versions are served, or the one before.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{
    dice::Dice,
    guangdong,
    process::{Home, PATIENCE, client, json, verify},
    registers::{Person, csv, person, publish_persons},
};

const KILLS: u32 = 10;
const ROWS: u64 = 150_000;

/// The same people under names by which a version is known.
fn renamed(n: u64, generation: &str) -> Person {
    Person { name: format!("{generation}{n}"), ..person(n) }
}

/// The version that answers, after it was checked that it is the one before or the whole new one.
async fn serving(home: &Home, token: &str, before: u64) -> u64 {
    let (http, url) = (client(), home.url("/v1/verifications"));
    let mut versions = Vec::new();
    for n in [0, 7, 12_345, ROWS - 2] {
        let person = renamed(n, "新");
        let (status, bytes) = verify(&http, &url, token, &person, &person.name).await.unwrap();
        let answer = json(&bytes);
        let version = answer["dataset_version"].as_u64().unwrap();
        let expected = match (version > before, n) {
            (true, _) => "match",
            (false, 0 | 7) => "mismatch",
            (false, _) => "not_found",
        };
        assert_eq!((status, answer["outcome"].as_str()), (200, Some(expected)), "{n} {answer}");
        versions.push(version);
    }
    versions.into_iter().max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_is_killed_leaves_the_version_before_it_serving() {
    let home = Home::with_persons(100, "").await;
    let token = home.token().await;
    let file = home.path("next.csv");
    fs::write(&file, csv((0..ROWS).map(|n| renamed(n, "新")))).unwrap();
    let publish = ["publish", "natural-person", file.to_str().unwrap()];
    // How long one takes on this machine, and that it would go through; then the old lines again.
    let began = Instant::now();
    let whole = home.run(&publish);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let takes = began.elapsed();
    let mut before = home.publish(&csv((0..100).map(person))).await;

    let mut dice = Dice(7);
    let mut node = home.serve().await;
    let mut cut = 0;
    for turn in 0..KILLS {
        let publication = home.spawn(&publish);
        // Spread over its run, so that reading, sorting, writing and committing are all met.
        let share = (f64::from(turn) + dice.share()) / f64::from(KILLS);
        tokio::time::sleep(takes.mul_f64(share)).await;
        publication.kill();
        node.kill();
        node = home.serve().await;
        if serving(&home, &token, before).await > before {
            before = home.publish(&csv((0..100).map(person))).await; // It was done when it was killed.
            node.kill();
            node = home.serve().await;
        } else {
            cut += 1;
        }
        assert_eq!(serving(&home, &token, before).await, before);
    }
    assert!(cut > KILLS / 2, "only {cut} were met at work");

    let after = home.run(&publish);
    assert_eq!(after.code, Some(0), "{after:?}");
    let until = Instant::now() + PATIENCE;
    while serving(&home, &token, before).await == before {
        assert!(Instant::now() < until, "the new version is not served");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!home.log_text().contains("cannot be served"), "{}", home.log_text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_publication_is_not_noticed_by_the_node_that_runs_beside_it() {
    let home = Home::with_persons(100, "").await;
    let token = home.token().await;
    let file = home.path("next.csv");
    fs::write(&file, csv((0..ROWS).map(|n| renamed(n, "新")))).unwrap();
    let _node = home.serve().await;
    let tables = home.path("data/tables/natural-person");
    let publication = home.spawn(&["publish", "natural-person", file.to_str().unwrap()]);
    // Killed as soon as a data file is begun: half-written files lie beside the version that is served.
    let until = Instant::now() + PATIENCE;
    while fs::read_dir(&tables).unwrap().count() < 4 {
        assert!(Instant::now() < until, "no data file is begun");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    publication.kill();
    tokio::time::sleep(Duration::from_millis(700)).await; // The node looks twice a second.
    assert_eq!(serving(&home, &token, 0).await, 0);
    assert!(!home.log_text().contains("ERROR"), "{}", home.log_text());

    // Register rows that no version names do not stay on the disk: the next publication removes them.
    let data_files = || {
        let names = fs::read_dir(&tables).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".parquet")).count()
    };
    assert_eq!(data_files(), 2, "that of the version and one half-written");
    let spill = home.path("data/spill/natural-person");
    fs::write(spill.join("sorted-run"), "rows").unwrap(); // A larger sort would have spilled.
    let small = home.path("small.csv");
    fs::write(&small, csv((0..100).map(person))).unwrap();
    let published = home.run(&["publish", "natural-person", small.to_str().unwrap()]);
    assert_eq!(published.code, Some(0), "{published:?}");
    assert_eq!(data_files(), 2, "those of the two versions");
    assert_eq!(fs::read_dir(&spill).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_publication_at_once_is_refused_and_a_killed_one_holds_nobody_up() {
    let home = Home::with_persons(100, "").await;
    let file = home.path("next.csv");
    fs::write(&file, csv((0..ROWS).map(person))).unwrap();
    let small = home.path("small.csv");
    fs::write(&small, csv((0..100).map(person))).unwrap();
    let tables = home.path("data/tables");
    let files = || fs::read_dir(tables.join("natural-person")).unwrap().count();
    let before = files();
    let publication = home.spawn(&["publish", "natural-person", file.to_str().unwrap()]);
    // Once it has begun a data file, it has the lock.
    let until = Instant::now() + PATIENCE;
    while files() == before {
        assert!(Instant::now() < until, "no data file is begun");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = publish_persons(&guangdong(), &tables, &small).await.expect_err("both may publish at once");
    assert_eq!(refused.code().as_str(), "publication_refused");
    assert!(refused.to_string().contains("another publication of `natural-person` is under way"), "{refused}");
    publication.kill();
    publish_persons(&guangdong(), &tables, &small).await.unwrap();
}
