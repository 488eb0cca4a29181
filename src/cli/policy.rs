//! `shuqiao policy check [DIR]`: do the policies hold together, and what do they say?

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::policy::PolicySet;

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Validate every policy strictly against the schema; list them.
    Check {
        #[arg(default_value = "policies")]
        folder: PathBuf,
    },
}

pub(super) fn run(args: PolicyArgs) -> anyhow::Result<ExitCode> {
    let PolicyCommand::Check { folder } = args.command;
    match PolicySet::load(&folder) {
        Ok(set) => {
            for (id, rule) in set.rules() {
                println!("{} {id}: {}", if rule.permits { "permit" } else { "forbid" }, rule.why);
            }
            println!("policy set {}", set.hash());
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}");
            Ok(ExitCode::FAILURE)
        }
    }
}
