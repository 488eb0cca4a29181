//! Benchmarks, each beside a floor or a rival in the same run; what is printed are ratios.
//!
//! `cargo bench` runs all, `cargo bench -- look_up calls` some, `cargo bench -- --quick` all in a fraction of the time.
//! Every pair is measured in turns (A, B, A, B, ...) and compared by medians: the machine is noisy, one absolute time says
//! nothing. Results are appended to `bench-results.jsonl` in the target directory, one line a run.
//!
//! Not criterion: what is asked here is the ratio of two things under the same load, some of them whole servers.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops where it cannot go on")]

mod append;
mod calls;
mod load;
mod look_up;
mod object_store;
mod pairs;
mod parts;
#[path = "../tests/it/support/s3.rs"]
#[allow(dead_code, reason = "what only the tests ask of it")]
mod s3;
mod world;

use std::{fs, io::Write, path::PathBuf};

use pairs::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Persons in the register.
    pub(crate) persons: u64,
    /// Turns of each pair.
    pub(crate) rounds: usize,
    /// Milliseconds of one turn.
    pub(crate) turn_ms: u64,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name);
    let scale = if quick {
        Scale { persons: 100_000, rounds: 3, turn_ms: 300 }
    } else {
        Scale { persons: 1_000_000, rounds: 7, turn_ms: 2_000 }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let world = runtime.block_on(world::World::make(scale));
    let mut report = Report::default();
    if is_wanted("look_up") {
        runtime.block_on(look_up::run(&world, scale, &mut report));
    }
    if is_wanted("parts") {
        parts::run(&world, scale, &mut report);
    }
    if is_wanted("object_store") {
        runtime.block_on(object_store::run(&world, scale, &mut report));
    }
    if is_wanted("append") {
        runtime.block_on(append::run(scale, &mut report));
    }
    if is_wanted("calls") {
        runtime.block_on(calls::run(&world, scale, &mut report));
    }
    println!("{report}");
    keep(&report.json(scale));
}

/// Append the results where an earlier commit's results are found again.
fn keep(line: &serde_json::Value) {
    let target = std::env::var("CARGO_TARGET_DIR").map_or_else(|_| PathBuf::from("target"), PathBuf::from);
    let file = target.join("bench-results.jsonl");
    let appended =
        fs::OpenOptions::new().create(true).append(true).open(&file).and_then(|mut file| writeln!(file, "{line}"));
    match appended {
        Ok(()) => println!("kept in {}", file.display()),
        Err(error) => println!("not kept in {}: {error}", file.display()),
    }
}
