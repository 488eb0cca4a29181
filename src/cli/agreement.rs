//! `shuqiao agreement list | show | suspend | resume | revoke | renew`.
//!
//! The ledger is changed beside the running node, which refuses calls under a suspended or revoked agreement within a second.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    application::{Shown, terms},
    stewarding::{Office, reader},
    table::table,
};
use crate::{
    agreements::{AgreementView, ApplicationView, GrantedEventView, Renewal},
    identifiers::AgreementId,
    ledger::AgreementStep,
};

#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    #[command(subcommand)]
    command: AgreementCommand,
}

#[derive(Debug, Subcommand)]
enum AgreementCommand {
    /// List agreements, declared and granted ones.
    List {
        #[command(flatten)]
        shown: Shown,
    },
    /// Show an agreement with everything that was done to it.
    Show {
        id: AgreementId,
        #[command(flatten)]
        shown: Shown,
    },
    /// Let nobody use it until it is resumed; for a steward or approver of its provider.
    Suspend(StandArgs),
    /// Let it be used again; for an approver of its provider.
    Resume(StandArgs),
    /// End it for good; for an approver of its provider.
    Revoke(StandArgs),
    /// Apply for the time after it, on its terms; for its consumer.
    Renew {
        id: AgreementId,
        /// The new last day.
        #[arg(long)]
        until: String,
        /// The law or duty that the use rests on [default: as before].
        #[arg(long)]
        basis: Option<String>,
        /// What the data is used for [default: as before].
        #[arg(long)]
        scenario: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
}

#[derive(Debug, Args)]
struct StandArgs {
    id: AgreementId,
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    shown: Shown,
}

pub(super) async fn run(args: AgreementArgs, office: &Office, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    print!("{}", Box::pin(act(args.command, office, now)).await?);
    Ok(ExitCode::SUCCESS)
}

async fn act(command: AgreementCommand, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    match command {
        AgreementCommand::List { shown } => {
            let actor = reader(&shown.acting, &office.ledger).await?;
            let views = office.desk().agreements(&actor, now).await?;
            if shown.json { Ok(format!("{:#}\n", serde_json::to_value(&views)?)) } else { Ok(listed(views)) }
        }
        AgreementCommand::Show { id, shown } => show(&id, &shown, office, now).await,
        AgreementCommand::Suspend(args) => stand(args, AgreementStep::Suspended, office, now).await,
        AgreementCommand::Resume(args) => stand(args, AgreementStep::Resumed, office, now).await,
        AgreementCommand::Revoke(args) => stand(args, AgreementStep::Revoked, office, now).await,
        AgreementCommand::Renew { id, until, basis, scenario, shown } => {
            let renewal = Renewal { valid_until: until, legal_basis: basis, scenario };
            let actor = shown.acting.actor(&office.ledger).await?;
            let made = office.desk().renew(&id, &renewal, &actor, now).await?;
            if shown.json {
                let view = ApplicationView::new(&made, &office.calendar, now);
                return Ok(format!("{:#}\n", serde_json::to_value(&view)?));
            }
            Ok(format!("application `{}` to continue `{id}` is {}\n", made.id, made.state))
        }
    }
}

async fn stand(args: StandArgs, step: AgreementStep, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    let StandArgs { id, reason, shown } = args;
    let actor = shown.acting.actor(&office.ledger).await?;
    let view = office.desk().stand(&id, step, &reason, &actor, now).await?;
    if shown.json {
        return Ok(format!("{:#}\n", serde_json::to_value(&view)?));
    }
    Ok(format!("agreement `{id}` is {}; running nodes know within a second\n", view.standing))
}

async fn show(id: &AgreementId, shown: &Shown, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    let actor = reader(&shown.acting, &office.ledger).await?;
    let view = office.desk().agreement(id, &actor, now).await?;
    let events: Vec<_> = office.ledger.agreement_events(id).await?.iter().map(GrantedEventView::from).collect();
    if shown.json {
        let mut whole = serde_json::to_value(&view)?;
        whole["timeline"] = json!(events);
        return Ok(format!("{whole:#}\n"));
    }
    let mut rows = vec![
        ["standing".to_owned(), view.standing.clone()],
        ["consumer".to_owned(), view.consumer.clone()],
        ["dataset".to_owned(), format!("{} of {}", view.dataset, view.provider)],
        ["origin".to_owned(), view.origin.clone()],
    ];
    rows.extend(view.renewed_by.iter().map(|by| ["renewed by".to_owned(), by.clone()]));
    rows.extend(terms("granted", &view.terms));
    let what = table(["agreement", id.as_str()], rows);
    if events.is_empty() {
        return Ok(what);
    }
    let events = events.into_iter().map(|event| [event.at, event.account, event.step, event.reason]);
    Ok(format!("{what}\n{}", table(["at", "account", "step", "reason"], events)))
}

fn listed(views: Vec<AgreementView>) -> String {
    let rows = views.into_iter().map(|view| {
        let AgreementView { id, standing, consumer, dataset, origin, terms, .. } = view;
        [id, standing, consumer, dataset, terms.valid_from, terms.valid_until, origin]
    });
    table(["agreement", "standing", "consumer", "dataset", "from", "until", "origin"], rows)
}
