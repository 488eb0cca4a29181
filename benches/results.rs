//! Results kept: a JSON line a run, so that commits can be compared, and the table of the README.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    compare,
    machine::Machine,
    options::Options,
    report::{Figure, Report},
    world::root,
};

/// Between these lines of the README stands what this program writes.
const BEGIN: &str = "<!-- measured: written by `cargo bench -- --write` -->";
const END: &str = "<!-- /measured -->";

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) commit: String,
    pub(crate) day: NaiveDate,
    pub(crate) quick: bool,
    pub(crate) persons: u64,
    pub(crate) rounds: usize,
    pub(crate) turn_ms: u64,
    /// What other processes took of a core meanwhile.
    pub(crate) others_percent: f64,
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
    pub(crate) skipped: Vec<(String, String)>,
}

/// Append the run to the lines in the target directory; put it into the README where that was asked.
pub(crate) fn keep(report: &Report, others_percent: f64, options: &Options) {
    let run = Run {
        commit: commit(),
        day: Utc::now().date_naive(),
        quick: options.quick,
        persons: options.scale.persons,
        rounds: options.scale.rounds,
        turn_ms: options.scale.turn_ms,
        others_percent: others_percent.round(),
        machine: Machine::here(&options.cache),
        figures: report.figures.clone(),
        skipped: report.skipped.clone(),
    };
    println!("\n{} persons, commit {}; {}", run.persons, run.commit, run.machine);
    println!("other processes took {others_percent:.0} % of a core meanwhile");
    let lines = lines_file();
    let line = serde_json::to_string(&run).unwrap();
    let file = OpenOptions::new().create(true).append(true).open(&lines);
    file.and_then(|mut file| writeln!(file, "{line}")).unwrap();
    println!("kept in {}", lines.display());
    match (options.quick, options.write) {
        (true, true) => compare::keep_reference(&run),
        (true, false) => compare::with_reference(&run),
        (false, true) => write_readme(run),
        (false, false) => {}
    }
}

/// `bench-results.jsonl` in the target directory, where `cargo clean` finds it.
pub(crate) fn lines_file() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).unwrap_or(Path::new(".")).join("bench-results.jsonl")
}

/// The commit that was measured, with a `+` where the tree was changed after it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let said = Command::new("git").current_dir(root()).args(arguments).output();
        said.map_or_else(|_| String::new(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    let is_changed = !git(&["status", "--porcelain", "--", "src", "Cargo.lock"]).is_empty();
    format!("{}{}", git(&["rev-parse", "--short=10", "HEAD"]), if is_changed { "+" } else { "" })
}

/// Figures of earlier runs that this one did not measure stay, each with its own commit.
fn write_readme(run: Run) {
    let kept = root().join("benches/measured.json");
    let text = fs::read_to_string(&kept).unwrap_or_default();
    let mut runs: Vec<Run> = serde_json::from_str(&text).unwrap_or_default();
    for earlier in &mut runs {
        earlier.figures.retain(|figure| run.figures.iter().all(|newer| newer.name != figure.name));
    }
    runs.retain(|earlier| !earlier.figures.is_empty());
    runs.push(run);
    fs::write(&kept, serde_json::to_string_pretty(&runs).unwrap() + "\n").unwrap();
    let readme = root().join("benches/README.md");
    let text = fs::read_to_string(&readme).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the README has the line after which figures are written");
    let (_, after) = rest.split_once(END).expect("the README has the line before which figures are written");
    fs::write(readme, format!("{before}{BEGIN}\n\n{}\n{END}{after}", page(&runs))).unwrap();
}

/// The tables of all runs whose figures still stand, oldest first.
fn page(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        let Run { commit, day, persons, rounds, turn_ms, others_percent, machine, .. } = run;
        let seconds = *turn_ms as f64 / 1e3;
        text += &format!(
            "{day}, commit {commit}, {persons} persons, {rounds} turns of {seconds} s each; {machine}; other processes took {others_percent} % of a core meanwhile.\n\n"
        );
        text += &table(&run.figures);
        for (what, why) in &run.skipped {
            text += &format!("\nSkipped: {what}: {why}.\n");
        }
        text += "\n";
    }
    text
}

/// Sections are the first word of a name; each has a table of its own.
fn table(figures: &[Figure]) -> String {
    let mut sections: BTreeMap<usize, (String, String)> = BTreeMap::new();
    let section = |figure: &Figure| figure.name.split([',', ':']).next().unwrap_or_default().to_owned();
    let mut order: Vec<String> = Vec::new();
    for figure in figures {
        let name = section(figure);
        let at = order.iter().position(|known| *known == name).unwrap_or_else(|| {
            order.push(name.clone());
            order.len() - 1
        });
        sections.entry(at).or_insert((name, String::new())).1 += &format!("{figure}\n");
    }
    let head = "| what | ours | beside it | unit | ratio (lowest to highest turn) | goal | reached |\n|---|---|---|---|---|---|---|\n";
    sections.into_values().map(|(_, rows)| format!("{head}{rows}\n")).collect()
}
