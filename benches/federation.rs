//! What it costs that the record is at another node: one hop beside the same call answered here, a call to every city
//! beside one hop, and whether a city that is away is felt by calls that do not need it.

use std::{net::SocketAddr, process, sync::Arc, thread};

use crate::{
    client::Requests,
    cores,
    load::{self, Load},
    open_loop::{self, Outcome, Plan},
    options::Scale,
    province::{CITIES, Province},
    report::{Report, Target, median},
    world::World,
};

/// What is measured is the way between nodes: a larger register would add the same to both sides.
const PERSONS: u64 = 100_000;
/// Cores of the asking node and of all others, where they have one each.
const OF_ASKING: &str = "0";
const OF_OTHERS: &str = "1";
/// Where a call to every city comes in.
const PROVINCE: &str = "guangdong";
/// An asking city, one that is asked, and one that goes away.
const FEW: usize = 3;
const CONNECTIONS: usize = 64;
/// Share of the calls that one hop takes, for each of the three kinds of a mixed load: all are at ease.
const SHARE: f64 = 0.1;
/// Connections of each kind.
const MIXED_CONNECTIONS: usize = 16;

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let world = world.resized(PERSONS.min(world.persons));
    let mut few = Province::found(&world, FEW, CITIES[0].0);
    let capacity = one_hop(&few, &world, scale, report);
    dead_city(&mut few, &world, capacity, scale, report);
    drop(few);
    fan_out(&world, scale, report);
}

/// Who is called, and with what.
struct Side {
    address: SocketAddr,
    requests: Arc<Requests>,
}

impl Side {
    fn turn(&self, connections: usize, turn_ms: u64) -> Load {
        load::closed(self.address, &self.requests, connections, turn_ms)
    }
}

/// Turns of two sides, after both are warm.
fn turns(ours: &Side, theirs: &Side, connections: usize, scale: Scale) -> Vec<(Load, Load)> {
    for side in [ours, theirs] {
        side.turn(connections, scale.turn_ms / 4);
    }
    let turn = |_| (ours.turn(connections, scale.turn_ms), theirs.turn(connections, scale.turn_ms));
    (0..scale.rounds).map(turn).collect()
}

fn figures(turns: &[(Load, Load)], get: fn(&Load) -> f64) -> Vec<(f64, f64)> {
    turns.iter().map(|(ours, theirs)| (get(ours), get(theirs))).collect()
}

/// The first city's own calls, or those that another's authority is named in.
fn by_first_city(province: &Province, world: &World, city: usize) -> Side {
    let first = &province.cities[0];
    Side { address: first.address(), requests: first.requests(world, Some(CITIES[city].1)) }
}

/// One hop beside the same call answered here; the calls a second that it takes.
fn one_hop(few: &Province, world: &World, scale: Scale, report: &mut Report) -> f64 {
    let [here, there] = [0, 1].map(|city| by_first_city(few, world, city));
    let alone = turns(&there, &here, 1, scale);
    let name = |what: &str| format!("federation, one hop beside the same call answered here, {what}");
    let p50 = figures(&alone, |load| load.p50);
    report.pair(&name("1 connection: p50"), "us", &p50, Target::RatioAtMost(2.2));
    report.pair(&name("1 connection: p99"), "us", &figures(&alone, |load| load.p99), None);
    let many = turns(&there, &here, CONNECTIONS, scale);
    let calls = figures(&many, |load| load.per_second);
    report.pair(&name("64 connections: calls"), "a second", &calls, None);
    report.pair(&name("64 connections: p50"), "us", &figures(&many, |load| load.p50), None);
    let asking = name("64 connections, the asking node with a core of its own: calls");
    match apart(few) {
        Ok(()) => {
            let turns = turns(&there, &here, CONNECTIONS, scale);
            let calls = figures(&turns, |load| load.per_second);
            report.pair(&asking, "a second", &calls, Target::RatioAtLeast(0.45));
        }
        Err(reason) => report.skip(&asking, reason),
    }
    together(few);
    median(calls.iter().map(|(ours, _)| *ours))
}

/// The asking city and whoever calls it share one core, as they do where it answers by itself; the others have another.
fn apart(few: &Province) -> Result<(), String> {
    cores::pin(process::id(), OF_ASKING)?;
    few.cities[0].pin(OF_ASKING)?;
    few.province.pin(OF_OTHERS)?;
    few.cities[1..].iter().try_for_each(|city| city.pin(OF_OTHERS))
}

