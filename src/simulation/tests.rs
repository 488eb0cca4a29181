//! What docs/enumeration.md promises, over several seeds: honest clients are never blocked, harvesters seldom get away.
//!
//! Fewer hours than in the published table, because this crate is not optimised for its tests; nine o'clock is in them.

use std::collections::BTreeMap;

use super::{Found, Kind, Report, Scenario, simulate};
use crate::enumeration::{Level, Thresholds};

fn run(seed: u64, hours: u64, terminals: u64, harvests: &[Kind], thresholds: Thresholds) -> Report {
    let start = "2026-11-30T01:00:00Z".parse().unwrap(); // nine o'clock on a Monday in China
    simulate(&Scenario { seed, terminals, hours, start, harvests: harvests.to_vec(), thresholds }).unwrap()
}

#[test]
fn normal_traffic_of_six_thousand_terminals_is_never_blocked() {
    for seed in 100..103 {
        let report = run(seed, 1, 6_000, &[], Thresholds::default());
        assert!(report.calls > 100_000, "{report:?}");
        assert_eq!((report.at(Level::Block), report.refused), (0, 0), "seed {seed}: {report:?}");
    }
}

/// The other way round: a defence that suspects more finds fault with the same traffic, so the test above can fail.
#[test]
fn a_defence_that_is_too_eager_blocks_normal_traffic() {
    let eager = Thresholds { warn: 500, slow: 1_000, block: 2_000, ..Thresholds::default() };
    assert!(run(100, 1, 2_000, &[], eager).at(Level::Block) > 0);
}

#[test]
fn every_kind_of_harvest_is_told_of_in_nine_of_ten_runs_at_least() {
    let mut told: BTreeMap<Kind, u64> = BTreeMap::new();
    let seeds = 200..206;
    for seed in seeds.clone() {
        for (kind, found) in run(seed, 8, 300, &Kind::ALL, Thresholds::default()).harvests {
            let Found { told_after, calls, .. } = found;
            *told.entry(kind).or_default() += u64::from(told_after.is_some());
            assert!(told_after.is_none_or(|after| after <= calls));
        }
    }
    let runs = seeds.end - seeds.start;
    assert_eq!(told.len(), Kind::ALL.len());
    for (kind, told) in told {
        assert!(told * 10 >= runs * 9, "{kind}: {told} of {runs}");
    }
}

#[test]
fn a_defence_that_sleeps_finds_nobody() {
    let asleep =
        Thresholds { warn: i32::MAX, slow: i32::MAX, block: i32::MAX, surge_from: u32::MAX, ..Thresholds::default() };
    let report = run(200, 1, 300, &[Kind::Random, Kind::MaskSweep, Kind::ColludingRandom], asleep);
    assert!(report.harvests.values().all(|found| found.told_after.is_none()), "{report:?}");
}

#[test]
fn a_run_is_a_function_of_its_seed() {
    let run = |seed| run(seed, 1, 300, &Kind::ALL, Thresholds::default());
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
