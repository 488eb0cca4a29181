//! `shuqiao simulate harvest`: how many harvests the enumeration defence finds, and how often it is wrong.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::table;
use crate::{
    enumeration::{Level, Thresholds},
    simulation::{Found, Kind, Report, Scenario, simulate},
};

/// Nine o'clock on a Monday in China, when those who waited for the doors to open come in.
const START: &str = "2026-11-30T01:00:00Z";

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    #[command(subcommand)]
    command: SimulateCommand,
}

#[derive(Debug, Subcommand)]
enum SimulateCommand {
    /// Normal traffic and harvesters against the enumeration defence, in virtual time. Nobody in it exists.
    Harvest(HarvestArgs),
}

#[derive(Debug, Args)]
struct HarvestArgs {
    /// The first seed; a run is a function of its seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs, each with the next seed; each once without harvesters and once with all of them.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    runs: u64,
    /// Hours from nine o'clock on.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=240))]
    hours: u64,
    /// Terminals at windows.
    #[arg(long, default_value_t = 6_000, value_parser = clap::value_parser!(u64).range(60..=1_000_000))]
    terminals: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Honest clients and their calls, over all runs.
#[derive(Default)]
struct Honest {
    clients: u64,
    calls: u64,
    levels: [u64; 4],
    refused: u64,
    alerts: BTreeMap<String, u64>,
}

/// The runs of one kind of harvest.
#[derive(Default)]
struct Harvested {
    runs: Vec<Found>,
}

pub(super) fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    let SimulateCommand::Harvest(args) = args.command;
    let (mut alone, mut beside) = (Honest::default(), Honest::default());
    let mut harvests: BTreeMap<Kind, Harvested> = BTreeMap::new();
    let bar = super::progress_bar("simulating", args.runs * 2);
    for seed in args.seed..args.seed.saturating_add(args.runs) {
        for kinds in [&[][..], &Kind::ALL[..]] {
            let report = one(&args, seed, kinds)?;
            if kinds.is_empty() { &mut alone } else { &mut beside }.add(&report);
            for (kind, found) in report.harvests {
                harvests.entry(kind).or_default().runs.push(found);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if args.json {
        let kinds = harvests.iter().map(|(kind, one)| (kind.as_str().to_owned(), one.as_json()));
        let kinds: serde_json::Map<_, _> = kinds.collect();
        println!("{:#}", json!({ "normal": alone.as_json(), "beside_harvests": beside.as_json(), "harvests": kinds }));
    } else {
        print!("{}", page(&args, &alone, &beside, &harvests));
    }
    Ok(ExitCode::SUCCESS)
}

fn one(args: &HarvestArgs, seed: u64, kinds: &[Kind]) -> anyhow::Result<Report> {
    let Ok(start) = START.parse() else { bail!("the start is no time") };
    let (terminals, hours, harvests) = (args.terminals, args.hours, kinds.to_vec());
    Ok(simulate(&Scenario { seed, terminals, hours, start, harvests, thresholds: Thresholds::default() })?)
}

fn page(args: &HarvestArgs, alone: &Honest, beside: &Honest, harvests: &BTreeMap<Kind, Harvested>) -> String {
    let HarvestArgs { runs, terminals, hours, .. } = args;
    let normal = [("alone", alone), ("beside all harvests", beside)].map(|(name, honest)| {
        [
            name.to_owned(),
            honest.clients.to_string(),
            honest.calls.to_string(),
            honest.at(Level::Warn).to_string(),
            honest.at(Level::Slow).to_string(),
            honest.at(Level::Block).to_string(),
            honest.refused.to_string(),
        ]
    });
    let heading = ["normal traffic", "clients", "calls", "warned", "slowed", "blocked", "calls refused"];
    let normal = table(heading, normal);
    let rows = harvests.iter().map(|(kind, one)| {
        [
            kind.to_string(),
            format!("{}/{}", one.told(), one.runs.len()),
            one.middle(|found| found.told_after),
            one.middle(|found| found.told_after.and(Some(found.learnt_before))),
            format!("{}/{}", one.blocked(), one.runs.len()),
            one.middle(|found| found.blocked_after),
            one.middle(|found| Some(found.learnt)),
            one.signals(),
        ]
    });
    let heading = [
        "harvest",
        "found",
        "after calls",
        "learnt by then",
        "blocked",
        "after calls",
        "learnt in all",
        "first signal",
    ];
    let found = table(heading, rows);
    format!(
        "{runs} runs of {hours} hours, {terminals} terminals; numbers of calls and subjects are medians\n\n{normal}\n{found}"
    )
}

impl Honest {
    fn add(&mut self, report: &Report) {
        self.clients += report.clients;
        self.calls += report.calls;
        self.refused += report.refused;
        for (sum, one) in self.levels.iter_mut().zip(report.levels) {
            *sum += one;
        }
        for ((work, signal), count) in &report.notices {
            *self.alerts.entry(format!("{work}: {signal}")).or_default() += count;
        }
    }

    fn at(&self, level: Level) -> u64 {
        self.levels[usize::from(level.number())]
    }

    fn as_json(&self) -> Value {
        json!({
            "clients": self.clients, "calls": self.calls, "warned": self.at(Level::Warn),
            "slowed": self.at(Level::Slow), "blocked": self.at(Level::Block), "refused": self.refused,
            "alerts": self.alerts,
        })
    }
}

impl Harvested {
    fn told(&self) -> usize {
        self.runs.iter().filter(|found| found.told_after.is_some()).count()
    }

    fn blocked(&self) -> usize {
        self.runs.iter().filter(|found| found.blocked_after.is_some()).count()
    }

    /// The middle one of the runs that have such a number.
    fn median(&self, number: impl Fn(&Found) -> Option<u64>) -> Option<u64> {
        let mut numbers: Vec<_> = self.runs.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.get(numbers.len() / 2).copied()
    }

    fn middle(&self, number: impl Fn(&Found) -> Option<u64>) -> String {
        self.median(number).map_or_else(|| "-".to_owned(), |number| number.to_string())
    }

    fn signals(&self) -> String {
        let signals: std::collections::BTreeSet<_> = self.runs.iter().filter_map(|found| found.signal).collect();
        signals.iter().map(|signal| signal.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn as_json(&self) -> Value {
        json!({
            "runs": self.runs.len(), "found": self.told(), "blocked": self.blocked(),
            "found_after_calls": self.median(|found| found.told_after),
            "learnt_when_found": self.median(|found| found.told_after.and(Some(found.learnt_before))),
            "blocked_after_calls": self.median(|found| found.blocked_after),
            "learnt_in_all": self.median(|found| Some(found.learnt)),
            "first_signals": self.signals(),
        })
    }
}
