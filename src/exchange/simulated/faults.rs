//! Schedules of faults in the simulated network, drawn by seeds, and what they have found.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use turmoil::Sim;

use super::{ASKER, OTHERS, Planted, World, calls::call, fixture::number, serve};

const TICK: Duration = Duration::from_millis(5);
/// After the last fault has ended, everything is healed.
const HEALED_AFTER: u64 = 1_600;
const LATENCY: Duration = Duration::from_millis(10);
/// Schedules of the ordinary run.
const FEW: u64 = 300;
/// Schedules in which a bug that was put in must show itself.
const MANY: u64 = 2_000;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Restart,
    /// What the node sends and what it is sent waits.
    Pause,
    Partition,
    OneWay,
    Delay,
    Loss,
    Duplicate,
}

const KINDS: [Kind; 8] =
    [Kind::Kill, Kind::Restart, Kind::Pause, Kind::Partition, Kind::OneWay, Kind::Delay, Kind::Loss, Kind::Duplicate];

/// What happens at one node, or on the way from it to another.
#[derive(Clone, Copy, Debug)]
struct Fault {
    kind: Kind,
    node: &'static str,
    other: &'static str,
    strength: u64,
    from: u64,
    to: u64,
}

fn draw(dice: &mut Dice) -> Vec<Fault> {
    let all = [OTHERS[0], OTHERS[1], OTHERS[2], OTHERS[3], ASKER];
    let mut faults = Vec::new();
    for _ in 0..=dice.below(4) {
        let kind = KINDS[dice.below(KINDS.len() as u64) as usize];
        let at = dice.below(OTHERS.len() as u64) as usize;
        let other = all[(at + 1 + dice.below(4) as usize) % all.len()];
        let turned = dice.below(2) == 0 && kind == Kind::OneWay;
        let (node, other) = if turned { (other, all[at]) } else { (all[at], other) };
        let from = dice.below(900);
        faults.push(Fault { kind, node, other, strength: dice.below(1000), from, to: from + 50 + dice.below(600) });
    }
    faults
}

impl Fault {
    fn begin(&self, sim: &mut Sim<'_>, world: &World) {
        let Self { kind, node, other, strength, .. } = *self;
        match kind {
            Kind::Kill => sim.crash(node),
            Kind::Restart => sim.bounce(node),
            Kind::Pause => around(node).for_each(|other| sim.hold(node, other)),
            Kind::Partition => sim.partition(node, other),
            Kind::OneWay => sim.partition_oneway(node, other),
            Kind::Delay => sim.set_link_latency(node, other, Duration::from_millis(20 + strength / 2)),
            Kind::Loss => sim.set_link_fail_rate(node, other, 0.05 + strength as f64 / 2_000.0),
            Kind::Duplicate => world.twice.store(200 + strength * 4 / 5, Relaxed),
        }
    }

    fn end(&self, sim: &mut Sim<'_>, world: &World) {
        let Self { kind, node, other, .. } = *self;
        match kind {
            Kind::Kill => sim.bounce(node),
            Kind::Restart => {}
            Kind::Pause => around(node).for_each(|other| sim.release(node, other)),
            Kind::Partition => sim.repair(node, other),
            Kind::OneWay => sim.repair_oneway(node, other),
            Kind::Delay => sim.set_link_latency(node, other, LATENCY),
            Kind::Loss => {
                sim.set_link_fail_rate(node, other, 0.0);
                sim.repair(node, other);
            }
            Kind::Duplicate => world.twice.store(0, Relaxed),
        }
    }
}

