//! `shuqiao catalog apply | retire | restore | submit | approve | reject | revisions | revision`: changing the catalogue.

use std::{collections::BTreeSet, io::Write, path::PathBuf, process::ExitCode};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::{
    super::{acting::Acting, home, table::table},
    differ,
};
use crate::{
    catalog::Sources,
    config::Settings,
    exchange::review,
    http::{catalog_bodies::shown, read_rights},
    identifiers::{AgreementId, DatasetId},
    ledger::{Agreement, Ledger, Revision},
    revisions::{self, Moment, Proposal},
};

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Directory of the .yaml files.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    dataset: DatasetId,
    #[command(flatten)]
    proposing: Proposing,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The revision whose files are put back.
    number: i64,
    #[command(flatten)]
    proposing: Proposing,
}

#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// Directory of the .yaml files.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// What happened.
    #[arg(long)]
    reason: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct Proposing {
    /// Why, for the reviewer and those who come later.
    #[arg(long)]
    reason: String,
    /// End this agreement with the change that breaks it; may be given several times.
    #[arg(long = "end", value_name = "AGREEMENT")]
    ended: Vec<AgreementId>,
    /// Hand the draft in for review at once.
    #[arg(long)]
    submit: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    number: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    number: i64,
    /// What the reviewer says.
    #[arg(long)]
    note: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
pub(super) struct RevisionsArgs {
    /// How many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RevisionArgs {
    number: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Where revisions are worked on.
pub(super) struct Desk<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ledger: &'a Ledger,
    pub(super) now: DateTime<Utc>,
}

impl Desk<'_> {
    pub(super) async fn apply(&self, args: ApplyArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        self.seed().await?;
        self.propose(Sources::read(&args.directory)?, args.proposing, out).await
    }

    pub(super) async fn retire(&self, args: RetireArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        self.seed().await?;
        let current = revisions::current(self.ledger).await?;
        let sources = revisions::sources(self.ledger, current.revision.number).await?;
        self.propose(sources.without_dataset(&args.dataset)?, args.proposing, out).await
    }

    pub(super) async fn restore(&self, args: RestoreArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        self.propose(revisions::sources(self.ledger, args.number).await?, args.proposing, out).await
    }

    pub(super) async fn recover(&self, args: &RecoverArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let actor = args.acting.actor(self.ledger).await?;
        let sources = Sources::read(&args.directory)?;
        let revision = revisions::recover(self.ledger, &actor, &sources, &args.reason, self.moment()).await?;
        said(&revision, args.json, "running nodes follow within a second", out)
    }

    /// On a node that was never started there is no first revision yet.
    async fn seed(&self) -> anyhow::Result<()> {
        revisions::seed(self.ledger, &self.settings.paths.catalog, self.now).await?;
        Ok(())
    }

    async fn propose(&self, sources: Sources, proposing: Proposing, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let Proposing { reason, ended, submit, json, acting } = proposing;
        let actor = acting.actor(self.ledger).await?;
        let (_, held) = differ::in_force(self.settings, self.ledger).await?;
        let held: Vec<&Agreement> = held.iter().map(AsRef::as_ref).collect();
        let proposal = Proposal { sources, reason, ended: ended.into_iter().collect::<BTreeSet<_>>() };
        let drafted = revisions::draft(self.ledger, &actor, proposal, &held, self.moment()).await;
        let (mut revision, outlook) = drafted?;
        if submit {
            revision = revisions::submit(self.ledger, &actor, revision.number, self.moment()).await?;
        }
        if json {
            writeln!(out, "{:#}", json!(shown(&revision)))?;
            return Ok(ExitCode::SUCCESS);
        }
        differ::print(&outlook.changes, &outlook.broken, false, out)?;
        let next = if submit { "approve" } else { "submit" };
        let (number, state) = (revision.number, revision.state.word());
        writeln!(out, "\nrevision {number} is {state}; `shuqiao catalog {next} {number}` is next")?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn submit(&self, args: &SubmitArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let actor = args.acting.actor(self.ledger).await?;
        let revision = revisions::submit(self.ledger, &actor, args.number, self.moment()).await?;
        said(&revision, args.json, "another account approves or rejects it", out)
    }

    pub(super) async fn approve(&self, args: &ReviewArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let actor = args.acting.actor(self.ledger).await?;
        let (_, held) = differ::in_force(self.settings, self.ledger).await?;
        let held: Vec<&Agreement> = held.iter().map(AsRef::as_ref).collect();
        let (number, note) = (args.number, args.note.as_str());
        let (_, rights, _) = read_rights(self.settings, self.ledger, self.now).await?;
        Box::pin(review::prove_revision(self.ledger, number, &rights, &actor, self.now)).await?;
        let revision = revisions::approve(self.ledger, &actor, number, note, &held, self.moment()).await?;
        said(&revision, args.json, "running nodes follow within a second", out)
    }

    pub(super) async fn reject(&self, args: &ReviewArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let actor = args.acting.actor(self.ledger).await?;
        let revision = revisions::reject(self.ledger, &actor, args.number, &args.note, self.moment()).await?;
        said(&revision, args.json, "the published catalogue stays as it is", out)
    }

    pub(super) async fn list(&self, args: &RevisionsArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let all = self.ledger.revisions(None, args.limit).await?;
        if args.json {
            writeln!(out, "{:#}", json!(all.iter().map(shown).collect::<Vec<_>>()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows = all.iter().map(shown).map(|one| {
            let author = one.author.unwrap_or_else(|| "on-site".to_owned());
            let reviewer = one.reviewer.unwrap_or_default();
            [one.number.to_string(), one.state.to_owned(), one.effect, author, reviewer, one.created_at, one.reason]
        });
        let heading = ["revision", "state", "effect", "author", "reviewer", "created", "reason"];
        write!(out, "{}", table(heading, rows))?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn show(&self, args: &RevisionArgs, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let revision = revisions::found(self.ledger, args.number).await?;
        if args.json {
            writeln!(out, "{:#}", json!(shown(&revision)))?;
            return Ok(ExitCode::SUCCESS);
        }
        let one = shown(&revision);
        writeln!(out, "revision {} of {}: {} ({})", one.number, one.created_at, one.state, one.effect)?;
        writeln!(out, "by {}: {}", one.author.as_deref().unwrap_or("on-site"), one.reason)?;
        if let Some(reviewer) = &one.reviewer {
            writeln!(out, "reviewed by {reviewer}: {}", revision.note.as_deref().unwrap_or_default())?;
        }
        for change in &one.changes {
            writeln!(out, "{change}")?;
        }
        if !one.ended.is_empty() {
            writeln!(out, "ends {}", one.ended.join(", "))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, today: home::today(self.now) }
    }
}

fn said(revision: &Revision, json: bool, next: &str, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    if json {
        writeln!(out, "{:#}", json!(shown(revision)))?;
    } else {
        writeln!(out, "revision {} is {}; {next}", revision.number, revision.state.word())?;
    }
    Ok(ExitCode::SUCCESS)
}
