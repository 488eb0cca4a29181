//! Five times as many calls as the node can answer, for a minute: what it still answers, how it says no to the rest, what
//! that costs in memory, and how soon it is itself again.

use std::sync::Arc;

use crate::{
    contenders::Contender,
    contenders::own,
    home::Receipts,
    load,
    open_loop::{self, Answered, Outcome, Plan},
    options::Scale,
    process,
    report::{Report, Target},
    world::World,
};

const TIMES: f64 = 5.0;
/// Twice the calls that a node lets be under way at once, so that it has to refuse.
const CONNECTIONS: usize = 2_048;
/// Share of the capacity at which a node is at ease: before, and to see it recover.
const EASY: f64 = 0.2;
const WINDOW_MS: u32 = 100;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let node = own(world, Receipts::Batch);
    let closed =
        |connections, turn_ms| load::closed(node.server.address, &node.requests, connections, turn_ms).per_second;
    closed(64, scale.turn_ms);
    let capacity = closed(64, scale.turn_ms * 2);
    // So many connections cost a call a third more, refusals or not: what each of them holds falls out of the caches.
    let capacity_then = closed(CONNECTIONS / 2, scale.turn_ms * 2);
    let easy = Plan { connections: 64, rate: capacity * EASY, turn_ms: scale.turn_ms * 2, waiting_max: 1 << 20 };
    let usual = load(&node, easy);
    let before = process::memory(node.server.pid()).resident;
    let plan =
        Plan { connections: CONNECTIONS, rate: capacity * TIMES, turn_ms: scale.overload_ms, waiting_max: CONNECTIONS };
    let under_load = load(&node, plan);
    let after = load(&node, easy);
    tell(&under_load, capacity, capacity_then, report);
    let grown = (process::memory(node.server.pid()).peak - before) / 1024.0;
    report.note("overload: resident memory above that before, at most", grown, "MiB", None);
    let recovered = under_load.drain_ms + recovery_ms(&after.answered, usual.percentiles().0);
    report.note("overload: from its end to ordinary answers", recovered, "ms", Target::AtMost(1_000.0));
    let worst =
        |outcome: &Outcome| windows(&outcome.answered).iter().map(|window| window.p99).fold(0.0, f64::max) / 1e3;
    let name = "overload: worst 99th percentile of a tenth of a second, after it beside before it";
    report.pair(name, "ms", &[(worst(&after), worst(&usual))], None);
}

fn load(node: &Contender, plan: Plan) -> Outcome {
    open_loop::run(node.server.address, &Arc::clone(&node.requests), plan)
}

fn tell(outcome: &Outcome, capacity: f64, capacity_then: f64, report: &mut Report) {
    let all = outcome.answered.len() as f64;
    let good = outcome.good().count() as f64;
    let refused: Vec<_> = outcome.answered.iter().filter(|answered| answered.status == 503).collect();
    let shaped = refused.iter().filter(|answered| answered.has_retry_after).count() as f64;
    let offered = (all + outcome.unsent as f64) / outcome.seconds;
    report.note("overload: calls that fell due", offered, "a second", None);
    report.note("overload: calls that the load generator could send", all / outcome.seconds, "a second", None);
    let beside = |capacity| [(good / outcome.seconds, capacity)];
    let name = format!("overload: good answers beside capacity with {} connections", CONNECTIONS / 2);
    report.pair(&name, "a second", &beside(capacity_then), Target::RatioAtLeast(0.8));
    report.pair("overload: good answers beside capacity with 64 connections", "a second", &beside(capacity), None);
    report.note("overload: share of answers that were 503", refused.len() as f64 / all * 100.0, "%", None);
    if !refused.is_empty() {
        report.note("overload: share of the 503 with Retry-After", shaped / refused.len() as f64 * 100.0, "%", None);
        let times = refused.iter().map(|answered| answered.micros).collect();
        report.note("overload: p50 of a 503", load::percentiles(times).0 / 1e3, "ms", None);
    }
    report.note("overload: p50 of a good answer", outcome.percentiles().0 / 1e3, "ms", None);
    let other = outcome.answered.iter().filter(|answered| ![200, 503].contains(&answered.status)).count();
    report.note("overload: answers that were neither", other as f64, "", Target::AtMost(0.0));
}

struct Window {
    p50: f64,
    p99: f64,
    /// Was a call not answered?
    refused: bool,
}

/// The end of the last window in which a call was refused, or half of the calls took more than twice as long as usual.
fn recovery_ms(answered: &[Answered], usual_p50: f64) -> f64 {
    let is_bad = |window: &Window| window.refused || window.p50 > usual_p50 * 2.0;
    windows(answered).iter().rposition(is_bad).map_or(0.0, |window| (window + 1) as f64 * f64::from(WINDOW_MS))
}

fn windows(answered: &[Answered]) -> Vec<Window> {
    let count = answered.iter().map(|answered| answered.due_ms / WINDOW_MS + 1).max().unwrap_or(0);
    let mut windows = vec![(Vec::new(), false); count as usize];
    for answered in answered {
        let (times, refused) = &mut windows[(answered.due_ms / WINDOW_MS) as usize];
        times.push(answered.micros);
        *refused |= answered.status != 200;
    }
    let window = |(times, refused)| {
        let (p50, p99) = load::percentiles(times);
        Window { p50, p99, refused }
    };
    windows.into_iter().map(window).collect()
}
