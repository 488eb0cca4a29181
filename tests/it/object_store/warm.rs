//! Cold, warm, and warm again after a restart.

use std::collections::HashSet;

use futures::future::join_all;

use super::scene::{Scene, renamed};
use crate::support::registers::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_fetches_what_it_needs_once_and_no_more() {
    let scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.s3.take_asked();
    scene.finds(&engine, &person(3000)).await;
    let cold = scene.s3.take_reads();
    assert!(!cold.is_empty() && cold.len() < 10, "{cold:?}");
    assert!(cold.iter().all(|read| read.range.is_some()), "{cold:?}");
    scene.finds(&engine, &person(3000)).await;
    assert_eq!(scene.s3.take_asked(), [], "a warm look-up asks nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_found_and_no_other() {
    let scene = Scene::empty().await;
    scene.publish((0..4000).filter(|n| n % 2 == 0).map(person)).await.unwrap();
    let engine = scene.engine().await;
    for n in (0..4000).step_by(7) {
        let expected = (n % 2 == 0).then(|| person(n).name);
        assert_eq!(scene.look_up(&engine, &person(n)).await.unwrap(), expected, "{n}");
    }
    let counted = engine.sql(r#"select count(*) from "natural-person" where status = '0'"#).await.unwrap();
    assert_eq!(format!("{:?}", counted[0].column(0)).matches("2000").count(), 1, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_many_wait_for_is_fetched_once() {
    let scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.s3.take_asked();
    join_all((0..64).map(|n| {
        let (scene, engine) = (&scene, &engine);
        async move { scene.finds(engine, &person(1000 + n % 4)).await }
    }))
    .await;
    let reads = scene.s3.take_reads();
    let different: HashSet<_> = reads.iter().map(|read| (read.path.clone(), read.range.clone())).collect();
    assert_eq!(different.len(), reads.len(), "{reads:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_what_was_here_is_here() {
    let scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    drop(engine);
    scene.s3.take_asked();
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    assert_eq!(scene.s3.take_reads(), [], "footer and pages come from the cache");
    scene.finds(&engine, &person(10)).await;
    assert!(!scene.s3.take_reads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_is_seen_by_one_request_a_table() {
    let scene = Scene::with_persons(500).await;
    let engine = scene.engine().await;
    let before = Scene::serving(&engine).unwrap();
    scene.s3.take_asked();
    let (changed, errors) = engine.refresh().await;
    assert!(changed.is_empty() && errors.is_empty(), "{errors:?}");
    assert_eq!(scene.s3.take_asked().len(), scene.catalog.datasets.len());

    let after = scene.publish((100..700).map(|n| renamed(n, "改名"))).await.unwrap();
    assert!(after > before);
    engine.refresh().await;
    assert_eq!(Scene::serving(&engine), Some(after));
    scene.finds(&engine, &renamed(650, "改名")).await;
    assert_eq!(scene.look_up(&engine, &person(5)).await.unwrap(), None);
}
