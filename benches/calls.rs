//! A full call (token, policy, limits, look-up, durable audit, signed receipt) beside a bare axum echo, and beside axum with
//! PostgreSQL, all under the same load.

use crate::{
    contenders::{Contender, Kind, contenders},
    load::{self, Load},
    options::Scale,
    postgres::Postgres,
    process,
    report::{Report, Target},
    world::World,
};

/// One contender's turn.
struct Turn {
    load: Load,
    /// Microseconds of processor time a call: the server's, and the load generator's.
    server_cpu: f64,
    client_cpu: f64,
}

type Measure = (&'static str, &'static str, fn(&Turn) -> f64);

const MEASURES: [Measure; 5] = [
    ("calls", "a second", |turn| turn.load.per_second),
    ("p50", "us", |turn| turn.load.p50),
    ("p99", "us", |turn| turn.load.p99),
    ("server's processor time", "us a call", |turn| turn.server_cpu),
    ("client's processor time", "us a call", |turn| turn.client_cpu),
];

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let database = Postgres::over(world, scale.persons >= 1_000_000);
    if let Err(why) = &database {
        report.skip("calls beside axum with PostgreSQL", why);
    }
    let contenders = contenders(world, database.as_ref().ok());
    for connections in [64, 1] {
        let turn = |contender: &Contender, turn_ms| turn(contender, connections, turn_ms);
        for contender in &contenders {
            turn(contender, scale.turn_ms / 4); // Warms.
        }
        let round = |_| contenders.iter().map(|contender| turn(contender, scale.turn_ms)).collect();
        let rounds: Vec<Vec<Turn>> = (0..scale.rounds).map(round).collect();
        tell(&contenders, connections, &rounds, report);
    }
}

/// Every own contender beside every other.
fn tell(contenders: &[Contender], connections: usize, rounds: &[Vec<Turn>], report: &mut Report) {
    let word = if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") };
    let with_kind = |wanted: fn(Kind) -> bool| contenders.iter().enumerate().filter(move |(_, one)| wanted(one.kind));
    for (own, ours) in with_kind(|kind| matches!(kind, Kind::Own { .. })) {
        for (other, theirs) in with_kind(|kind| !matches!(kind, Kind::Own { .. })) {
            let least = match (ours.kind, theirs.kind) {
                (Kind::Own { of_echo }, Kind::Echo) => of_echo,
                _ => 3.0,
            };
            // Of one connection alone the round trip says all.
            let measures = if connections == 1 { &MEASURES[..2] } else { &MEASURES };
            for &(what, unit, get) in measures {
                let turns: Vec<_> = rounds.iter().map(|round| (get(&round[own]), get(&round[other]))).collect();
                let is_goal = what == "calls" && connections == 64;
                let name = format!("call, {}, {word}, beside {}: {what}", ours.name, theirs.name);
                report.pair(&name, unit, &turns, is_goal.then_some(Target::RatioAtLeast(least)));
            }
        }
    }
}

fn turn(contender: &Contender, connections: usize, turn_ms: u64) -> Turn {
    let Contender { server, requests, .. } = contender;
    let own = || process::cpu_alone(std::process::id());
    let (server_before, own_before) = (server.cpu(), own());
    let load = load::closed(server.address, requests, connections, turn_ms);
    let micros_a_call = |spent: std::time::Duration| spent.as_secs_f64() * 1e6 / load.calls as f64;
    let (server_cpu, client_cpu) = (micros_a_call(server.cpu() - server_before), micros_a_call(own() - own_before));
    Turn { load, server_cpu, client_cpu }
}
