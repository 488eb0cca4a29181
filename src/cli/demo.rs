//! `shuqiao demo`: the whole road on this machine, with no server to install.
//!
//! Makes a folder with a catalogue, policies, settings and keys; makes synthetic registers and publishes them; registers
//! clients; serves; and walks through a few calls over HTTP as a department would. What it makes it finds again, so the
//! second start takes seconds.

mod cast;
mod federation;
mod files;
mod registers;
mod steps;
mod story;
mod tour;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use chrono::Utc;
use clap::Args;
use tokio::net::TcpListener;

use steps::Steps;

use super::{catalog::published, home::Home, serve::stop_signal};
use crate::{
    config::Settings,
    http::{self, Listeners, Node, open_ledger},
    identifiers::ClientId,
    telemetry,
};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// A province and three cities, each a process of its own on ports that are free, in place of one node.
    #[arg(long)]
    federation: bool,
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 8640, conflicts_with = "federation")]
    port: u16,
    /// How many synthetic persons the register has; the other registers follow [default: 1000000; of each city with
    /// --federation: 20000].
    #[arg(long)]
    persons: Option<u64>,
    /// Stop after the tour; exit 0 only if every step came out right.
    #[arg(long)]
    once: bool,
}

/// Persons of the one register, and of each city's part.
const PERSONS: u64 = 1_000_000;
const PERSONS_OF_A_CITY: u64 = 20_000;

pub(super) async fn run(args: DemoArgs, home: &Home) -> anyhow::Result<ExitCode> {
    if args.federation {
        let persons = args.persons.unwrap_or(PERSONS_OF_A_CITY);
        return Box::pin(federation::run(&home.dir, persons, args.once)).await;
    }
    // First of all: a port that is taken is found before minutes are spent.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], args.port));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (--port takes another one)"))?;
    files::lay_out(&home.dir, args.port)?;
    let settings = home.settings()?;
    telemetry::init(&settings.log);
    println!("shuqiao demo in {}", home.dir.display());

    let catalog = published(&settings).await?;
    registers::publish_all(&home.dir, args.persons.unwrap_or(PERSONS), &catalog, &settings).await?;
    let ledger = open_ledger(&settings).await?;
    let clients = cast::register(&ledger, &catalog, &settings.paths.clients(), Utc::now()).await?;
    ledger.close().await;

    let metrics = telemetry::install_metrics()?;
    let node = Box::pin(Node::open(settings.clone(), metrics, Utc::now)).await?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let listeners = Listeners::beside(listener, &settings).await?;
    let serving = tokio::task::spawn(http::serve(Arc::clone(&node), listeners, async {
        let _ = stopped.await;
    }));
    println!("serving on http://{address}\n");

    let mut steps = Steps::default();
    if let Err(error) = walk(&node, &settings, &clients, &mut steps).await {
        steps.wrong.push(format!("the tour broke off: {error:#}"));
    }
    let wrong = steps.wrong;
    for step in &wrong {
        println!("WRONG: {step}");
    }
    if !args.once {
        tour::print_curls(&node, &settings, &clients).await?;
        println!("\nserving on http://{address} (API page: http://{address}/docs/). Ctrl-C stops.");
        stop_signal()?.await;
    }
    let _ = stop.send(());
    serving.await?;
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Calls first, then the story of an agreement.
async fn walk(node: &Node, settings: &Settings, clients: &[ClientId], steps: &mut Steps) -> anyhow::Result<()> {
    Box::pin(tour::walk(node, settings, clients, steps)).await?;
    println!();
    Box::pin(story::tell(node, settings, steps)).await
}