fn around(node: &'static str) -> impl Iterator<Item = &'static str> {
    OTHERS.into_iter().chain([ASKER]).filter(move |other| *other != node)
}

/// One schedule: faults and network are the seed's. Two messages of one tick may change places from run to run.
fn run(seed: u64, planted: Option<Planted>) -> (Vec<Fault>, Arc<World>) {
    let mut dice = Dice(seed);
    let faults = draw(&mut dice);
    let world = Arc::new(World::new(planted));
    let mut builder = turmoil::Builder::new();
    builder.rng_seed(seed).tick_duration(TICK).simulation_duration(Duration::from_secs(60));
    builder.min_message_latency(Duration::from_millis(1)).max_message_latency(LATENCY);
    let mut sim = builder.build();
    for node in OTHERS {
        let world = Arc::clone(&world);
        sim.host(node, move || serve(Arc::clone(&world), node));
    }
    sim.client(ASKER, call(Arc::clone(&world)));
    let mut moments: Vec<_> =
        faults.iter().flat_map(|fault| [(fault.from, fault, true), (fault.to, fault, false)]).collect();
    moments.sort_by_key(|(at, ..)| *at);
    let mut moments = moments.into_iter().peekable();
    loop {
        let now = u64::try_from(sim.elapsed().as_millis()).unwrap();
        while let Some((_, fault, begins)) = moments.next_if(|(at, ..)| *at <= now) {
            if begins { fault.begin(&mut sim, &world) } else { fault.end(&mut sim, &world) }
        }
        if now >= HEALED_AFTER && !world.healed.swap(true, Relaxed) {
            heal(&mut sim, &world);
        }
        if sim.step().unwrap() {
            return (faults, world);
        }
    }
}

/// Faults that overlapped may have left something.
fn heal(sim: &mut Sim<'_>, world: &World) {
    for (n, node) in OTHERS.into_iter().enumerate() {
        if !sim.is_host_running(node) {
            sim.bounce(node);
        }
        for other in OTHERS.into_iter().skip(n + 1).chain([ASKER]) {
            sim.release(node, other);
            sim.repair(node, other);
        }
    }
    if world.has(Planted::NeverHeals) {
        sim.partition(OTHERS[2], ASKER);
        sim.partition(OTHERS[2], OTHERS[0]);
    }
}

#[test]
fn whatever_fails_no_answer_is_false_and_none_is_given_twice() {
    let (count, first) = (number("FEDERATION_SCHEDULES", FEW), number("FEDERATION_SEED", 1));
    let started = std::time::Instant::now();
    let half = |odd: u64| {
        let (mut calls, mut kinds, mut slowest) = (0, [0_usize; KINDS.len()], Duration::ZERO);
        for seed in (first..first + count).filter(|seed| seed % 2 == odd) {
            let (faults, world) = run(seed, None);
            let amiss = world.amiss();
            assert!(
                amiss.is_empty(),
                "schedule {seed}, {faults:#?}: {amiss:#?}\nagain: FEDERATION_SCHEDULES=1 FEDERATION_SEED={seed} cargo t \
                 --lib -- exchange::simulated --nocapture"
            );
            calls += world.heard.lock().unwrap().len();
            slowest = slowest.max(world.recovery.lock().unwrap().unwrap_or_default());
            for fault in faults {
                kinds[KINDS.iter().position(|kind| *kind == fault.kind).unwrap()] += 1;
            }
        }
        (calls, kinds, slowest)
    };
    let ((calls, kinds, slowest), other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        (half(0), other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let kinds: Vec<_> = KINDS.iter().zip(kinds.iter().zip(other.1)).map(|(kind, (a, b))| (kind, a + b)).collect();
    eprintln!(
        "{count} schedules from seed {first} in {:?}: {} calls, slowest recovery {:?}, {kinds:?}",
        started.elapsed(),
        calls + other.0,
        slowest.max(other.2)
    );
}

#[test]
fn a_bug_that_is_put_in_is_found() {
    for (planted, said) in [
        (Planted::SilenceIsNotFound, "is said to be NotFound"),
        (Planted::ForgetsAtOnce, "twice"),
        (Planted::ForgetsAtRestart, "twice"),
        (Planted::AnswersUnwritten, "not written it down"),
        (Planted::NeverHeals, "came back after None"),
    ] {
        let found = (0..MANY).any(|seed| run(seed, Some(planted)).1.amiss().iter().any(|amiss| amiss.contains(said)));
        assert!(found, "{planted:?} is not found");
    }
}
