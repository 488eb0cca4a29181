//! A register ten (or a hundred) times as large: how look-ups, memory and start grow.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shuqiao::engine::Engine;
use tokio::runtime::Runtime;

use crate::{
    client::{Connection, Requests},
    home::{Home, Receipts},
    load,
    options::Scale,
    process,
    report::{Report, Target, median},
    roles::Server,
    world::World,
};

const RESTARTS: usize = 5;
const HUNDRED_MILLION: u64 = 100_000_000;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let small = world.resized((world.persons / 10).min(1_000_000));
    look_ups(&small, world, scale, report);
    serving(&small, scale, report);
    serving(world, scale, report);
}

fn look_ups(small: &World, large: &World, scale: Scale, report: &mut Report) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let engines = [small, large].map(|world| (runtime.block_on(world.engine()), keys(world)));
    let turn = || engines.each_ref().map(|(engine, keys)| p50(&runtime, engine, keys, scale.turn_ms));
    turn(); // Warms.
    let turns: Vec<_> = (0..scale.rounds).map(|_| turn()).map(|[small, large]| (large, small)).collect();
    let most = if large.persons >= HUNDRED_MILLION { 1.5 } else { 1.3 };
    let name = format!("growth: p50 of a look-up, {} beside {} persons", large.persons, small.persons);
    report.pair(&name, "us", &turns, Target::RatioAtMost(most));
}

fn keys(world: &World) -> Vec<String> {
    world.people(200_000.min(world.persons)).iter().map(|person| person.resident_id.as_str().to_owned()).collect()
}

/// Microseconds, one call after the other.
fn p50(runtime: &Runtime, engine: &Arc<Engine>, keys: &[String], turn_ms: u64) -> f64 {
    let (dataset, by) = ("natural-person".parse().unwrap(), "resident_id".parse().unwrap());
    let end = Instant::now() + Duration::from_millis(turn_ms);
    runtime.block_on(async {
        let mut times = Vec::new();
        for key in keys.iter().cycle() {
            let began = Instant::now();
            if began > end {
                break;
            }
            let found = engine.look_up(&dataset, &by, key, &[1]).await.unwrap();
            times.push(began.elapsed().as_nanos() as u32);
            assert_eq!(found.rows.len(), 1);
        }
        load::percentiles(times).0 / 1e3
    })
}

/// Memory of a node after it answered calls all over the register, and how soon it answers when it is started again.
fn serving(world: &World, scale: Scale, report: &mut Report) {
    let home = Home::make(world, Receipts::Batch);
    let requests = Arc::new(Requests::about(world, &home.token()));
    let server = Server::node(&home);
    load::closed(server.address, &requests, 64, scale.turn_ms * 2);
    let memory = process::memory(server.pid());
    drop(server);
    let (goal_mib, goal_ms) = if world.persons >= HUNDRED_MILLION { (768.0, 3_000.0) } else { (400.0, 1_000.0) };
    let name = |what: &str| format!("growth: {} persons, {what}", world.persons);
    report.note(&name("resident memory with mapped files"), memory.resident / 1024.0, "MiB", Target::AtMost(goal_mib));
    report.note(&name("memory of its own"), memory.anonymous / 1024.0, "MiB", Target::AtMost(goal_mib));
    let restarts = (0..RESTARTS).map(|_| restart_ms(&home, &requests));
    report.note(&name("restart to first answer"), median(restarts), "ms", Target::AtMost(goal_ms));
}

pub(crate) fn restart_ms(home: &Home, requests: &Requests) -> f64 {
    let began = Instant::now();
    let server = Server::node(home);
    let answer = load::runtime().block_on(async {
        let mut connection = Connection::open(server.address).await.unwrap();
        connection.call(requests, 0).await.unwrap()
    });
    assert_eq!(answer.status, 200);
    began.elapsed().as_secs_f64() * 1e3
}
