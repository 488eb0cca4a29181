//! The same register from an S3 store on this machine: first look-ups, look-ups from the cache beside local ones, restarts.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Instant};

use chrono::Utc;
use shuqiao::{
    engine::Engine,
    storage::{Store, Table, Tables, upload},
};
use tokio::runtime::Runtime;

use crate::{
    look_up::keyed,
    options::Scale,
    report::{Report, median},
    s3::S3,
    world::World,
};

/// The default of `tables.cache_block_bytes`.
const BLOCK_BYTES: u64 = 256 << 10;
/// More would make every block of a small register warm before the first comparison.
const KEYS: u64 = 20_000;
/// Caches that are begun empty, and look-ups on each; those that found their pages in the cache do not count.
const COLD_CACHES: usize = 5;
const COLD_LOOK_UPS: usize = 20;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = world.scratch("object-store");
    let s3 = runtime.block_on(S3::start());
    let side = Side { world, s3: &s3, runtime: &runtime, folder: folder.path() };
    let Table::Store(table) = side.tables("warm").table("natural-person") else { panic!("not a store") };
    runtime.block_on(upload(&world.tables.join("natural-person"), &table, Utc::now())).unwrap();
    let keys: Vec<_> = world.people(KEYS).iter().map(|person| person.resident_id.as_str().to_owned()).collect();
    let keys = Arc::new(keys);
    side.cold(&keys, report);
    side.warm(&keys, scale, report);
    side.restarts(&keys, scale, report);
}

/// The store, and engines of this process on both sides of the comparison.
struct Side<'a> {
    world: &'a World,
    s3: &'a S3,
    runtime: &'a Runtime,
    /// Where the caches are.
    folder: &'a Path,
}

impl Side<'_> {
    fn tables(&self, cache: &str) -> Tables {
        let mut options = self.s3.options(&self.folder.join(cache));
        options.cache_block_bytes = BLOCK_BYTES;
        options.cache_bytes_max = 1 << 40;
        Tables::Store(Arc::new(Store::open(options).unwrap()))
    }

    fn name(&self) -> usize {
        self.world.catalog.datasets["natural-person"].field("name").unwrap().0
    }

    fn look_up(&self, engine: &Engine, key: &str) {
        let (dataset, by) = ("natural-person".parse().unwrap(), "resident_id".parse().unwrap());
        let found = self.runtime.block_on(engine.look_up(&dataset, &by, key, &[self.name()])).unwrap();
        assert_eq!(found.rows.len(), 1);
    }

    /// An engine, and the milliseconds from nothing to its first answer.
    fn start(&self, tables: Tables, key: &str) -> (Arc<Engine>, f64) {
        let began = Instant::now();
        let engine = Engine::new(&self.world.catalog, tables, 512 << 20, 100).unwrap();
        self.runtime.block_on(engine.refresh());
        self.look_up(&engine, key);
        (Arc::new(engine), began.elapsed().as_secs_f64() * 1e3)
    }

    fn cold(&self, keys: &[String], report: &mut Report) {
        let (mut starts, mut waits, mut requests) = (Vec::new(), Vec::new(), 0);
        for number in 0..COLD_CACHES {
            let (engine, took) = self.start(self.tables(&format!("cold-{number}")), &keys[0]);
            starts.push(took);
            for key in keys.iter().skip(1 + number * COLD_LOOK_UPS).take(COLD_LOOK_UPS) {
                self.s3.take_asked();
                let began = Instant::now();
                self.look_up(&engine, key);
                let took = began.elapsed().as_secs_f64() * 1e3;
                let asked = self.s3.take_reads().len();
                if asked > 0 {
                    requests += asked;
                    waits.push(took);
                }
            }
        }
        let each = requests as f64 / waits.len() as f64;
        report.note("object store: start with an empty cache to first answer", median(starts.into_iter()), "ms", None);
        report.note("object store: a look-up whose pages are not in the cache", median(waits.into_iter()), "ms", None);
        report.note("object store: requests for one of these", each, "requests", None);
    }

    fn warm(&self, keys: &Arc<Vec<String>>, scale: Scale, report: &mut Report) {
        let (engine, _) = self.start(self.tables("warm"), &keys[0]);
        keys.iter().for_each(|key| self.look_up(&engine, key));
        let local = self.runtime.block_on(self.world.engine());
        self.s3.take_asked();
        for callers in [1, 64] {
            // What is compared is one code over two kinds of file: short turns show whether they differ.
            let turn = |engine| keyed(self.runtime, engine, keys, self.name(), callers, scale.turn_ms.min(1_000));
            let turns: Vec<_> = (0..scale.rounds).map(|_| (turn(&engine), turn(&local))).collect();
            let how = if callers == 1 { "alone".to_owned() } else { format!("{callers} at once") };
            let name = format!("object store: look-up from the cache, {how}, beside local files");
            report.pair(&name, "a second", &turns, None);
        }
        assert_eq!(self.s3.take_reads(), [], "a warm look-up asked the store");
        let copies = fs::read_dir(self.folder.join("warm")).unwrap();
        let kept: u64 = copies.map(|copy| copy.unwrap().metadata().unwrap().blocks() * 512).sum();
        report.note("object store: the cache after these", kept as f64 / f64::from(1 << 20), "MiB", None);
    }

    fn restarts(&self, keys: &[String], scale: Scale, report: &mut Report) {
        let turn = |_| {
            let (_, ours) = self.start(self.tables("warm"), &keys[0]);
            let (_, theirs) = self.start(Tables::from(&self.world.tables), &keys[0]);
            (ours, theirs)
        };
        let turns: Vec<_> = (0..scale.rounds).map(turn).collect();
        report.pair("object store: restart to first answer on a warm cache, beside local files", "ms", &turns, None);
    }
}
