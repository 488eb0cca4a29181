//! How long a call takes at 70 % of what the node can do, beside the echo at the same rate, counted in fdatasyncs.

use crate::{
    contenders::{Kind, contenders},
    load,
    open_loop::{self, Plan},
    options::Scale,
    report::{Report, Target, median},
    syncs::Syncs,
    world::World,
};

const CONNECTIONS: usize = 64;
const LOAD: f64 = 0.7;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let contenders = contenders(world, None);
    let echo = contenders.iter().find(|contender| matches!(contender.kind, Kind::Echo)).unwrap();
    for own in contenders.iter().filter(|contender| matches!(contender.kind, Kind::Own { .. })) {
        load::closed(own.server.address, &own.requests, CONNECTIONS, scale.turn_ms / 2); // Warms.
        let capacity = load::closed(own.server.address, &own.requests, CONNECTIONS, scale.turn_ms).per_second;
        let plan =
            Plan { connections: CONNECTIONS, rate: capacity * LOAD, turn_ms: scale.turn_ms, waiting_max: 1 << 20 };
        let turn = |_| {
            let ours = open_loop::run(own.server.address, &own.requests, plan).percentiles();
            let theirs = open_loop::run(echo.server.address, &echo.requests, plan).percentiles();
            (ours, theirs, Syncs::measure(&world.kept(""), scale.turn_ms / 4).p50())
        };
        let turns: Vec<_> = (0..scale.rounds).map(turn).collect();
        let name = |what: &str| format!("latency, {}, at 70 % of capacity, {what}", own.name);
        report.note(&name("calls"), plan.rate, "a second", None);
        let p50: Vec<_> = turns.iter().map(|(ours, theirs, _)| (ours.0, theirs.0)).collect();
        let p99: Vec<_> = turns.iter().map(|(ours, theirs, _)| (ours.1, theirs.1)).collect();
        report.pair(&name("beside a bare echo: p50"), "us", &p50, None);
        report.pair(&name("beside a bare echo: p99"), "us", &p99, None);
        report.note(&name("fdatasync: p50"), median(turns.iter().map(|turn| turn.2)), "us", None);
        let above = |get: fn(&(f64, f64)) -> f64| {
            median(turns.iter().map(|(ours, theirs, sync)| (get(ours) - get(theirs)) / sync))
        };
        report.note(&name("p50 above the echo's"), above(|times| times.0), "fdatasyncs", Target::AtMost(1.5));
        report.note(&name("p99 above the echo's"), above(|times| times.1), "fdatasyncs", Target::AtMost(3.0));
    }
}
