//! Connections of other nodes: TLS first, then HTTP/1.1 or HTTP/2 as the two agree.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::federation::Thumbprint;

/// Longest time for a handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Pause after a refused accept: what is short then is not there again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Most connections at once. There are some hundred nodes; each has some.
const CONNECTIONS_MAX: usize = 4_096;

pub(super) async fn accept(
    listener: TcpListener,
    tls: ServerConfig,
    router: Router,
    grace: Duration,
    stop: CancellationToken,
) {
    let (acceptor, connections) = (TlsAcceptor::from(Arc::new(tls)), TaskTracker::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Some(place) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await else { break };
        match stop.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok((stream, _))) => {
                let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(acceptor, stream, router, stop).await;
                    drop(place);
                });
            }
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a node's connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(grace, connections.wait()).await;
}

async fn converse(acceptor: TlsAcceptor, stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a connection is not that of a node in the directory"
            );
            return;
        }
        Err(_) => return,
    };
    let Some(print) = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|der| Thumbprint::of(der))
    else {
        return; // Not without a certificate: the handshake asks for one.
    };
    let service = TowerToHyperService::new(router.layer(axum::Extension(print)));
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a node's connection broke off");
    }
}
