//! `shuqiao token CLIENT`: an access token for a registered client, signed on the node itself.
//!
//! For trying things out and for the node's operator, who holds the node's keys anyway. A department gets its tokens at
//! `/oauth/token` with its own key, as `shuqiao call` does.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;

use crate::{config::Settings, http::operator_token, identifiers::ClientId};

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// The client's id; `shuqiao client list` shows them.
    client: ClientId,
}

pub(super) async fn run(args: TokenArgs, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    println!("{}", operator_token(settings, &args.client, now).await?);
    Ok(ExitCode::SUCCESS)
}
