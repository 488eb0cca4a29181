//! A keyed look-up inside the process, beside PostgreSQL over a Unix socket, DuckDB on the same files, and SQL text on our
//! own engine.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use shuqiao::{
    engine::Engine,
    identifiers::{DatasetId, FieldName},
};
use tokio::runtime::Runtime;

use crate::{
    duckdb::DuckDb,
    options::Scale,
    postgres::{self, Postgres},
    report::{Report, Target},
    world::World,
};

/// Keys asked: spread over the register, so that every page is read and none is a hot one.
const KEYS: u64 = 200_000;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let runtime = two_workers();
    let keys: Arc<Vec<String>> = Arc::new(
        world.people(KEYS.min(world.persons)).iter().map(|person| person.resident_id.as_str().to_owned()).collect(),
    );
    let (name, _) = world.catalog.datasets["natural-person"].field("name").unwrap();
    let engine = runtime.block_on(world.engine());
    let ours = |callers| keyed(&runtime, &engine, &keys, name, callers, scale.turn_ms);
    let database = Postgres::over(world, scale.persons >= 1_000_000);
    if let Err(why) = &database {
        report.skip("look-up beside PostgreSQL", why);
    }
    let mut duckdb = DuckDb::over(world, &keys);
    if let Err(why) = &duckdb {
        report.skip("look-up beside DuckDB", why);
    }
    for callers in [64, 1] {
        let how = if callers == 1 { "alone".to_owned() } else { format!("{callers} at once") };
        let cores = thread::available_parallelism().map_or(2, usize::from).min(callers);
        for connections in [callers, cores].into_iter().take(if callers > cores { 2 } else { 1 }) {
            let Ok(database) = &database else { continue };
            let rival = Selects::prepare(&runtime, database, connections);
            let theirs = || rival.turn(&runtime, &keys, callers, scale.turn_ms);
            theirs(); // Warms plans and buffers.
            let turns: Vec<_> = (0..scale.rounds).map(|_| (ours(callers), theirs())).collect();
            let target = Target::RatioAtLeast(if callers == 1 { 1.0 } else { 2.0 });
            let way = if connections == callers { "a connection a caller" } else { "pipelined, a connection a core" };
            let name = format!("look-up, {how}, beside a prepared PostgreSQL select ({way})");
            report.pair(&name, "a second", &turns, target);
        }
        if let Ok(rival) = &mut duckdb {
            rival.turn(callers, scale.turn_ms / 2); // Warms.
            let turns: Vec<_> =
                (0..scale.rounds).map(|_| (ours(callers), rival.turn(callers, scale.turn_ms))).collect();
            let name = format!("look-up, {how}, beside a prepared DuckDB select");
            report.pair(&name, "a second", &turns, Target::RatioAtLeast(20.0));
        }
        let turn = |_| (ours(callers), by_sql(&runtime, &engine, &keys, callers, scale.turn_ms));
        let turns: Vec<_> = (0..scale.rounds).map(turn).collect();
        report.pair(&format!("look-up, {how}, beside SQL text on the same engine"), "a second", &turns, None);
    }
}

/// As many workers as the node has on such a machine, so that figures from a larger one can be compared.
fn two_workers() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Look-ups a second.
pub(crate) fn keyed(
    runtime: &Runtime,
    engine: &Arc<Engine>,
    keys: &Arc<Vec<String>>,
    field: usize,
    callers: usize,
    turn_ms: u64,
) -> f64 {
    let dataset: Arc<DatasetId> = Arc::new("natural-person".parse().unwrap());
    let by: Arc<FieldName> = Arc::new("resident_id".parse().unwrap());
    let (engine, keys) = (Arc::clone(engine), Arc::clone(keys));
    closed_loop(runtime, callers, turn_ms, move |number| {
        let (engine, keys, dataset, by) =
            (Arc::clone(&engine), Arc::clone(&keys), Arc::clone(&dataset), Arc::clone(&by));
        async move {
            let found = engine.look_up(&dataset, &by, &keys[number % keys.len()], &[field]).await.unwrap();
            assert_eq!(found.rows.len(), 1);
        }
    })
}

fn by_sql(runtime: &Runtime, engine: &Arc<Engine>, keys: &Arc<Vec<String>>, callers: usize, turn_ms: u64) -> f64 {
    let (engine, keys) = (Arc::clone(engine), Arc::clone(keys));
    closed_loop(runtime, callers, turn_ms, move |number| {
        let (engine, keys) = (Arc::clone(&engine), Arc::clone(&keys));
        async move {
            let key = &keys[number % keys.len()];
            let statement = format!(r#"select name from "natural-person" where resident_id = '{key}'"#);
            let found = engine.sql(&statement).await.unwrap();
            assert_eq!(found.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1);
        }
    })
}

/// Connections with the select prepared.
struct Selects(Arc<Vec<(tokio_postgres::Client, tokio_postgres::Statement)>>);

impl Selects {
    /// Where there are fewer connections than callers, each takes the statements of several without waiting in between.
    fn prepare(runtime: &Runtime, database: &Postgres, connections: usize) -> Self {
        Self(Arc::new(runtime.block_on(async {
            let mut prepared = Vec::new();
            for _ in 0..connections {
                let client = postgres::connect(&database.socket).await;
                let select = client.prepare(postgres::SELECT).await.unwrap();
                prepared.push((client, select));
            }
            prepared
        })))
    }

    fn turn(&self, runtime: &Runtime, keys: &Arc<Vec<String>>, callers: usize, turn_ms: u64) -> f64 {
        let (connections, keys) = (Arc::clone(&self.0), Arc::clone(keys));
        closed_loop(runtime, callers, turn_ms, move |number| {
            let (connections, keys) = (Arc::clone(&connections), Arc::clone(&keys));
            async move {
                let (client, select) = &connections[number % connections.len()];
                let found = client.query_one(select, &[&keys[number % keys.len()]]).await.unwrap();
                assert!(!found.get::<_, &str>(0).is_empty());
            }
        })
    }
}

/// So many callers, each with its next call as soon as the last is answered; calls a second.
pub(crate) fn closed_loop<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    callers: usize,
    turn_ms: u64,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> f64 {
    let started = Instant::now();
    let end = started + Duration::from_millis(turn_ms);
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let call = call.clone();
            runtime.spawn(async move {
                let (first, mut done) = (caller * 1_000_003, 0);
                while Instant::now() < end {
                    call(first + done).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let done: usize = runtime.block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    done as f64 / started.elapsed().as_secs_f64()
}
