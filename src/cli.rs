//! Command line: one file per command. Translates, never decides.
//!
//! Floor 5: may use everything below, and `http` and `telemetry` beside it, because `serve` is a command. The only room
//! that prints.

#![expect(clippy::print_stdout, reason = "printing is what a command line is for")]

mod acting;
mod agreement;
mod alert;
mod application;
mod audit;
mod call;
mod catalog;
mod client;
mod demo;
mod health;
mod home;
mod id;
mod key;
mod node;
mod objection;
mod peer;
mod policy;
mod publish;
mod receipt;
mod returned;
mod sample;
mod serve;
mod settings;
mod simulate;
mod sql;
mod stewarding;
mod suspension;
mod table;
mod token;
mod vacuum;
mod webhook;

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};

use crate::{config::Settings, http::open_ledger};
use home::Home;

/// Exchange node for government registers: yes or no, bound to a service item, with a receipt.
#[derive(Debug, Parser)]
#[command(name = "shuqiao", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    home: Home,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: make sample registers, publish them, serve them, and walk through a few calls.
    Demo(demo::DemoArgs),
    /// Serve calls.
    Serve(serve::ServeArgs),
    /// Check a file against the catalogue and publish it as the next version of a dataset.
    Publish(publish::PublishArgs),
    /// Remove data files that no version needs: left by a killed publication, or of versions that need not be kept.
    Vacuum(vacuum::VacuumArgs),
    /// Make a synthetic register.
    Sample(sample::SampleArgs),
    /// List, register, suspend and resume clients.
    Client(client::ClientArgs),
    /// List and decide objections against answers.
    Objection(objection::ObjectionArgs),
    /// Apply for data of another department, and answer such applications.
    Application(application::ApplicationArgs),
    /// List agreements; suspend, resume, revoke and renew them.
    Agreement(agreement::AgreementArgs),
    /// List, acknowledge and dismiss alerts about clients that seem to walk through a register.
    Alert(alert::AlertArgs),
    /// Name records that nobody has reason to ask about.
    Honey(alert::HoneyArgs),
    /// Simulate normal traffic and harvesters against the enumeration defence.
    Simulate(simulate::SimulateArgs),
    /// Stop a client, an agreement, a dataset, a field, a peer or everything, within a second.
    Suspend(suspension::SwitchArgs),
    /// Let go on what was stopped.
    Resume(suspension::SwitchArgs),
    /// List what is stopped.
    Suspensions(suspension::ListArgs),
    /// The nodes of the federation: this node's card; admit, revoke and list nodes where the directory is issued.
    Peer(peer::PeerArgs),
    /// How the other nodes are, seen from this one.
    Node(node::NodeArgs),
    /// Where clients are told of what was finished later; what they could not be told, and telling it again.
    Webhook(webhook::WebhookArgs),
    /// Registers that another node fills with the records of this node's residents.
    Return(returned::ReturnArgs),
    /// List who did what in the ledger, and why.
    Acts(suspension::ActsArgs),
    /// Print an access token of a registered client.
    Token(token::TokenArgs),
    /// Make a verification call as a client whose private key is in the node's folder.
    Call(call::CallArgs),
    /// Check identifiers.
    Id(id::IdArgs),
    /// Check a catalogue, look around in it, and change it.
    Catalog(catalog::CatalogArgs),
    /// Check, test, explain and replay policies.
    Policy(policy::PolicyArgs),
    /// Verify the audit log.
    Audit(audit::AuditArgs),
    /// Verify a receipt, offline.
    Receipt(receipt::ReceiptArgs),
    /// Change a key that the node signs with.
    Key(key::KeyArgs),
    /// Ask the published registers a read-only SQL question (on the node itself).
    Sql(sql::SqlArgs),
    /// Is a node ready? Exit 0 if it is.
    Health(health::HealthArgs),
    /// Print each setting, its value and where it came from.
    Settings(settings::SettingsArgs),
}

