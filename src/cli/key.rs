//! `shuqiao key rotate`: a new key in the place of one that signs.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::{config::Settings, keys::KeyRing};

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a new key; the old one goes on verifying. A node that runs takes it at SIGHUP (`systemctl reload`).
    Rotate {
        /// What the key signs.
        purpose: Purpose,
        /// The old key fell into wrong hands: what it has signed is not to be believed any longer.
        #[arg(long)]
        distrust: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Purpose {
    /// Receipts, and the heads of the audit log.
    Receipt,
    /// Access tokens.
    Token,
}

pub(super) fn run(args: &KeyArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let Act::Rotate { purpose, distrust } = args.act;
    let file = match purpose {
        Purpose::Receipt => settings.paths.receipt_key(),
        Purpose::Token => settings.paths.token_key(),
    };
    let rotated = KeyRing::rotate(&file, distrust)?;
    println!("{} signs from the next reload on (SIGHUP, `systemctl reload shuqiao`)", rotated.to);
    match distrust {
        true => println!("{} verifies nothing any longer", rotated.from),
        false => println!("{} goes on verifying", rotated.from),
    }
    Ok(ExitCode::SUCCESS)
}
