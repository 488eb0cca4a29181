//! Connections: accept, serve HTTP/1.1, and at the end let each finish what it is answering.
//!
//! Our own loop rather than axum's, because axum's gives a sender all the time in the world for its headers.

use std::{io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pause after a refused accept: what is short then (file descriptors) is not there again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accept until `stop`, then wait for the connections that are answering, `grace` at most.
///
/// Returns false where connections had to be cut.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    header_max: Duration,
    grace: Duration,
    stop: CancellationToken,
) -> bool {
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, router.clone(), header_max, stop.clone()));
            }
            Err(error) => refused(&error).await,
        }
    }
    drop(listener);
    connections.close();
    tokio::time::timeout(grace, connections.wait()).await.is_ok()
}

async fn converse(stream: TcpStream, router: Router, header_max: Duration, stop: CancellationToken) {
    // An answer is one small packet; it must not wait for a second one.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_max)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}

async fn refused(error: &io::Error) {
    tracing::warn!(error = error as &dyn std::error::Error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
