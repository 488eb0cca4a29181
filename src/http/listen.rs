//! Connections: accept, serve HTTP/1.1, and at the end let each finish what it is answering.
//!
//! Our own loop rather than axum's, because axum's gives a sender all the time in the world for its headers.
//! A connection that rests between two calls is another matter: gateways keep theirs, and one that is cut just when the
//! next call goes out is a call that fails.

mod phase;

use std::{convert::Infallible, future::Future, io, task::Poll, time::Duration};

use axum::{Router, body::Body};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use phase::{Heard, Phase, Phases};

/// Pause after a refused accept: what is short then (file descriptors) is not there again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may rest. Longer than gateways keep theirs (60 to 90 s), so that it is they who close.
const REST_MAX: Duration = Duration::from_secs(120);

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
    let phases = Phases::begin();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper's timer runs while the connection rests as well; that for the headers alone is in `late`.
        .header_read_timeout(REST_MAX)
        .serve_connection(TokioIo::new(Heard { stream, phases: phases.clone() }), noted(router, phases.clone()));
    let mut connection = std::pin::pin!(connection);
    let mut late = std::pin::pin!(late(phases, header_max));
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            biased; // The connection first: what has arrived is not late.
            ended = connection.as_mut() => break ended,
            () = late.as_mut() => {
                tracing::debug!("a connection was cut: its headers took too long");
                return;
            }
            () = stop.cancelled(), if !stopping => {
                connection.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}

/// The router, noting when a request's headers are there and when it is answered.
fn noted(
    router: Router,
    phases: Phases,
) -> impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> {
    let router = TowerToHyperService::new(router);
    service_fn(move |request| {
        phases.set(Phase::Answering);
        let (answering, phases) = (router.call(request), phases.clone());
        async move {
            let answer = answering.await;
            phases.set(Phase::Resting);
            answer
        }
    })
}

/// Resolves when headers have been arriving for longer than they may.
///
/// Looks when it is polled, which is whenever the connection has read something: then a timer is set only for a request
/// whose headers did not come in one piece.
async fn late(phases: Phases, header_max: Duration) {
    let mut timer = std::pin::pin!(tokio::time::sleep(header_max));
    std::future::poll_fn(|cx| match phases.now() {
        Phase::Arriving(since) => {
            if timer.deadline() != since + header_max {
                timer.as_mut().reset(since + header_max);
            }
            timer.as_mut().poll(cx)
        }
        Phase::Answering | Phase::Resting => Poll::Pending,
    })
    .await;
}

async fn refused(error: &io::Error) {
    tracing::warn!(error = error as &dyn std::error::Error, "a connection could not be accepted");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
