//! `shuqiao serve`: open the node and answer until told to stop.

use std::{process::ExitCode, sync::Arc, time::Duration};

use chrono::Utc;
use clap::Args;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::home::Home;
use crate::{
    http::{self, Listeners, Node, Reloaded},
    telemetry,
};

/// How soon a reload that other nodes have held up is tried again.
const RELOAD_AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Stop when standard input ends, too: for a program that starts nodes, and must not leave them behind.
    #[arg(long)]
    until_input_ends: bool,
}

pub(super) async fn run(args: ServeArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let settings = home.settings()?;
    telemetry::init(&settings.log);
    let metrics = telemetry::install_metrics()?;
    let address = settings.http.listen;
    let node = Box::pin(Node::open(settings, metrics, Utc::now)).await?;
    let listeners = Listeners::bind(&node.settings).await?;
    let flight = node.settings.flight.address;
    tracing::info!(%address, %flight, node = %node.settings.node.id, "serving");
    tokio::spawn(reload_at_hangup(Arc::clone(&node), signal(SignalKind::hangup())?));
    let (told, ended) = (stop_signal()?, args.until_input_ends.then(input_ended));
    let stop = async move {
        match ended {
            Some(ended) => tokio::select! { () = told => {} _ = ended => {} },
            None => told.await,
        }
    };
    Box::pin(http::serve(Arc::clone(&node), listeners, stop)).await;
    tracing::info!("stopped; every answered call is in the log");
    Ok(ExitCode::SUCCESS)
}

/// At SIGHUP, take policies and keys as they are on the disk now; later, where others must hear of a key and cannot.
async fn reload_at_hangup(node: Arc<Node>, mut hangup: Signal) {
    let mut is_due = false;
    loop {
        tokio::select! {
            heard = hangup.recv() => if heard.is_none() { return },
            () = tokio::time::sleep(RELOAD_AGAIN), if is_due => {}
        }
        is_due = reload(Arc::clone(&node)).await;
    }
}

/// Is it to be tried again?
async fn reload(node: Arc<Node>) -> bool {
    match tokio::task::spawn_blocking(move || node.reload()).await {
        Ok(Ok(Reloaded { policies, receipt_key, token_key })) => {
            tracing::info!(policies, receipt_key, token_key, "policies and keys were read again");
            false
        }
        Ok(Err(error)) if error.passes() => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "nothing was changed yet: the other nodes have to hear of the keys first");
            true
        }
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "nothing was changed: policies or keys are not in order");
            false
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "reading again failed");
            false
        }
    }
}

/// Resolves (as an error: nobody sends) when nothing more comes from standard input.
fn input_ended() -> oneshot::Receiver<()> {
    let (held, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(held);
    });
    ended
}

/// Resolves at SIGTERM or SIGINT.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
