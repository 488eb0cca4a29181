//! `shuqiao objection record`: the record that an objection is about, as it was and as it is, side by side.

use std::io::Read as _;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::find;
use crate::{
    cli::{acting::Acting, catalog::of_node, table::table},
    config::Settings,
    engine::Engine,
    http::{pseudonymiser, tables},
    identifiers::{FieldName, ObjectionId},
    ledger::Ledger,
    objections::{Archive, Look, Seen, Side, look},
};

/// Longest number of a subject that is read.
const SUBJECT_BYTES_MAX: u64 = 1_024;

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordArgs {
    id: ObjectionId,
    /// The subject's number as it was asked; `-` reads it from standard input, which leaves it in no history.
    #[arg(long, value_name = "NUMBER")]
    subject: String,
    /// Why; written down with the look.
    #[arg(long)]
    reason: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

pub(super) async fn run(
    args: RecordArgs,
    ledger: &Ledger,
    settings: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let actor = args.acting.actor(ledger).await?;
    let objection = find(ledger, &args.id).await?;
    let catalog = of_node(settings, ledger).await?;
    let engine = Engine::new(&catalog, tables(settings)?, settings.lookup.sql_memory_bytes, settings.lookup.rows_max)?;
    let (_, errors) = engine.refresh().await;
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    let (log, pseudonyms) = (settings.paths.audit(), pseudonymiser(&settings.paths.pseudonym_secret())?);
    let archive = Archive { ledger, engine: &engine, catalog: &catalog, pseudonyms: &pseudonyms, log: &log };
    let asked = Look { subject: subject(args.subject)?, reason: args.reason };
    let seen = Box::pin(look(&objection, asked, &actor, archive, now)).await?;
    if args.json {
        println!("{:#}", as_json(&seen));
    } else {
        print(&seen);
    }
    Ok(())
}

fn subject(said: String) -> anyhow::Result<String> {
    if said != "-" {
        return Ok(said);
    }
    let mut text = String::new();
    std::io::stdin().take(SUBJECT_BYTES_MAX).read_to_string(&mut text).context("the subject could not be read")?;
    Ok(text.trim().to_owned())
}

fn print(seen: &Seen) {
    let Seen { then, now, withheld } = seen;
    println!("then  version {} of {}, {}", then.version, then.as_of.to_rfc3339(), counted(then));
    match now {
        Some(now) => println!("now   version {} of {}, {}", now.version, now.as_of.to_rfc3339(), counted(now)),
        None => println!("now   no version is served"),
    }
    let count = then.records.len().max(now.as_ref().map_or(0, |now| now.records.len()));
    for number in 0..count {
        let (then, now) = (then.records.get(number), now.as_ref().and_then(|now| now.records.get(number)));
        let fields = then.or(now).into_iter().flat_map(|record| record.keys());
        let said = |side: Option<&std::collections::BTreeMap<FieldName, Option<String>>>, field| {
            side.and_then(|record| record.get(field).cloned().flatten()).unwrap_or_else(|| "-".to_owned())
        };
        print!("{}", table(["field", "then", "now"], fields.map(|f| [f.to_string(), said(then, f), said(now, f)])));
    }
    for field in withheld {
        println!("{field} is not shown");
    }
}

fn counted(side: &Side) -> String {
    match side.records.len() {
        1 => "one record".to_owned(),
        0 => "no record".to_owned(),
        more => format!("{more} records"),
    }
}

fn as_json(seen: &Seen) -> Value {
    let side = |side: &Side| json!({ "dataset_version": side.version, "as_of": side.as_of, "records": side.records });
    json!({ "then": side(&seen.then), "now": seen.now.as_ref().map(side), "withheld": seen.withheld })
}
