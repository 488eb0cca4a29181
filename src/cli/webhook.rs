//! `shuqiao webhook set | remove | list | dead | replay`: where clients are told of what was finished later, and what they
//! could not be told.
//!
//! The ledger is changed beside the running node, which goes by it at the next delivery.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{acting::Acting, table::table};
use crate::{
    identifiers::{ClientId, DeliveryId},
    ledger::{Delivery, DeliveryFilter, DeliveryState, Ledger},
    rechecks,
};

#[derive(Debug, Args)]
pub(super) struct WebhookArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Tell a client there: an `https` address, or `http` on this machine.
    Set {
        client: ClientId,
        url: String,
        /// Why, for colleagues and auditors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// Tell a client nowhere; what waits for it is dead.
    Remove {
        client: ClientId,
        /// Why, for colleagues and auditors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// List the addresses.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the deliveries that were given up, the latest first.
    Dead {
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a delivery again that was given up, or delivered and lost.
    Replay {
        id: DeliveryId,
        #[command(flatten)]
        acting: Acting,
    },
}

pub(super) async fn run(args: WebhookArgs, ledger: &Ledger, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    match args.act {
        Act::Set { client, url, reason, acting } => {
            let url = rechecks::address(&url)?;
            ledger.set_webhook(&client, &url, &acting.name(ledger).await?, &reason, now).await?;
            println!("`{client}` is told at {url}");
        }
        Act::Remove { client, reason, acting } => {
            if !ledger.remove_webhook(&client, &acting.name(ledger).await?, &reason, now).await? {
                bail!("`{client}` has no webhook. `shuqiao webhook list` shows who has");
            }
            println!("`{client}` is told nowhere");
        }
        Act::List { json } => list(ledger, json).await?,
        Act::Dead { limit, json } => dead(ledger, limit, json).await?,
        Act::Replay { id, acting } => {
            if !ledger.replay_delivery(&id, &acting.name(ledger).await?, now).await? {
                bail!("there is no delivery `{id}`, or it is on its way already, or its client has no webhook");
            }
            println!("the delivery is on its way");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(ledger: &Ledger, as_json: bool) -> anyhow::Result<()> {
    let all = ledger.webhooks().await?;
    if as_json {
        let entry = |one: &crate::ledger::Webhook| json!({ "client": one.client, "url": one.url, "account": one.account, "since": rfc3339(one.since) });
        println!("{:#}", json!(all.iter().map(entry).collect::<Vec<_>>()));
        return Ok(());
    }
    let rows =
        all.into_iter().map(|one| [one.client.to_string(), one.url.to_string(), rfc3339(one.since), one.account]);
    print!("{}", table(["client", "url", "since", "account"], rows));
    Ok(())
}

async fn dead(ledger: &Ledger, limit: u32, as_json: bool) -> anyhow::Result<()> {
    let filter = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let found = ledger.deliveries(&filter, limit).await?;
    if as_json {
        let entry = |one: &Delivery| {
            json!({
                "id": one.id, "recheck": one.recheck, "client": one.client, "tries": one.tries,
                "made_at": rfc3339(one.made_at), "ended_at": one.ended_at.map(rfc3339), "failure": one.failure,
            })
        };
        println!("{:#}", json!(found.iter().map(entry).collect::<Vec<_>>()));
        return Ok(());
    }
    let rows = found.into_iter().map(|one| {
        let (ended, failure) = (one.ended_at.map(rfc3339).unwrap_or_default(), one.failure.unwrap_or_default());
        [one.id.to_string(), one.client.to_string(), one.tries.to_string(), ended, failure]
    });
    print!("{}", table(["delivery", "client", "tries", "given up", "failure"], rows));
    Ok(())
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
