//! `shuqiao objection list | show | record | decide`: what was said to be wrong, on the node itself.

mod record;

use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{acting::Acting, table::table};
use crate::{
    calendar,
    config::Settings,
    identifiers::ObjectionId,
    ledger::{Ledger, Objection, ObjectionFilter, ObjectionState},
    objections::{self, Decision},
    storage::delta,
};

#[derive(Debug, Args)]
pub(super) struct ObjectionArgs {
    #[command(subcommand)]
    command: ObjectionCommand,
}

#[derive(Debug, Subcommand)]
enum ObjectionCommand {
    /// List objections, the latest first.
    List(ListArgs),
    /// Show one objection.
    Show {
        id: ObjectionId,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at the record that an objection is about, then and now, as a steward of the provider.
    Record(record::RecordArgs),
    /// Decide an objection, as a steward of the provider.
    Decide(DecideArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those that are not decided.
    #[arg(long)]
    open: bool,
    /// Only those whose last day is over.
    #[arg(long)]
    overdue: bool,
    /// How many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DecideArgs {
    id: ObjectionId,
    outcome: Outcome,
    /// For the filer.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    acting: Acting,
}

/// How an objection can end.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Outcome {
    /// The version that is published now holds the correction.
    Corrected,
    /// The register is right.
    Upheld,
    /// The provider does not keep what is objected to.
    NotOurs,
}

pub(super) async fn run(
    args: ObjectionArgs,
    ledger: &Ledger,
    settings: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    match args.command {
        ObjectionCommand::List(args) => list(args, ledger, now).await?,
        ObjectionCommand::Show { id, json } => show(&find(ledger, &id).await?, json, now),
        ObjectionCommand::Record(args) => Box::pin(record::run(args, ledger, settings, now)).await?,
        ObjectionCommand::Decide(args) => decide(args, ledger, settings, now).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(args: ListArgs, ledger: &Ledger, now: DateTime<Utc>) -> anyhow::Result<()> {
    let filter = ObjectionFilter {
        state: (args.open || args.overdue).then_some(ObjectionState::Open),
        due_before: args.overdue.then(|| calendar::day_in_china(now)),
        ..ObjectionFilter::default()
    };
    let found = ledger.objections(&filter, args.limit).await?;
    if args.json {
        println!("{:#}", json!(found.iter().map(|one| as_json(one, now)).collect::<Vec<_>>()));
        return Ok(());
    }
    let rows = found.iter().map(|one| {
        let filed = &one.filed;
        let fields = filed.fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (id, dataset) = (filed.id.to_string(), format!("{} v{}", filed.dataset, filed.version));
        [id, one.state.as_str().to_owned(), due(one, now), dataset, fields, filed.statement.clone()]
    });
    print!("{}", table(["objection", "state", "due", "dataset", "fields", "statement"], rows));
    Ok(())
}

fn show(one: &Objection, as_is: bool, now: DateTime<Utc>) {
    let value = as_json(one, now);
    if as_is {
        println!("{value:#}");
        return;
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        println!("{name:18}{text}");
    }
}

async fn decide(args: DecideArgs, ledger: &Ledger, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<()> {
    let actor = args.acting.actor(ledger).await?;
    let objection = find(ledger, &args.id).await?;
    let state = match args.outcome {
        Outcome::Corrected => ObjectionState::Corrected,
        Outcome::Upheld => ObjectionState::Upheld,
        Outcome::NotOurs => ObjectionState::NotOurs,
    };
    let published = delta::newest(&settings.paths.tables().join(objection.filed.dataset.as_str())).await?;
    let decided = objections::decide(&objection, Decision { state, reason: args.reason }, &actor, published, now)?;
    if !ledger.decide_objection(&args.id, state, &decided).await? {
        bail!("somebody else has decided meanwhile");
    }
    println!("the objection is decided: {}", state.as_str());
    Ok(())
}

async fn find(ledger: &Ledger, id: &ObjectionId) -> anyhow::Result<Objection> {
    ledger.objection(id).await?.with_context(|| format!("there is no objection `{id}`"))
}

/// The last day, with what there is to say about it.
fn due(one: &Objection, now: DateTime<Utc>) -> String {
    let day = one.filed.due;
    let late = one.state == ObjectionState::Open && calendar::day_in_china(now) > day;
    match (late, one.filed.due_provisional) {
        (true, _) => format!("{day} overdue"),
        (false, true) => format!("{day} provisional"),
        (false, false) => day.to_string(),
    }
}

/// Without the subject's number, which has no place in a terminal's history: the steward reads it through the API.
fn as_json(one: &Objection, now: DateTime<Utc>) -> Value {
    let Objection { filed, state, decided, .. } = one;
    let rfc3339 = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut value = json!({
        "objection": filed.id, "state": state.as_str(), "call_id": filed.call, "dataset": filed.dataset,
        "provider": filed.provider, "item": filed.item, "dataset_version": filed.version, "as_of": filed.as_of,
        "fields": filed.fields, "statement": filed.statement, "subject_field": filed.subject_field,
        "subject_pseudonym": filed.subject, "filed_by": filed.by, "filed_department": filed.department,
        "filed_at": rfc3339(filed.at), "due": due(one, now),
    });
    if let Some(decided) = decided {
        value["decided_by"] = json!(decided.by);
        value["decided_at"] = json!(rfc3339(decided.at));
        value["decision"] = json!(decided.reason);
        value["corrected_version"] = json!(decided.corrected_version);
        value["told_at"] = json!(decided.told_at.map(rfc3339));
    }
    value
}