fn together(few: &Province) {
    let all = format!("{OF_ASKING},{OF_OTHERS}");
    let _ = cores::pin(process::id(), &all);
    few.cities.iter().chain([&few.province]).for_each(|node| drop(node.pin(&all)));
}

/// A call that every city may have the record of, beside one that names its authority; both asked at the province.
fn fan_out(world: &World, scale: Scale, report: &mut Report) {
    let all = Province::found(world, scale.cities, PROVINCE);
    let to = |authority| Side { address: all.province.address(), requests: all.province.requests(world, authority) };
    let (everywhere, one) = (to(None), to(Some(CITIES[1].1)));
    let turns = turns(&everywhere, &one, 1, scale);
    let name = |what: &str| format!("federation, {} cities asked beside one, 1 connection: {what}", scale.cities);
    report.pair(&name("p50"), "us", &figures(&turns, |load| load.p50), Target::RatioAtMost(3.0));
    report.pair(&name("p99"), "us", &figures(&turns, |load| load.p99), None);
}

/// What the three kinds of a mixed load came to.
struct Mixed {
    here: Outcome,
    there: Outcome,
    /// To the city that is away in every other turn.
    leaving: Outcome,
}

/// The same mixed load with all cities up and with one away.
fn dead_city(few: &mut Province, world: &World, capacity: f64, scale: Scale, report: &mut Report) {
    let sides = [0, 1, 2].map(|city| by_first_city(few, world, city));
    let plan = Plan {
        connections: MIXED_CONNECTIONS,
        rate: capacity * SHARE,
        turn_ms: scale.turn_ms * 2,
        waiting_max: 1 << 16,
    };
    mixed(&sides, plan); // Warms.
    let rounds: Vec<_> = (0..scale.rounds).map(|_| dead_and_alive(few, &sides, plan)).collect();
    let name = |what: &str| format!("federation, a city is away beside all are up, mixed load: {what}");
    type Get = fn(&Mixed) -> &Outcome;
    let kinds: [(&str, Get); 2] =
        [("calls answered here", |mixed| &mixed.here), ("calls to another city", |mixed| &mixed.there)];
    report.note(&name("calls of each kind"), plan.rate, "a second", None);
    for (kind, get) in kinds {
        let times: Vec<_> =
            rounds.iter().map(|(dead, alive)| (get(dead).percentiles(), get(alive).percentiles())).collect();
        let p50: Vec<_> = times.iter().map(|(dead, alive)| (dead.0, alive.0)).collect();
        let p99: Vec<_> = times.iter().map(|(dead, alive)| (dead.1, alive.1)).collect();
        report.pair(&name(&format!("{kind}, p50")), "us", &p50, None);
        report.pair(&name(&format!("{kind}, p99")), "us", &p99, Target::RatioAtMost(1.2));
    }
    let lost = rounds.iter().map(|(dead, _)| share_lacking(&dead.leaving) * 100.0);
    report.note(&name("calls to that city that were told that it is away"), median(lost), "%", None);
}

/// A turn without the third city, from the moment in which it goes, and one with it.
fn dead_and_alive(few: &mut Province, sides: &[Side; 3], plan: Plan) -> (Mixed, Mixed) {
    let alive = mixed(sides, plan);
    assert!(share_lacking(&alive.leaving) == 0.0, "a city was not reached that is up");
    few.cities[2].kill();
    let dead = mixed(sides, plan);
    few.cities[2].start();
    few.cities[0].until_answered(&sides[2].requests, 1);
    for outcome in [&alive.here, &alive.there, &dead.here, &dead.there] {
        let good = outcome.good().count();
        assert!(
            good == outcome.answered.len() && outcome.unsent == 0,
            "calls were refused that a node at ease answers"
        );
        assert!(share_lacking(outcome) == 0.0, "a city was not reached that is up");
    }
    (dead, alive)
}

/// All three kinds at once.
fn mixed(sides: &[Side; 3], plan: Plan) -> Mixed {
    let [here, there, leaving] = thread::scope(|scope| {
        let started = sides.each_ref().map(|side| scope.spawn(|| open_loop::run(side.address, &side.requests, plan)));
        started.map(|side| side.join().unwrap())
    });
    Mixed { here, there, leaving }
}

/// Share of the answers for which a node was not heard.
fn share_lacking(outcome: &Outcome) -> f64 {
    let lacking = outcome.answered.iter().filter(|answered| answered.lacks_a_node).count();
    lacking as f64 / outcome.answered.len() as f64
}
