//! `shuqiao application apply | list | show | approve | reject | ask | extend | answer | withdraw | overdue`.
//!
//! The ledger is changed beside the running node, which knows of a grant within a second.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::{
    acting::Acting,
    stewarding::{Office, reader},
    table::table,
};
use crate::{
    agreements::{ApplicationView, DossierView, EventView, Listing, Narrowing, Review, TermsView, Wish},
    identifiers::ApplicationId,
    ledger::{Application, ApplicationState},
};

#[derive(Debug, Args)]
pub(super) struct ApplicationArgs {
    #[command(subcommand)]
    command: ApplicationCommand,
}

#[derive(Debug, Subcommand)]
enum ApplicationCommand {
    /// Apply for data, for the account's department.
    Apply(Box<ApplyArgs>),
    /// List applications.
    List(ListArgs),
    /// List what is overdue.
    Overdue {
        #[command(flatten)]
        shown: Shown,
    },
    /// Show an application with everything that happened to it.
    Show {
        id: ApplicationId,
        #[command(flatten)]
        shown: Shown,
    },
    /// Grant it, or a part of it. What a steward says is written down for an approver.
    Approve(Box<ApproveArgs>),
    /// Refuse it.
    Reject {
        id: ApplicationId,
        /// Why, in words.
        #[arg(long)]
        reason: String,
        /// Why, as a code: not_necessary, no_legal_basis, outside_duties, conditions_not_met, not_held, forbidden or
        /// unanswered.
        #[arg(long)]
        ground: String,
        /// The law that it rests on.
        #[arg(long)]
        law: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Ask the consumer something; the clock pauses until the answer.
    Ask {
        id: ApplicationId,
        question: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Extend the review, once, with consent of the department in charge of sharing.
    Extend {
        id: ApplicationId,
        /// By so many working days.
        #[arg(long)]
        days: u32,
        /// Who has consented, and when.
        #[arg(long)]
        consent: String,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Answer what the provider has asked.
    Answer {
        id: ApplicationId,
        text: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take an application back.
    Withdraw {
        id: ApplicationId,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        shown: Shown,
    },
}

/// Who acts, and how the outcome is printed.
#[derive(Debug, Args)]
pub(super) struct Shown {
    #[command(flatten)]
    pub(super) acting: Acting,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those in this state: submitted, asked_back, granted, granted_in_part, rejected or withdrawn.
    #[arg(long, value_parser = state_of)]
    state: Option<ApplicationState>,
    /// How many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Those after this one.
    #[arg(long)]
    after: Option<ApplicationId>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[arg(long)]
    dataset: String,
    /// Codes of the department's own items, with commas between them.
    #[arg(long, value_delimiter = ',', required = true)]
    items: Vec<String>,
    /// Fields to hold claims against.
    #[arg(long, value_delimiter = ',')]
    compare: Vec<String>,
    /// Fields to be told.
    #[arg(long, value_delimiter = ',')]
    disclose: Vec<String>,
    /// The law or duty that the use rests on.
    #[arg(long)]
    basis: String,
    /// What the data is used for.
    #[arg(long)]
    scenario: String,
    /// How it is shared.
    #[arg(long, default_value = "service_interface")]
    mode: String,
    /// Calls per second.
    #[arg(long, default_value_t = 5)]
    per_second: u32,
    /// Calls per day.
    #[arg(long, default_value_t = 2000)]
    per_day: u64,
    /// First day.
    #[arg(long)]
    from: String,
    /// Last day.
    #[arg(long)]
    until: String,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Args)]
struct ApproveArgs {
    id: ApplicationId,
    #[arg(long)]
    reason: String,
    /// Only these of the items.
    #[arg(long, value_delimiter = ',')]
    items: Option<Vec<String>>,
    /// Only these fields to hold claims against; empty for none.
    #[arg(long, value_delimiter = ',')]
    compare: Option<Vec<String>>,
    /// Only these fields to be told; empty for none.
    #[arg(long, value_delimiter = ',')]
    disclose: Option<Vec<String>>,
    #[arg(long)]
    per_second: Option<u32>,
    #[arg(long)]
    per_day: Option<u64>,
    /// A later first day.
    #[arg(long)]
    from: Option<String>,
    /// An earlier last day.
    #[arg(long)]
    until: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

pub(super) async fn run(args: ApplicationArgs, office: &Office, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    print!("{}", Box::pin(act(args.command, office, now)).await?);
    Ok(ExitCode::SUCCESS)
}

/// Do it, and say what came of it.
async fn act(command: ApplicationCommand, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    match command {
        ApplicationCommand::Apply(args) => apply(*args, office, now).await,
        ApplicationCommand::List(ListArgs { state, limit, after, shown }) => {
            let listing = Listing { state, overdue: false, after, limit };
            list(&listing, &shown, office, now).await
        }
        ApplicationCommand::Overdue { shown } => {
            let listing = Listing { state: None, overdue: true, after: None, limit: u32::MAX };
            list(&listing, &shown, office, now).await
        }
        ApplicationCommand::Show { id, shown } => {
            let actor = reader(&shown.acting, &office.ledger).await?;
            let (application, events) = office.desk().dossier(id, &actor).await?;
            let view = DossierView::new(&application, &events, &office.calendar, now);
            if shown.json { Ok(format!("{:#}\n", serde_json::to_value(&view)?)) } else { Ok(dossier(&view)) }
        }
        ApplicationCommand::Approve(args) => {
            let (id, review, shown) = approval(*args);
            reviewed(id, &review, &shown, office, now).await
        }
        ApplicationCommand::Reject { id, reason, ground, law, shown } => {
            let review = Review { ground: Some(ground), law: Some(law), ..said("reject", reason) };
            reviewed(id, &review, &shown, office, now).await
        }
        ApplicationCommand::Ask { id, question, shown } => {
            reviewed(id, &said("ask", question), &shown, office, now).await
        }
        ApplicationCommand::Extend { id, days, consent, reason, shown } => {
            let review = Review { working_days: Some(days), consent: Some(consent), ..said("extend", reason) };
            reviewed(id, &review, &shown, office, now).await
        }
        ApplicationCommand::Answer { id, text, shown } => {
            let actor = shown.acting.actor(&office.ledger).await?;
            done(&office.desk().answer(id, &text, &actor, now).await?, &shown, office, now)
        }
        ApplicationCommand::Withdraw { id, reason, shown } => {
            let actor = shown.acting.actor(&office.ledger).await?;
            done(&office.desk().withdraw(id, &reason, &actor, now).await?, &shown, office, now)
        }
    }
}

async fn apply(args: ApplyArgs, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    let ApplyArgs { dataset, items, compare, disclose, basis, scenario, mode, .. } = args;
    let wish = Wish {
        dataset,
        items,
        compare,
        disclose,
        legal_basis: basis,
        scenario,
        mode,
        calls_per_second: args.per_second,
        calls_per_day: args.per_day,
        valid_from: args.from,
        valid_until: args.until,
    };
    let actor = args.shown.acting.actor(&office.ledger).await?;
    done(&office.desk().apply(&wish, &actor, now).await?, &args.shown, office, now)
}

fn approval(args: ApproveArgs) -> (ApplicationId, Review, Shown) {
    let ApproveArgs { id, reason, items, compare, disclose, per_second, per_day, from, until, shown } = args;
    // An option without a value is a list with one empty name.
    let named = |list: Option<Vec<String>>| {
        list.map(|list| list.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>())
    };
    let grant = Narrowing {
        items,
        compare: named(compare),
        disclose: named(disclose),
        calls_per_second: per_second,
        calls_per_day: per_day,
        valid_from: from,
        valid_until: until,
    };
    (id, Review { grant: Some(grant), ..said("approve", reason) }, shown)
}

fn said(verdict: &str, reason: String) -> Review {
    Review { verdict: verdict.to_owned(), reason, ..Review::default() }
}

async fn reviewed(
    id: ApplicationId,
    review: &Review,
    shown: &Shown,
    office: &Office,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let actor = shown.acting.actor(&office.ledger).await?;
    done(&office.desk().review(id, review, &actor, now).await?, shown, office, now)
}

fn done(application: &Application, shown: &Shown, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    let view = ApplicationView::new(application, &office.calendar, now);
    if shown.json {
        return Ok(format!("{:#}\n", serde_json::to_value(&view)?));
    }
    Ok(format!("application `{}` is {}{}\n", view.id, view.state, due_in_words(&view)))
}

async fn list(listing: &Listing, shown: &Shown, office: &Office, now: DateTime<Utc>) -> anyhow::Result<String> {
    let actor = reader(&shown.acting, &office.ledger).await?;
    let found = office.desk().list(listing, &actor, now).await?;
    let views: Vec<_> = found.iter().map(|one| ApplicationView::new(one, &office.calendar, now)).collect();
    if shown.json {
        return Ok(format!("{:#}\n", serde_json::to_value(&views)?));
    }
    if views.is_empty() {
        return Ok("there is no such application\n".to_owned());
    }
    let rows = views.into_iter().map(|view| {
        let due = due_in_a_cell(&view);
        [view.id, view.state, view.consumer, view.dataset, view.provider, due, view.scenario.replace('\n', " ")]
    });
    Ok(table(["application", "state", "consumer", "dataset", "provider", "due", "scenario"], rows))
}

fn due_in_a_cell(view: &ApplicationView) -> String {
    let day = view.due.as_deref().unwrap_or("-");
    let level = if view.escalated > 0 { format!(", level {}", view.escalated) } else { String::new() };
    let late = if view.overdue { format!(" (overdue{level})") } else { String::new() };
    format!("{day}{}{late}", if view.provisional { " (provisional)" } else { "" })
}

fn due_in_words(view: &ApplicationView) -> String {
    let Some(day) = &view.due else { return String::new() };
    let provisional =
        if view.provisional { ", provisionally: the holidays of that year are not published" } else { "" };
    let what = if view.granted.is_some() { "can be used from" } else { "is to be answered by" };
    format!("; it {what} {day}{provisional}")
}

fn dossier(view: &DossierView) -> String {
    let application = &view.application;
    let mut rows = vec![
        ["state".to_owned(), application.state.clone()],
        ["consumer".to_owned(), format!("{} ({})", application.consumer, application.applicant)],
        ["dataset".to_owned(), format!("{} of {}", application.dataset, application.provider)],
        ["legal basis".to_owned(), application.legal_basis.clone()],
        ["scenario".to_owned(), application.scenario.clone()],
    ];
    rows.extend(terms("asked", &application.asked));
    rows.extend(application.granted.iter().flat_map(|granted| terms("granted", granted)));
    if application.due.is_some() {
        rows.push(["due".to_owned(), due_in_a_cell(application)]);
    }
    let events = view.timeline.iter().map(|event| {
        let EventView { at, account, step, state, reason, .. } = event.clone();
        [at, account, step, state, format!("{}{reason}", aside(event))]
    });
    format!(
        "{}\n{}",
        table(["application", application.id.as_str()], rows),
        table(["at", "account", "step", "state", "reason"], events)
    )
}

/// What stands in an event beside its reason.
fn aside(event: &EventView) -> String {
    let parts = [
        event.verdict.as_ref().map(|verdict| format!("[{verdict}] ")),
        event.ground.as_ref().map(|ground| format!("[{ground}] ")),
        event.law.as_ref().map(|law| format!("[{law}] ")),
        event.working_days.map(|days| format!("[{days} working days] ")),
        event.consent.as_ref().map(|consent| format!("[{consent}] ")),
        event.level.map(|level| format!("[level {level}] ")),
    ];
    parts.into_iter().flatten().collect()
}

pub(super) fn terms(what: &str, terms: &TermsView) -> Vec<[String; 2]> {
    let row = |name: &str, text: String| [format!("{what}: {name}"), text];
    vec![
        row("items", terms.items.join(", ")),
        row("compare", terms.compare.join(", ")),
        row("disclose", terms.disclose.join(", ")),
        row("calls", format!("{} per second, {} per day", terms.calls_per_second, terms.calls_per_day)),
        row("days", format!("{} to {}", terms.valid_from, terms.valid_until)),
    ]
}

fn state_of(word: &str) -> Result<ApplicationState, String> {
    let known = || ApplicationState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
    ApplicationState::from_word(word).ok_or_else(|| format!("one of {}", known()))
}
