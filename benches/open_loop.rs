//! Open-loop load: calls fall due at random moments at a given rate, whether or not earlier ones were answered, and a call's
//! time counts from when it fell due. So a server that stalls is charged for all who would have called meanwhile.
//!
//! A clock thread puts what is due into a queue for each generator thread; tokio's timers tick in milliseconds, which would
//! make bursts. What finds no room in the queue is counted and not sent: the generator must not fall over itself.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    client::{Connection, Requests},
    load::{percentiles, runtime, spread},
};

/// The clock sleeps at least so long: at high rates a few calls fall due together, and the clock costs little.
const TICK: Duration = Duration::from_micros(100);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    /// Calls a second.
    pub(crate) rate: f64,
    pub(crate) turn_ms: u64,
    /// Calls that may be due and unsent; beyond it they are given up.
    pub(crate) waiting_max: usize,
}

/// One call that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// When it fell due, milliseconds from the start.
    pub(crate) due_ms: u32,
    pub(crate) micros: u32,
    pub(crate) status: u16,
    pub(crate) has_retry_after: bool,
    pub(crate) lacks_a_node: bool,
}

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answered: Vec<Answered>,
    pub(crate) unsent: usize,
    pub(crate) seconds: f64,
    /// From the end to the last answer.
    pub(crate) drain_ms: f64,
}

impl Outcome {
    pub(crate) fn good(&self) -> impl Iterator<Item = &Answered> {
        self.answered.iter().filter(|answered| answered.status == 200)
    }

    /// Microseconds of the good answers: median and 99th percentile.
    pub(crate) fn percentiles(&self) -> (f64, f64) {
        percentiles(self.good().map(|answered| answered.micros).collect())
    }
}

/// What is due, for one generator thread.
struct Queue {
    due: Mutex<VecDeque<Instant>>,
    /// A permit for each; closed at the end.
    ready: Semaphore,
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn run(address: SocketAddr, requests: &Arc<Requests>, plan: Plan) -> Outcome {
    let parts = spread(plan.connections);
    let queue = || Arc::new(Queue { due: Mutex::default(), ready: Semaphore::new(0) });
    let queues: Vec<_> = parts.iter().map(|_| queue()).collect();
    let started = Instant::now();
    let threads: Vec<_> = parts
        .into_iter()
        .zip(&queues)
        .map(|(numbers, queue)| {
            let (queue, requests) = (Arc::clone(queue), Arc::clone(requests));
            thread::spawn(move || generate(address, &requests, numbers, &queue, started))
        })
        .collect();
    let unsent = clock(&queues, plan, started);
    queues.iter().for_each(|queue| queue.ready.close());
    let seconds = started.elapsed().as_secs_f64();
    let answered = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let drain_ms = (started.elapsed().as_secs_f64() - seconds) * 1e3;
    Outcome { answered, unsent, seconds, drain_ms }
}

/// Let calls fall due until the turn ends; how many were given up.
fn clock(queues: &[Arc<Queue>], plan: Plan, started: Instant) -> usize {
    let end = started + Duration::from_millis(plan.turn_ms);
    let waiting_max = plan.waiting_max / queues.len();
    let (mut next, mut number, mut unsent) = (started, 0_usize, 0);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    while Instant::now() < end {
        let now = Instant::now();
        let mut added = vec![0; queues.len()];
        while next <= now {
            let at = number % queues.len();
            let mut due = queues[at].lock();
            if due.len() < waiting_max {
                due.push_back(next);
                added[at] += 1;
            } else {
                unsent += 1;
            }
            number += 1;
            next += Duration::from_secs_f64(pause(&mut dice, plan.rate));
        }
        queues.iter().zip(added).for_each(|(queue, added)| queue.ready.add_permits(added));
        thread::sleep(next.saturating_duration_since(Instant::now()).max(TICK));
    }
    unsent
}

/// Seconds to the next call, as between callers who do not know of each other (exponential).
fn pause(dice: &mut u64, rate: f64) -> f64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    let share = (*dice >> 11) as f64 / (1_u64 << 53) as f64;
    -(1.0 - share).ln() / rate
}

fn generate(
    address: SocketAddr,
    requests: &Arc<Requests>,
    numbers: std::ops::Range<usize>,
    queue: &Arc<Queue>,
    started: Instant,
) -> Vec<Answered> {
    let runtime = runtime();
    let callers: Vec<_> = numbers
        .map(|number| runtime.spawn(caller(address, Arc::clone(requests), number * 7919, Arc::clone(queue), started)))
        .collect();
    runtime.block_on(async {
        let mut answered = Vec::new();
        for caller in callers {
            answered.extend(caller.await.unwrap());
        }
        answered
    })
}

async fn caller(
    address: SocketAddr,
    requests: Arc<Requests>,
    first: usize,
    queue: Arc<Queue>,
    started: Instant,
) -> Vec<Answered> {
    let mut connection = Connection::open(address).await.unwrap();
    let (mut answered, mut number) = (Vec::new(), first);
    while let Ok(permit) = queue.ready.acquire().await {
        permit.forget();
        let Some(due) = queue.lock().pop_front() else { continue };
        let answer = connection.call(&requests, number).await.unwrap();
        answered.push(Answered {
            due_ms: (due - started).as_millis() as u32,
            micros: due.elapsed().as_micros() as u32,
            status: answer.status,
            has_retry_after: answer.has_retry_after,
            lacks_a_node: answer.lacks_a_node,
        });
        number += 1;
    }
    answered
}
