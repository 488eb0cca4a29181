//! `shuqiao health`: is a node ready? For container health checks and deploy scripts.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::home::Home;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// The node's base URL. Without it, the address that its settings say it listens on.
    #[arg(long)]
    url: Option<String>,
}

pub(super) async fn run(args: HealthArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let base = match args.url {
        Some(url) => url,
        None => format!("http://{}", home.settings()?.http.listen),
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let response = client.get(format!("{}/readyz", base.trim_end_matches('/'))).send().await?;
    let ready = response.status().is_success();
    print!("{}", response.text().await?);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
