//! Publishing a register from CSV, beside DuckDB writing the same rows in the same order; and publishing changes to it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    duckdb,
    options::Scale,
    process,
    report::{Report, Target, median},
    world::{World, root},
};

const ROUNDS_MAX: usize = 3;
/// One of a hundred records, of ten million a hundred thousand.
const CHANGED: u64 = 100;
/// Shenzhen: an identity number begins with the division that issued it.
const CITY: &str = "4403";

/// What one run of a program took.
#[derive(Clone, Copy)]
struct Run {
    seconds: f64,
    /// Cores that were busy, on average.
    cores: f64,
    peak_mib: f64,
}

pub(crate) fn run(world: &World, scale: Scale, report: &mut Report) {
    let dir = world.scratch("publish");
    let file = dir.path().join("persons.csv");
    world.csv(&file);
    let node = Node::new(&dir);
    let persons = world.persons;
    let publish = || node.publish(&file, &[]);
    match duckdb::python(world) {
        Err(reason) => report.skip("publish: beside DuckDB", reason),
        Ok(python) => {
            let turn = |_| (publish(), copy(&python, &file, &dir.path().join("duckdb.parquet")));
            let turns: Vec<_> = (0..scale.rounds.min(ROUNDS_MAX)).map(turn).collect();
            let name = format!("publish: {persons} persons from CSV, beside DuckDB's sorted COPY");
            let seconds: Vec<_> = turns.iter().map(|(ours, theirs)| (ours.seconds, theirs.seconds)).collect();
            report.pair(&name, "s", &seconds, Target::RatioAtMost(2.0));
            let memory: Vec<_> = turns.iter().map(|(ours, theirs)| (ours.peak_mib, theirs.peak_mib)).collect();
            report.pair(&format!("publish: {persons} persons, most memory"), "MiB", &memory, Target::AtMost(2048.0));
            let cores = median(turns.iter().map(|(ours, _)| ours.cores));
            report.note(&format!("publish: {persons} persons, cores that were busy"), cores, "", None);
        }
    }
    changes(&node, &dir, &file, persons, scale, report);
}

/// Is the line of this number one that changes?
type Wanted<'a> = &'a dyn Fn(u64, &str) -> bool;

/// As many changes to one city as to the whole province.
fn changes(node: &Node, dir: &TempDir, file: &Path, persons: u64, scale: Scale, report: &mut Report) {
    node.publish(file, &[]);
    let count = persons / CHANGED;
    let of_city = |_: u64, line: &str| line.starts_with(CITY);
    let all_over = |number: u64, _: &str| number.is_multiple_of(CHANGED);
    let wanted: [(&str, Wanted<'_>); 2] = [("in one city", &of_city), ("all over", &all_over)];
    for (where_, wanted) in wanted {
        let changed = dir.path().join("changes.csv");
        write_changes(file, &changed, count, wanted);
        let runs: Vec<_> = (0..scale.rounds.min(ROUNDS_MAX)).map(|_| node.publish(&changed, &["--changes"])).collect();
        let name = format!("publish: {count} changes {where_}, of {persons} persons");
        report.note(&name, median(runs.iter().map(|run| run.seconds)), "s", None);
    }
}

fn write_changes(register: &Path, changes: &Path, count: u64, wanted: Wanted<'_>) {
    let mut lines = BufReader::new(File::open(register).unwrap()).lines().map(Result::unwrap);
    let mut text = BufWriter::new(File::create(changes).unwrap());
    writeln!(text, "_change,{}", lines.next().unwrap()).unwrap();
    let chosen = (0..).zip(lines).filter(|(number, line)| wanted(*number, line)).take(count as usize);
    for (number, line) in chosen {
        let change = if number % 20 == 0 { "delete" } else { "upsert" };
        writeln!(text, "{change},{line}").unwrap();
    }
    text.flush().unwrap();
}

/// A folder to publish to.
struct Node {
    settings: PathBuf,
}

impl Node {
    fn new(dir: &TempDir) -> Self {
        let settings = dir.path().join("shuqiao.toml");
        let text = format!(
            "[node]\nid = 'guangdong'\nurl = 'http://127.0.0.1:1'\n[paths]\ndata = '{}'\n\
             catalog = '{1}/catalogs/guangdong'\nagreements = '{1}/catalogs/guangdong-agreements.yaml'\n\
             policies = '{1}/policies'\n",
            dir.path().join("data").display(),
            root().display()
        );
        fs::write(&settings, text).unwrap();
        Self { settings }
    }

    /// Publish a file; versions before the newest are removed, so that the disk does not fill.
    fn publish(&self, file: &Path, more: &[&str]) -> Run {
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_shuqiao"));
            command.args(arguments).arg("--config").arg(&self.settings).stdout(Stdio::null());
            // Every variable that begins so is a setting to it.
            command.env_remove("SHUQIAO_BENCH_FILES").env_remove("SHUQIAO_BENCH_CACHE");
            command
        };
        let publish = [&["publish", "natural-person", file.to_str().unwrap()], more].concat();
        let run = timed(command(&publish));
        timed(command(&["vacuum", "--keep-versions", "1", "--older-than", "0m"]));
        run
    }
}

fn copy(python: &Path, from: &Path, to: &Path) -> Run {
    let mut command = Command::new(python);
    command.arg(root().join("benches/duckdb_copy.py")).args([from, to]);
    timed(command)
}

/// Run a program to its end.
fn timed(mut command: Command) -> Run {
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut peak, mut busy) = (0.0_f64, Duration::ZERO);
    let status = loop {
        // Both are gone with the process, so the last look counts.
        peak = peak.max(process::memory(child.id()).peak);
        busy = busy.max(process::cpu_alone(child.id()));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} failed");
    Run { seconds, cores: busy.as_secs_f64() / seconds, peak_mib: peak / 1024.0 }
}
