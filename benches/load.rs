//! Closed-loop load: so many connections, each with its next call as soon as the last is answered.
//!
//! One thread a core, each with connections of its own: cheaper than a runtime that moves tasks between its threads, and
//! one thread alone would be the limit of the fastest server.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::client::{Connection, Requests};

/// What a turn of load came to.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) calls: usize,
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Load an address for a while; every answer must be a 200 that lacks no node.
pub(crate) fn closed(address: SocketAddr, requests: &Arc<Requests>, connections: usize, turn_ms: u64) -> Load {
    let started = Instant::now();
    let end = started + Duration::from_millis(turn_ms);
    let threads = spread(connections).into_iter().map(|numbers| {
        let requests = Arc::clone(requests);
        thread::spawn(move || {
            let runtime = runtime();
            let callers: Vec<_> = numbers
                .map(|number| runtime.spawn(caller(address, Arc::clone(&requests), number * 7919, end)))
                .collect();
            runtime.block_on(async {
                let mut times = Vec::new();
                for caller in callers {
                    times.extend(caller.await.unwrap());
                }
                times
            })
        })
    });
    // All threads start before the first is waited for.
    let threads: Vec<_> = threads.collect();
    let times: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let calls = times.len();
    let per_second = calls as f64 / started.elapsed().as_secs_f64();
    let (p50, p99) = percentiles(times);
    Load { calls, per_second, p50, p99 }
}

/// The numbers of the connections that each thread has.
pub(crate) fn spread(connections: usize) -> Vec<std::ops::Range<usize>> {
    let threads = thread::available_parallelism().map_or(2, usize::from).min(connections);
    (0..threads).map(|n| n * connections / threads..(n + 1) * connections / threads).collect()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Median and 99th percentile.
pub(crate) fn percentiles(mut times: Vec<u32>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).map_or(0.0, |time| f64::from(*time));
    (at(0.5), at(0.99))
}

async fn caller(address: SocketAddr, requests: Arc<Requests>, first: usize, end: Instant) -> Vec<u32> {
    let mut connection = Connection::open(address).await.unwrap();
    let mut times = Vec::with_capacity(16 * 1024);
    let mut number = first;
    while Instant::now() < end {
        let sent = Instant::now();
        let answer = connection.call(&requests, number).await.unwrap();
        times.push(sent.elapsed().as_micros() as u32);
        assert!(answer.status == 200 && !answer.lacks_a_node, "{}", connection.text());
        number += 1;
    }
    times
}
