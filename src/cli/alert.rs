//! `shuqiao alert list | show | acknowledge | dismiss` and `shuqiao honey add | count`.
//!
//! The ledger is changed beside the running node, which lifts what was dismissed within seconds.

use std::{
    io::{self, BufRead},
    process::ExitCode,
};

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{acting::Acting, table::table};
use crate::{
    config::Settings,
    http::pseudonymiser,
    identifiers::{CreditCode, FieldName, ResidentId, Role},
    ledger::{Alert, AlertFilter, AlertState, Ledger},
};

#[derive(Debug, Args)]
pub(super) struct AlertArgs {
    #[command(subcommand)]
    command: AlertCommand,
}

#[derive(Debug, Subcommand)]
enum AlertCommand {
    /// List alerts, the latest first.
    List {
        /// Only those in this state.
        #[arg(long)]
        state: Option<State>,
        /// How many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one alert.
    Show {
        number: i64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that you look into it, as a steward of the provider; what is held against the client stays.
    Acknowledge(ActArgs),
    /// Say that it was nothing, as a steward of the provider; the client is slowed or blocked no longer.
    Dismiss(ActArgs),
}

#[derive(Debug, Args)]
struct ActArgs {
    number: i64,
    /// Why, for colleagues and auditors.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Open,
    Acknowledged,
    Dismissed,
}

#[derive(Debug, Args)]
pub(super) struct HoneyArgs {
    #[command(subcommand)]
    command: HoneyCommand,
}

#[derive(Debug, Subcommand)]
enum HoneyCommand {
    /// Name records that nobody has reason to ask about: their keys on standard input, one a line. Kept as keyed hashes.
    Add {
        /// The key field by which they would be asked about.
        #[arg(long, default_value = "resident_id")]
        field: FieldName,
        /// Why, for colleagues and auditors.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        acting: Acting,
    },
    /// How many there are.
    Count,
}

pub(super) async fn run(args: AlertArgs, ledger: &Ledger, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    match args.command {
        AlertCommand::List { state, limit, json } => {
            let state = state.map(|state| match state {
                State::Open => AlertState::Open,
                State::Acknowledged => AlertState::Acknowledged,
                State::Dismissed => AlertState::Dismissed,
            });
            let alerts = ledger.alerts(&AlertFilter { state, provider: None, before: None, limit }).await?;
            if json {
                println!("{:#}", alerts.iter().map(as_json).collect::<Value>());
            } else {
                print!("{}", listed(&alerts));
            }
        }
        AlertCommand::Show { number, json } => {
            let alert = find(ledger, number).await?;
            if json { println!("{:#}", as_json(&alert)) } else { print!("{}", shown(&alert)) }
        }
        AlertCommand::Acknowledge(args) => act(args, AlertState::Acknowledged, ledger, now).await?,
        AlertCommand::Dismiss(args) => act(args, AlertState::Dismissed, ledger, now).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(ledger: &Ledger, number: i64) -> anyhow::Result<Alert> {
    ledger.alert(number).await?.with_context(|| format!("there is no alert {number}. `shuqiao alert list` shows them"))
}

async fn act(args: ActArgs, to: AlertState, ledger: &Ledger, now: DateTime<Utc>) -> anyhow::Result<()> {
    let ActArgs { number, reason, acting } = args;
    let actor = acting.actor(ledger).await?;
    let alert = find(ledger, number).await?;
    alert.must_be_decided_by(&actor)?;
    if !ledger.act_on_alert(number, to, actor.account.as_str(), &reason, now).await? {
        bail!("the alert {number} is {} already", alert.state.as_str());
    }
    println!("the alert {number} is {}", to.as_str());
    Ok(())
}

fn listed(alerts: &[Alert]) -> String {
    if alerts.is_empty() {
        return "there is no alert\n".to_owned();
    }
    let rows = alerts.iter().map(|alert| {
        let seen = &alert.seen;
        [
            alert.number.to_string(),
            rfc3339(seen.at),
            alert.state.as_str().to_owned(),
            seen.level.clone(),
            seen.signal.clone(),
            seen.client.to_string(),
            seen.dataset.to_string(),
        ]
    });
    table(["number", "seen", "state", "level", "signal", "client", "dataset"], rows)
}

fn shown(alert: &Alert) -> String {
    let seen = &alert.seen;
    let acted = alert.account.as_ref().map(|account| {
        let reason = alert.reason.as_deref().unwrap_or_default();
        format!("{account}, {}: {reason}", alert.acted_at.map(rfc3339).unwrap_or_default())
    });
    let rows = [
        ("alert", alert.number.to_string()),
        ("state", alert.state.as_str().to_owned()),
        ("by", acted.unwrap_or_default()),
        ("signal", format!("{} ({})", seen.signal, seen.level)),
        ("client", format!("{} of {}", seen.client, seen.department)),
        ("dataset", format!("{} of {}", seen.dataset, seen.provider)),
        ("item", seen.item.to_string()),
        ("opened", rfc3339(alert.opened_at)),
        ("seen", rfc3339(seen.at)),
        ("held until", rfc3339(seen.until)),
        ("evidence", seen.evidence.clone()),
    ];
    table(["", ""], rows.map(|(name, value)| [name.to_owned(), value])).trim_start().to_owned()
}

fn as_json(alert: &Alert) -> Value {
    let seen = &alert.seen;
    json!({
        "number": alert.number, "state": alert.state.as_str(), "signal": seen.signal, "level": seen.level,
        "client": seen.client, "department": seen.department, "dataset": seen.dataset, "provider": seen.provider,
        "item": seen.item, "opened_at": rfc3339(alert.opened_at), "seen_at": rfc3339(seen.at),
        "held_until": rfc3339(seen.until),
        "evidence": serde_json::from_str::<Value>(&seen.evidence).unwrap_or_default(),
        "account": alert.account, "acted_at": alert.acted_at.map(rfc3339), "reason": alert.reason,
    })
}

pub(super) async fn honey(
    args: HoneyArgs,
    ledger: &Ledger,
    settings: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    match args.command {
        HoneyCommand::Count => println!("{}", ledger.honey().await?.len()),
        HoneyCommand::Add { field, reason, acting } => {
            let actor = acting.actor(ledger).await?;
            actor.require(&[Role::Steward, Role::Operator])?;
            let pseudonyms = pseudonymiser(&settings.paths.pseudonym_secret())?;
            let mut subjects = Vec::new();
            for (number, line) in io::stdin().lock().lines().enumerate() {
                let line = line?;
                if !line.trim().is_empty() {
                    let key = canonical(line.trim()).with_context(|| format!("line {}", number + 1))?;
                    subjects.push(pseudonyms.pseudonym(field.as_str(), &key));
                }
            }
            let added = ledger.add_honey(&subjects, actor.account.as_str(), &reason, now).await?;
            println!("{added} honey records named; running nodes watch for them within seconds");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A key as calls have it. What is neither a resident ID nor a credit code would never be hit.
fn canonical(line: &str) -> anyhow::Result<String> {
    if let Ok(id) = line.parse::<ResidentId>() {
        return Ok(id.as_str().to_owned());
    }
    match line.parse::<CreditCode>() {
        Ok(code) => Ok(code.as_str().to_owned()),
        Err(_) => bail!("neither a resident ID nor a credit code"),
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
