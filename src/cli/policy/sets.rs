//! `shuqiao policy propose | approve | reject | rollback | sets`: from a change to the rules to rules in force.
//!
//! The ledger is changed beside the running node, which decides by the set within a second.

use std::{path::PathBuf, process::ExitCode};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::json;

use crate::{
    cli::{acting::Acting, home::Home, table::table},
    config::Settings,
    exchange::review::{self, Act, Proposal},
    http::{open_ledger, read_rights},
    ledger::{KeptPolicySet, Ledger},
    policy::PolicyFiles,
};

/// Characters of a hash that a table shows; any beginning that is unique names a set.
const HASH_SHOWN: usize = 12;
/// Sets that a beginning is looked for among.
const SETS_MAX: u32 = 200;

#[derive(Debug, Args)]
pub(super) struct ProposeArgs {
    /// Directory of the schema, the policies and their cases.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
pub(super) struct DecideArgs {
    /// The set, by its hash or the beginning of it.
    #[arg(value_name = "HASH")]
    set: String,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
pub(super) struct RollBackArgs {
    /// The set to roll back to [default: the one that was active before].
    #[arg(value_name = "HASH")]
    set: Option<String>,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
struct Why {
    /// What it is for; kept with the set.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SetsArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn propose(args: &ProposeArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (settings, ledger) = open(home).await?;
    let files = PolicyFiles::read(&args.directory)?;
    let (actor, (_, rights, _)) = (args.why.acting.actor(&ledger).await?, read_rights(&settings, &ledger, now).await?);
    let act = Act { actor: &actor, reason: &args.why.reason, now };
    let done = review::propose(&ledger, &files, &rights, act).await;
    ledger.close().await;
    said(&done?, "proposed; another account approves it", args.why.json);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn approve(args: &DecideArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (settings, ledger) = open(home).await?;
    let hash = whole(&ledger, &args.set).await?;
    let folder = PolicyFiles::read(&settings.paths.policies)?;
    let (actor, (_, rights, _)) = (args.why.acting.actor(&ledger).await?, read_rights(&settings, &ledger, now).await?);
    let act = Act { actor: &actor, reason: &args.why.reason, now };
    let done = review::approve(&ledger, &hash, &folder, &rights, act).await;
    ledger.close().await;
    said(&done?, "active; running nodes decide by it within a second", args.why.json);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn reject(args: &DecideArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (_, ledger) = open(home).await?;
    let hash = whole(&ledger, &args.set).await?;
    let actor = args.why.acting.actor(&ledger).await?;
    let done = review::reject(&ledger, &hash, Act { actor: &actor, reason: &args.why.reason, now }).await;
    ledger.close().await;
    done?;
    tell(&hash, "rejected", args.why.json);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn roll_back(args: &RollBackArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (settings, ledger) = open(home).await?;
    let to = match &args.set {
        Some(set) => Some(whole(&ledger, set).await?),
        None => None,
    };
    let (actor, (_, rights, _)) = (args.why.acting.actor(&ledger).await?, read_rights(&settings, &ledger, now).await?);
    let act = Act { actor: &actor, reason: &args.why.reason, now };
    let done = review::roll_back(&ledger, to.as_deref(), &rights, act).await;
    ledger.close().await;
    tell(&done?, "active again; running nodes decide by it within a second", args.why.json);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn list(args: &SetsArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let (_, ledger) = open(home).await?;
    let sets = ledger.policy_sets(None, SETS_MAX).await;
    ledger.close().await;
    let sets = sets?;
    let shown = |set: &KeptPolicySet| {
        json!({
            "hash": set.hash, "state": set.state.as_str(), "proposed_by": set.proposed_by,
            "proposed_at": rfc3339(set.proposed_at), "reason": set.reason, "decided_by": set.decided_by,
            "decided_at": set.decided_at.map(rfc3339), "activated_at": set.activated_at.map(rfc3339),
            "replaced": set.replaced,
        })
    };
    if args.json {
        println!("{:#}", json!(sets.iter().map(shown).collect::<Vec<_>>()));
    } else if sets.is_empty() {
        println!("there is no policy set in the ledger: nodes decide by the policies in their folder");
    } else {
        let rows = sets.into_iter().map(|set| {
            let short = set.hash.get(..HASH_SHOWN).unwrap_or(&set.hash).to_owned();
            let (proposed, decided) = (rfc3339(set.proposed_at), set.decided_by.unwrap_or_default());
            [short, set.state.to_string(), set.proposed_by, proposed, decided, set.reason]
        });
        print!("{}", table(["set", "state", "proposed by", "at", "decided by", "reason"], rows));
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(home: &Home) -> anyhow::Result<(Settings, Ledger)> {
    let settings = home.settings()?;
    let ledger = open_ledger(&settings).await?;
    Ok((settings, ledger))
}

/// The one set whose hash begins so.
async fn whole(ledger: &Ledger, beginning: &str) -> anyhow::Result<String> {
    let sets = ledger.policy_sets(None, SETS_MAX).await?;
    let mut fitting = sets.into_iter().map(|set| set.hash).filter(|hash| hash.starts_with(beginning));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => anyhow::bail!("no policy set begins with `{beginning}`. `shuqiao policy sets` lists them"),
        (Some(_), Some(_)) => anyhow::bail!("several policy sets begin with `{beginning}`. Write more of the hash"),
    }
}

fn said(proposal: &Proposal, state: &str, as_json: bool) {
    let warnings: Vec<_> =
        proposal.doubts.iter().map(|doubt| format!("{}: {}", doubt.policy, doubt.message())).collect();
    if as_json {
        let (cases, coverage) = (proposal.trial.cases.len(), proposal.trial.coverage());
        let told = json!({
            "hash": proposal.hash, "cases": cases, "coverage": coverage, "probes": proposal.probes, "warnings": warnings,
        });
        println!("{told:#}");
        return;
    }
    for warning in warnings {
        println!("warning: {warning}");
    }
    println!("{} cases passed, {} probes", proposal.trial.cases.len(), proposal.probes);
    tell(&proposal.hash, state, false);
}

fn tell(hash: &str, state: &str, as_json: bool) {
    if as_json {
        println!("{:#}", json!({ "hash": hash }));
    } else {
        println!("policy set {hash} is {state}");
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
