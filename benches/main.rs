//! Benchmarks, each beside a floor or a rival in the same run; what is told are ratios.
//!
//! `cargo bench` runs all, `cargo bench -- look_up calls` some, `cargo bench -- --quick` all on a small register. Load
//! generator, node and rivals are separate processes, as in life: this program starts itself again as a rival
//! (`roles.rs`) and `shuqiao serve` as the node. Every pair is measured in turns (A, B, A, B, ...) and compared by medians:
//! the machine is noisy, one absolute time says nothing.
//!
//! Not criterion: what is asked here is the ratio of two things under the same load, most of them whole servers.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops where it cannot go on")]

mod append;
mod baseline;
mod calls;
mod client;
mod compare;
mod contenders;
mod cores;
mod duckdb;
mod echo;
mod federation;
mod growth;
mod home;
mod idle;
mod latency;
mod load;
mod look_up;
mod machine;
mod object_store;
mod open_loop;
mod options;
mod overload;
mod parts;
mod postgres;
mod process;
mod profile;
mod program;
mod province;
mod publish;
mod receipts;
mod report;
mod results;
mod roles;
#[path = "../tests/it/support/s3.rs"]
#[allow(dead_code, reason = "what only the tests ask of it")]
mod s3;
mod syncs;
mod world;

use std::process::ExitCode;

use options::{Options, Scale};
use report::Report;
use world::World;

// As in the node's own binary: the engine is measured in this process too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Section = fn(&World, Scale, &mut Report);

/// The sections, in the order in which they run.
const SECTIONS: &[(&str, Section)] = &[
    ("look_up", look_up::run),
    ("growth", growth::run),
    ("publish", publish::run),
    ("append", append::run),
    ("receipts", receipts::run),
    ("object_store", object_store::run),
    ("parts", parts::run),
    ("calls", calls::run),
    ("latency", latency::run),
    ("idle", idle::run),
    ("overload", overload::run),
    ("federation", federation::run),
    ("profile", profile::run),
];
/// Run only where it is named: it measures nothing that others would compare.
const ON_DEMAND: &str = "profile";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    process::have_files();
    if roles::play(&arguments) {
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(wrong) => {
            println!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    match &options.compare {
        Some((one, other)) => compare::commits(one, other),
        None => measure(&options),
    }
    ExitCode::SUCCESS
}

fn measure(options: &Options) {
    let world = World::prepare(options);
    let mut report = Report::default();
    let others = process::Others::watch();
    for (name, section) in SECTIONS {
        if options.is_wanted(name, *name != ON_DEMAND) {
            println!("\n== {name}");
            section(&world, options.scale, &mut report);
        }
    }
    results::keep(&report, others.percent(), options);
}
