//! A keyed look-up inside the process, beside ordinary SQL over the same files.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use shuqiao::{
    engine::Engine,
    identifiers::{DatasetId, FieldName},
};

use crate::{Scale, pairs::Report, world::World};

pub(crate) async fn run(world: &World, scale: Scale, report: &mut Report) {
    let keys: Arc<Vec<String>> =
        Arc::new(world.people(20_000).iter().map(|person| person.resident_id.as_str().to_owned()).collect());
    let (name, _) = world.catalog.datasets["natural-person"].field("name").unwrap();
    for callers in [1, 64] {
        let mut turns = Vec::new();
        for _ in 0..scale.rounds {
            let ours = keyed(&world.engine, &keys, name, callers, scale.turn_ms).await;
            let theirs = by_sql(&world.engine, &keys, callers, scale.turn_ms).await;
            turns.push((ours, theirs));
        }
        report.pair(
            &format!("keyed look-up, {callers} at once, beside SQL text on the same engine"),
            "a second",
            &turns,
        );
    }
}

/// Look-ups a second.
async fn keyed(engine: &Arc<Engine>, keys: &Arc<Vec<String>>, field: usize, callers: usize, turn_ms: u64) -> f64 {
    let dataset: DatasetId = "natural-person".parse().unwrap();
    let by: FieldName = "resident_id".parse().unwrap();
    let (engine, keys) = (Arc::clone(engine), Arc::clone(keys));
    closed_loop(callers, turn_ms, move |number| {
        let (engine, keys, dataset, by) = (Arc::clone(&engine), Arc::clone(&keys), dataset.clone(), by.clone());
        async move {
            let found = engine.look_up(&dataset, &by, &keys[number as usize % keys.len()], &[field]).await.unwrap();
            assert_eq!(found.rows.len(), 1);
        }
    })
    .await
}

async fn by_sql(engine: &Arc<Engine>, keys: &Arc<Vec<String>>, callers: usize, turn_ms: u64) -> f64 {
    let (engine, keys) = (Arc::clone(engine), Arc::clone(keys));
    closed_loop(callers, turn_ms, move |number| {
        let (engine, keys) = (Arc::clone(&engine), Arc::clone(&keys));
        async move {
            let key = &keys[number as usize % keys.len()];
            let statement = format!(r#"select name from "natural-person" where resident_id = '{key}'"#);
            let found = engine.sql(&statement).await.unwrap();
            assert_eq!(found.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 1);
        }
    })
    .await
}

/// So many callers, each with its next call as soon as the last is answered; calls a second.
pub(crate) async fn closed_loop<F: Future<Output = ()> + Send + 'static>(
    callers: usize,
    turn_ms: u64,
    call: impl Fn(u64) -> F + Clone + Send + 'static,
) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let end = started + Duration::from_millis(turn_ms);
    let tasks: Vec<_> = (0..callers as u64)
        .map(|caller| {
            let (done, call) = (Arc::clone(&done), call.clone());
            tokio::spawn(async move {
                let mut number = caller * 1_000_003;
                while Instant::now() < end {
                    call(number).await;
                    number += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}
