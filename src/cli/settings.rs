//! `shuqiao settings`: how the node would run, and why.

use std::process::ExitCode;

use clap::Args;

use super::home::Home;

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {}

pub(super) fn run(_args: SettingsArgs, home: &Home) -> anyhow::Result<ExitCode> {
    for (key, value, origin) in home.settings()?.explain() {
        println!("{key:34} {value:40} {origin}");
    }
    Ok(ExitCode::SUCCESS)
}