/// Parse the command, run it, and turn what went wrong into one line and an exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let done = runtime.block_on(Box::pin(run(cli)));
    // A blocking read that is still under way (standard input) must not hold the process.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| failed(&error))
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { home, command } = cli;
    let now = Utc::now();
    match command {
        Command::Demo(args) => demo::run(args, &home).await,
        Command::Serve(args) => serve::run(args, &home).await,
        Command::Publish(args) => publish::run(args, &home.settings()?, now).await,
        Command::Vacuum(args) => vacuum::run(args, &home.settings()?, now).await,
        Command::Sample(args) => sample::run(args),
        Command::Client(args) => registered(args, &home.settings()?, now).await,
        Command::Suspend(_)
        | Command::Resume(_)
        | Command::Suspensions(_)
        | Command::Acts(_)
        | Command::Alert(_)
        | Command::Honey(_)
        | Command::Peer(_)
        | Command::Webhook(_)
        | Command::Objection(_) => in_ledger(command, &home.settings()?, now).await,
        Command::Node(args) => {
            let settings = home.settings()?;
            let ledger = open_ledger(&settings).await?;
            let (catalog, sources) = (catalog::of_node(&settings, &ledger).await, ledger.sources().await);
            ledger.close().await;
            let (catalog, sources) = (catalog?, sources?);
            let known = node::Known { catalog: &catalog, sources: &sources };
            Box::pin(node::run(args, &settings, known, now)).await
        }
        Command::Return(args) => {
            let settings = home.settings()?;
            let ledger = open_ledger(&settings).await?;
            let catalog = catalog::of_node(&settings, &ledger).await?;
            let done = Box::pin(returned::run(args, &settings, &catalog, &ledger, now)).await;
            ledger.close().await;
            done
        }
        Command::Application(_) | Command::Agreement(_) => at_desk(command, home.settings()?, now).await,
        Command::Simulate(args) => simulate::run(args),
        Command::Token(args) => token::run(args, &home.settings()?, now).await,
        Command::Call(args) => call::run(args, &home.settings()?).await,
        Command::Id(args) => id::run(args, home::today(now), io::stdin().lock(), BufWriter::new(io::stdout().lock())),
        Command::Catalog(args) => catalog::run(args, &home, now).await,
        Command::Policy(args) => Box::pin(policy::run(args, &home, now)).await,
        Command::Audit(args) => audit::run(args, &home),
        Command::Receipt(args) => receipt::run(args).await,
        Command::Key(args) => key::run(&args, &home.settings()?),
        Command::Sql(args) => sql::run(args, &home.settings()?).await,
        Command::Health(args) => health::run(args, &home).await,
        Command::Settings(args) => settings::run(args, &home),
    }
}

/// The commands on clients, with the ledger and the catalogue that they need.
async fn registered(args: client::ClientArgs, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let ledger = open_ledger(settings).await?;
    let catalog = catalog::of_node(settings, &ledger).await?;
    let done = client::run(args, &ledger, &catalog, &settings.paths.clients(), now).await;
    ledger.close().await;
    done
}

/// The commands on applications and agreements.
async fn at_desk(command: Command, settings: Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let office = stewarding::Office::open(settings, now).await?;
    let done = match command {
        Command::Application(args) => application::run(args, &office, now).await,
        Command::Agreement(args) => agreement::run(args, &office, now).await,
        _ => Ok(ExitCode::FAILURE), // `run` sends no other command here
    };
    office.ledger.close().await;
    done
}

/// The commands on the ledger alone.
async fn in_ledger(command: Command, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let ledger = open_ledger(settings).await?;
    let done = match command {
        Command::Suspend(args) => {
            let catalog = catalog::of_node(settings, &ledger).await?;
            suspension::suspend(args, &ledger, &catalog, now).await
        }
        Command::Resume(args) => suspension::resume(args, &ledger, now).await,
        Command::Suspensions(args) => suspension::list(args, &ledger).await,
        Command::Acts(args) => suspension::acts(args, &ledger).await,
        Command::Alert(args) => alert::run(args, &ledger, now).await,
        Command::Honey(args) => alert::honey(args, &ledger, settings, now).await,
        Command::Peer(args) => peer::run(args, &ledger, settings, now).await,
        Command::Objection(args) => objection::run(args, &ledger, settings, now).await,
        Command::Webhook(args) => webhook::run(args, &ledger, now).await,
        _ => Ok(ExitCode::FAILURE), // `run` sends no other command here
    };
    ledger.close().await;
    done
}

/// One line for the person, the causes after it, exit status 2.
fn failed(error: &anyhow::Error) -> ExitCode {
    let causes: Vec<_> = error.chain().skip(1).map(ToString::to_string).collect();
    let mut line = format!("error: {error}");
    for cause in causes.iter().filter(|cause| !line.contains(cause.as_str())).cloned().collect::<Vec<_>>() {
        line.push_str(": ");
        line.push_str(&cause);
    }
    let mut stderr = io::stderr();
    let _ = writeln!(stderr, "{line}");
    ExitCode::from(2)
}

/// A progress bar on standard error, hidden where nobody looks.
fn progress_bar(what: &str, total: u64) -> indicatif::ProgressBar {
    if !io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(total);
    let style =
        indicatif::ProgressStyle::with_template("{msg:28} {bar:32} {percent:>3} %  {elapsed_precise} (left {eta})");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
