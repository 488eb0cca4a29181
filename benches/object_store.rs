//! The same register from an S3 store on this machine: first look-ups, look-ups from the cache beside local ones, restarts.

use std::{path::Path, sync::Arc, time::Instant};

use chrono::Utc;
use shuqiao::{
    engine::Engine,
    identifiers::{DatasetId, FieldName},
    storage::{Table, Tables, upload},
};

use crate::{
    Scale,
    look_up::closed_loop,
    pairs::{Report, median},
    s3::S3,
    world::World,
};

/// Caches that are begun empty, and look-ups on each; those that found their pages in the cache do not count.
const COLD_CACHES: usize = 5;
const COLD_LOOK_UPS: usize = 20;

pub(crate) async fn run(world: &World, scale: Scale, report: &mut Report) {
    let s3 = S3::start().await;
    let tables = |cache: &str| {
        let mut options = s3.options(&world.dir.path().join(cache));
        options.cache_block_bytes = 256 << 10;
        Tables::Store(Arc::new(shuqiao::storage::Store::open(options).unwrap()))
    };
    let Table::Store(table) = tables("warm").table("natural-person") else { panic!("not a store") };
    upload(&world.dir.path().join("data/tables/natural-person"), &table, Utc::now()).await.unwrap();
    let keys: Arc<Vec<String>> =
        Arc::new(world.people(20_000).iter().map(|person| person.resident_id.as_str().to_owned()).collect());
    let look = Look::new(world);

    let (mut starts, mut cold, mut reads) = (Vec::new(), Vec::new(), 0);
    for number in 0..COLD_CACHES {
        let (engine, took) = look.start(world, tables(&format!("cold-{number}")), &keys[0]).await;
        starts.push(took);
        for key in keys.iter().skip(1 + number * COLD_LOOK_UPS).take(COLD_LOOK_UPS) {
            s3.take_asked();
            let began = Instant::now();
            look.up(&engine, key).await;
            let took = began.elapsed().as_secs_f64() * 1e6;
            match s3.take_reads().len() {
                0 => {}
                requests => {
                    reads += requests;
                    cold.push(took);
                }
            }
        }
    }
    report.note("object store, empty cache: start to first answer", median(starts.into_iter()) * 1e3, "ms");
    let each = reads as f64 / cold.len() as f64;
    report.note("the same: a later look-up that must ask the store", median(cold.into_iter()), "us");
    report.note("requests to the store for one of these", each, "requests");

    let (engine, _) = look.start(world, tables("warm"), &keys[0]).await;
    for key in keys.iter() {
        look.up(&engine, key).await;
    }
    s3.take_asked();
    // What is compared is one code over two kinds of file: fewer turns show whether they differ.
    let (rounds, turn_ms) = (scale.rounds.min(5), scale.turn_ms.min(1_000));
    for callers in [1, 64] {
        let mut turns = Vec::new();
        for _ in 0..rounds {
            let ours = look.a_second(&engine, &keys, callers, turn_ms).await;
            turns.push((ours, look.a_second(&world.engine, &keys, callers, turn_ms).await));
        }
        report.pair(
            &format!("keyed look-up from the object store's cache, {callers} at once, beside local files"),
            "a second",
            &turns,
        );
    }
    assert_eq!(s3.take_reads(), [], "a warm look-up asked the store");
    drop(engine);

    let mut turns = Vec::new();
    for _ in 0..rounds {
        let (_, ours) = look.start(world, tables("warm"), &keys[0]).await;
        let local = world.dir.path().join("data/tables");
        let (_, theirs) = look.start(world, Tables::from(local.as_path()), &keys[0]).await;
        turns.push((ours * 1e3, theirs * 1e3));
    }
    report.pair("restart to first answer on a warm cache, beside local files", "ms", &turns);
    let kept = std::fs::read_dir(world.dir.path().join("warm")).unwrap();
    let kept: u64 = kept.map(|entry| allocated(&entry.unwrap().path())).sum();
    report.note("cache after all look-ups", kept as f64 / f64::from(1 << 20), "MiB");
}

fn allocated(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(path).unwrap()) * 512
}

/// A look-up of a person's name.
#[derive(Clone)]
struct Look {
    dataset: DatasetId,
    by: FieldName,
    field: usize,
}

impl Look {
    fn new(world: &World) -> Self {
        let (field, _) = world.catalog.datasets["natural-person"].field("name").unwrap();
        Self { dataset: "natural-person".parse().unwrap(), by: "resident_id".parse().unwrap(), field }
    }

    async fn up(&self, engine: &Engine, key: &str) {
        let found = engine.look_up(&self.dataset, &self.by, key, &[self.field]).await.unwrap();
        assert_eq!(found.rows.len(), 1);
    }

    /// An engine, and the seconds from nothing to its first answer.
    async fn start(&self, world: &World, tables: Tables, key: &str) -> (Arc<Engine>, f64) {
        let began = Instant::now();
        let engine = Engine::new(&world.catalog, tables, 512 << 20, 100).unwrap();
        engine.refresh().await;
        self.up(&engine, key).await;
        (Arc::new(engine), began.elapsed().as_secs_f64())
    }

    async fn a_second(&self, engine: &Arc<Engine>, keys: &Arc<Vec<String>>, callers: usize, turn_ms: u64) -> f64 {
        let (look, engine, keys) = (self.clone(), Arc::clone(engine), Arc::clone(keys));
        closed_loop(callers, turn_ms, move |number| {
            let (look, engine, keys) = (look.clone(), Arc::clone(&engine), Arc::clone(&keys));
            async move { look.up(&engine, &keys[number as usize % keys.len()]).await }
        })
        .await
    }
}
