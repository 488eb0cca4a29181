//! `shuqiao sample DATASET --rows N --seed S --out FILE`.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use chrono::NaiveDate;
use clap::Args;

use super::progress_bar;
use crate::sample::{Register, SampleRequest, write};

#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// natural-person, legal-entity, social-credit or e-licence.
    #[arg(value_parser = register)]
    dataset: Register,
    /// How many rows.
    #[arg(long)]
    rows: u64,
    /// The same seed makes the same register, on every machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to make, `.csv` or `.parquet`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The day on which the register is as it is.
    #[arg(long, value_name = "DATE", default_value = "2026-11-01")]
    as_of: NaiveDate,
    /// Size of the natural-person register that holders and representatives are of [default: ROWS].
    #[arg(long)]
    persons: Option<u64>,
}

fn register(text: &str) -> Result<Register, String> {
    let known = || Register::ALL.iter().map(|register| register.dataset());
    let found = Register::ALL.iter().copied().find(|register| register.dataset() == text);
    found.ok_or_else(|| {
        let similarity = |name: &&str| (strsim::jaro_winkler(name, text) * 1e6) as u64;
        let near = known().max_by_key(similarity).unwrap_or_default();
        format!("no sample can be made of it. Did you mean `{near}`?")
    })
}

pub(super) fn run(args: SampleArgs) -> anyhow::Result<ExitCode> {
    let request = SampleRequest {
        register: args.dataset,
        rows: args.rows,
        seed: args.seed,
        as_of: args.as_of,
        persons: args.persons.unwrap_or(args.rows),
    };
    let started = Instant::now();
    let bar = progress_bar(&format!("making {}", args.dataset.dataset()), args.rows);
    let made = write(&request, &args.out, &|done| bar.set_position(done));
    bar.finish_and_clear();
    let made = made?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{}: {} rows, {} bytes, {seconds:.1} s", args.out.display(), made.rows, made.bytes);
    Ok(ExitCode::SUCCESS)
}
