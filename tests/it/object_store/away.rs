//! A store that is away, or that does not let us in.

use super::scene::{Scene, chain};
use crate::support::registers::person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_an_error_for_what_is_not_here_and_nothing_for_what_is() {
    let mut scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    let version = Scene::serving(&engine);
    scene.s3.stop().await;
    let failed = scene.look_up(&engine, &person(10)).await.expect_err("a person that is there is not found");
    assert!(chain(&failed).contains("could not be read"), "{}", chain(&failed));
    scene.finds(&engine, &person(3000)).await;
    // The look for a new version fails once, then the store is left alone for a while.
    let (changed, errors) = engine.refresh().await;
    assert!(changed.is_empty() && !errors.is_empty());
    let (_, errors) = engine.refresh().await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(Scene::serving(&engine), version);
    scene.s3.start_again().await;
    scene.finds(&engine, &person(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_the_store_is_away_serves_what_was_read_before() {
    let mut scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    let version = Scene::serving(&engine);
    drop(engine);
    scene.s3.stop().await;
    let (engine, _) = scene.engine_with(scene.s3.options(&scene.cache())).await;
    assert_eq!(Scene::serving(&engine), version);
    scene.finds(&engine, &person(3000)).await;
    assert!(scene.look_up(&engine, &person(10)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_said_by_the_names_of_their_variables() {
    let scene = Scene::with_persons(100).await;
    let mut options = scene.s3.options(&scene.dir.path().join("other-cache"));
    options.variables[1].1 = "hunter2".to_owned();
    let (engine, errors) = scene.engine_with(options).await;
    assert_eq!(Scene::serving(&engine), None);
    assert!(errors.iter().all(|error| error.contains("AWS_SECRET_ACCESS_KEY")), "{errors:?}");
    assert!(!errors.is_empty() && !errors.concat().contains("hunter2"), "{errors:?}");
}
