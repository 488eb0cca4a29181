//! `shuqiao policy sample`: a log of made-up calls, to try a replay on.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use super::ground::{self, GroundArgs};
use crate::{
    audit::LogOptions,
    cli::{home::Home, progress_bar},
    exchange::rehearsal::{Rehearsal, rehearse},
    policy::PolicyFiles,
};

#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// How many calls.
    #[arg(long)]
    calls: u64,
    /// They are spread over this many days until now.
    #[arg(long, default_value_t = 30)]
    days: u16,
    /// The same seed makes the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the log to make or to append to.
    #[arg(long, value_name = "LOGDIR")]
    out: PathBuf,
    /// Directory of the policies that decide [default: policies, else that of the node in --dir].
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    ground: GroundArgs,
}

pub(super) async fn run(args: &SampleArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let ground = args.ground.load(home)?;
    let policies = PolicyFiles::read(&ground::folder(args.policies.as_ref(), home)?)?.set()?;
    let bar = progress_bar("making calls", args.calls);
    let started = Instant::now();
    let rehearsal = Rehearsal {
        catalog: &ground.catalog,
        agreements: &ground.agreements,
        policies: Arc::new(policies),
        calls: args.calls,
        seed: args.seed,
        since: now - TimeDelta::days(args.days.into()),
        until: now,
        progress: &|done| bar.set_position(done),
    };
    let written = rehearse(&args.out, LogOptions::default(), &rehearsal).await;
    bar.finish_and_clear();
    println!("{}: {} calls, {:.1} s", args.out.display(), written?, started.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
