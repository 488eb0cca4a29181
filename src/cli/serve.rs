//! `shuqiao serve`: open the node and answer until told to stop.

use std::{process::ExitCode, sync::Arc};

use chrono::Utc;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::home::Home;
use crate::{
    http::{self, Listeners, Node, Reloaded},
    telemetry,
};

pub(super) async fn run(home: &Home) -> anyhow::Result<ExitCode> {
    let settings = home.settings()?;
    telemetry::init(&settings.log);
    let metrics = telemetry::install_metrics()?;
    let address = settings.http.listen;
    let node = Box::pin(Node::open(settings, metrics, Utc::now)).await?;
    let listeners = Listeners::bind(&node.settings).await?;
    let flight = node.settings.flight.listen;
    tracing::info!(%address, %flight, node = %node.settings.node.id, "serving");
    tokio::spawn(reload_at_hangup(Arc::clone(&node), signal(SignalKind::hangup())?));
    Box::pin(http::serve(Arc::clone(&node), listeners, stop_signal()?)).await;
    tracing::info!("stopped; every answered call is in the log");
    Ok(ExitCode::SUCCESS)
}

/// At SIGHUP, take policies and keys as they are on the disk now.
async fn reload_at_hangup(node: Arc<Node>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        let node = Arc::clone(&node);
        match tokio::task::spawn_blocking(move || node.reload()).await {
            Ok(Ok(Reloaded { policies, receipt_key, token_key })) => {
                tracing::info!(policies, receipt_key, token_key, "policies and keys were read again");
            }
            Ok(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "nothing was changed: policies or keys are not in order"
            ),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "reading again failed"),
        }
    }
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
