//! Publication to the store, through the library and through the program.

use std::{fs, time::Instant};

use hyper::Method;
use shuqiao::{catalog::Value, engine::PastError, identifiers::VersionNo, problem::Code};

use super::scene::{Scene, chain};
use crate::support::{
    process::{Home, PATIENCE, client, json, verify},
    registers::{Person, csv, person},
    s3::S3,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_before_the_commit_is_no_version_and_is_not_sent_again() {
    let scene = Scene::with_persons(300).await;
    let engine = scene.engine().await;
    let before = Scene::serving(&engine);
    scene.s3.refuse_commits(true);
    scene.s3.take_asked();
    let refused = scene.publish((0..400).map(person)).await.unwrap_err();
    assert!(chain(&refused).contains("committed"), "{}", chain(&refused));
    let sent = |scene: &Scene| {
        let asked = scene.s3.take_asked();
        asked.iter().filter(|one| one.method == Method::PUT && one.path.ends_with(".parquet")).count()
    };
    assert_eq!(sent(&scene), 1);
    engine.refresh().await;
    assert_eq!(Scene::serving(&engine), before);

    scene.s3.refuse_commits(false);
    let folder = scene.dir.path().join("tables/natural-person");
    let after = shuqiao::storage::upload(&folder, &scene.table(), crate::support::now()).await.unwrap();
    assert_eq!(sent(&scene), 0, "it was there");
    engine.refresh().await;
    assert_eq!(Scene::serving(&engine), Some(after));
    scene.finds(&engine, &person(399)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_publishes_to_the_store_and_serves_from_it() {
    let mut s3 = S3::start().await;
    let mut home = Home::empty(&s3.settings());
    home.variables = s3.variables();
    let file = home.path("persons.csv");
    fs::write(&file, csv((0..6000).map(person))).unwrap();
    let published = home.spawn(&["publish", "natural-person", file.to_str().unwrap()]).end().await;
    assert!(published.success(), "{}", home.log_text());
    // It is served from the store, not from the folder in which it was made.
    fs::remove_dir_all(home.path("data/tables")).unwrap();

    let _node = home.serve().await;
    let (http, url, token) = (client(), home.url("/v1/verifications"), home.token().await);
    let outcome = async |n: u64| {
        let (status, bytes) = verify(&http, &url, &token, &person(n), &person(n).name).await.unwrap();
        assert_eq!(status, 200);
        json(&bytes)
    };
    assert_eq!(outcome(3000).await["outcome"], "match");
    s3.stop().await;
    let began = Instant::now();
    let away = outcome(10).await;
    assert_eq!((&away["outcome"], &away["reason"]), (&"indeterminate".into(), &"source_unavailable".into()), "{away}");
    assert!(began.elapsed() < PATIENCE);
    assert_eq!(outcome(3000).await["outcome"], "match");
    s3.start_again().await;
    assert_eq!(outcome(10).await["outcome"], "match");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_the_program_says_which_variable_is_missing() {
    let s3 = S3::start().await;
    let home = Home::empty(&s3.settings());
    let said = home.run(&["sql", "select 1"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("`AWS_ACCESS_KEY_ID`"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_read_as_it_was_in_a_version_of_before() {
    let scene = Scene::with_persons(300).await;
    let engine = scene.engine().await;
    let first = Scene::serving(&engine).unwrap();
    let mended = |n| Person { name: format!("后{n}"), ..person(n) };
    scene.publish((0..300).map(mended)).await.unwrap();
    engine.refresh().await;
    scene.finds(&engine, &mended(7)).await;

    let dataset = &scene.catalog.datasets["natural-person"];
    let ((name, _), key) = (dataset.field("name").unwrap(), dataset.key.clone());
    let at = async |version| engine.look_up_at(dataset, version, &key, person(7).id.as_str(), &[name]).await;
    let then = at(first).await.unwrap();
    assert_eq!((then.version, &then.rows[0][0]), (first, &Some(Value::Text(person(7).name))));
    assert_ne!(Scene::serving(&engine), Some(first));
    let never = at(VersionNo(99)).await.unwrap_err();
    assert!(matches!(never, PastError::Removed { .. }) && never.code() == Code::VersionRemoved, "{never}");
}
