//! `shuqiao suspend | resume | suspensions | acts`: the kill switches, and who did what.
//!
//! The ledger is changed beside the running node, which refuses calls within a second.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::json;

use super::{acting::Acting, table::table};
use crate::{
    catalog::Catalog,
    ledger::{Ledger, Target},
};

#[derive(Debug, Args)]
pub(super) struct SwitchArgs {
    /// `everything`, `client:NAME`, `agreement:NAME`, `dataset:NAME`, `field:DATASET.FIELD` or `peer:NODE`.
    target: Target,
    /// Why, for colleagues and auditors; callers are not told.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ActsArgs {
    /// How many, the latest first.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Acts before this number.
    #[arg(long)]
    before: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn suspend(
    args: SwitchArgs,
    ledger: &Ledger,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    let SwitchArgs { target, reason, acting } = args;
    known(&target, catalog)?;
    let account = acting.name(ledger).await?;
    if ledger.suspend(&target, &account, &reason, now).await? {
        println!("`{target}` is suspended; running nodes refuse within a second");
    } else {
        println!("`{target}` was suspended already");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resume(args: SwitchArgs, ledger: &Ledger, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let SwitchArgs { target, reason, acting } = args;
    let account = acting.name(ledger).await?;
    if !ledger.resume(&target, &account, &reason, now).await? {
        bail!("`{target}` is not suspended. `shuqiao suspensions` lists what is");
    }
    println!("`{target}` goes on");
    Ok(ExitCode::SUCCESS)
}

/// A switch for something that is not there would be a false comfort.
fn known(target: &Target, catalog: &Catalog) -> anyhow::Result<()> {
    let dataset = match target {
        Target::Dataset(dataset) | Target::Field(dataset, _) => dataset,
        _ => return Ok(()),
    };
    let Some(declared) = catalog.datasets.get(dataset) else {
        bail!("the dataset `{dataset}` is not in the catalogue");
    };
    match target {
        Target::Field(_, field) if declared.field(field.as_str()).is_none() => {
            bail!("the dataset `{dataset}` has no field `{field}`")
        }
        _ => Ok(()),
    }
}

pub(super) async fn list(args: ListArgs, ledger: &Ledger) -> anyhow::Result<ExitCode> {
    let all = ledger.suspensions().await?;
    if args.json {
        let entry = |(target, one): (&Target, &crate::ledger::Suspension)| {
            let target = target.to_string();
            json!({ "target": target, "since": rfc3339(one.since), "account": one.account, "reason": one.reason })
        };
        println!("{:#}", json!(all.iter().map(entry).collect::<Vec<_>>()));
    } else if all.is_empty() {
        println!("nothing is suspended");
    } else {
        let rows = all
            .iter()
            .map(|(target, one)| [target.to_string(), rfc3339(one.since), one.account.clone(), one.reason.clone()]);
        print!("{}", table(["target", "since", "account", "reason"], rows));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn acts(args: ActsArgs, ledger: &Ledger) -> anyhow::Result<ExitCode> {
    let acts = ledger.acts(args.before, args.limit).await?;
    if args.json {
        println!("{:#}", json!(acts));
    } else {
        let rows = acts
            .into_iter()
            .map(|one| [one.number.to_string(), rfc3339(one.at), one.account, one.act, one.subject, one.reason]);
        print!("{}", table(["number", "at", "account", "act", "subject", "reason"], rows));
    }
    Ok(ExitCode::SUCCESS)
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
