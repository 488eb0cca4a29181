//! A cache that was torn, or that is too small.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
};

use super::scene::Scene;
use crate::support::registers::person;

/// Another byte in the middle of every block of every copy.
fn tear(scene: &Scene, block_bytes: u64) {
    let copies = scene.copies();
    assert!(!copies.is_empty());
    for path in copies {
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        for at in (block_bytes / 2..file.metadata().unwrap().len()).step_by(block_bytes as usize) {
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[!byte[0]], at).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_were_torn_are_fetched_again() {
    let mut scene = Scene::with_persons(6000).await;
    let options = scene.s3.options(&scene.cache());
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    drop(engine);
    tear(&scene, options.cache_block_bytes);
    scene.s3.take_asked();
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    assert!(!scene.s3.take_reads().is_empty());
    drop(engine);

    // And where they cannot be fetched, there is no answer.
    tear(&scene, options.cache_block_bytes);
    scene.s3.stop().await;
    let (engine, errors) = scene.engine_with(options).await;
    assert_eq!(Scene::serving(&engine), None);
    assert!(!errors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_is_too_small_stays_small_and_answers() {
    let scene = Scene::with_persons(6000).await;
    let mut options = scene.s3.options(&scene.cache());
    options.cache_bytes_max = 64 << 10;
    let (engine, errors) = scene.engine_with(options).await;
    assert!(errors.is_empty(), "{errors:?}");
    for n in (0..6000).step_by(61) {
        scene.finds(&engine, &person(n)).await;
    }
    let kept: u64 = scene.copies().iter().map(|path| fs::metadata(path).unwrap().blocks() * 512).sum();
    // One look-up's blocks and the list of blocks come on top.
    assert!(kept <= (64 << 10) * 2, "{kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_nobody_serves_go_first() {
    let scene = Scene::with_persons(6000).await;
    let engine = scene.engine().await;
    scene.finds(&engine, &person(3000)).await;
    let old = scene.copies();
    drop(engine);
    scene.publish((0..5000).map(person)).await.unwrap();
    let mut options = scene.s3.options(&scene.cache());
    // Room for the blocks of one version, not of both.
    let held: u64 = old.iter().map(|path| fs::metadata(path).unwrap().blocks() * 512).sum();
    options.cache_bytes_max = held + options.cache_block_bytes;
    let (engine, _) = scene.engine_with(options).await;
    scene.finds(&engine, &person(3000)).await;
    assert!(old.iter().all(|path| !path.exists()), "{old:?}");
    scene.s3.take_asked();
    scene.finds(&engine, &person(3000)).await;
    assert_eq!(scene.s3.take_asked(), []);
}
