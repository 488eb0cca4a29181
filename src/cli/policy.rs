//! `shuqiao policy`: do the policies hold together, what do they say, and what would others say?
//!
//! `check` and `test` need no node. Complaints and warnings are one line each, `file:line:column: policy: message. remedy`.

mod check;
mod explain;
mod ground;
mod replay;
mod sample;
mod sets;
mod test;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::home::Home;
use crate::catalog::Complaint;

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Validate every policy strictly against the schema, list them, and warn of those that are shadowed, can never hold
    /// or decide no case; exit with 1 if they do not hold together.
    Check(check::CheckArgs),
    /// Put the cases beside the policies to them; exit with 1 if one is not decided as it expects.
    Test(test::TestArgs),
    /// Say which policies decided a recorded call or the cases of a file, and which condition and attribute made them.
    Explain(explain::ExplainArgs),
    /// Decide every recorded call again under other policies, and count whose answers would change.
    Replay(replay::ReplayArgs),
    /// Propose a policy set, for another account to approve; it must pass its cases and the probes.
    Propose(sets::ProposeArgs),
    /// Let a proposed set decide.
    Approve(sets::DecideArgs),
    /// Refuse a proposed set, or take it back.
    Reject(sets::DecideArgs),
    /// Let the set decide again that was active before.
    Rollback(sets::RollBackArgs),
    /// List the policy sets.
    Sets(sets::SetsArgs),
    /// Make a log of made-up calls, to try a replay on.
    #[command(hide = true)]
    Sample(sample::SampleArgs),
}

pub(crate) async fn run(args: PolicyArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    match args.command {
        PolicyCommand::Check(args) => check::run(&args, home),
        PolicyCommand::Test(args) => test::run(&args, home),
        PolicyCommand::Explain(args) => explain::run(&args, home, now).await,
        PolicyCommand::Replay(args) => replay::run(&args, home, now).await,
        PolicyCommand::Propose(args) => sets::propose(&args, home, now).await,
        PolicyCommand::Approve(args) => sets::approve(&args, home, now).await,
        PolicyCommand::Reject(args) => sets::reject(&args, home, now).await,
        PolicyCommand::Rollback(args) => sets::roll_back(&args, home, now).await,
        PolicyCommand::Sets(args) => sets::list(&args, home).await,
        PolicyCommand::Sample(args) => sample::run(&args, home, now).await,
    }
}

/// Print complaints, one a line, and how many they are.
fn list(complaints: &[Complaint], out: &mut impl std::io::Write) -> anyhow::Result<ExitCode> {
    for complaint in complaints {
        writeln!(out, "{complaint}")?;
    }
    writeln!(out, "{} complaint{}", complaints.len(), plural(complaints.len()))?;
    Ok(ExitCode::FAILURE)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
