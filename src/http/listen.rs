//! Connections: accept, serve HTTP/1.1, and at the end let each finish what it is answering.
//!
//! Our own loop rather than axum's, because axum's gives a sender all the time in the world for its headers.
//! A connection that rests between two calls is another matter: gateways keep theirs, and one that is cut just when the
//! next call goes out is a call that fails.

mod phase;

use std::{convert::Infallible, future::Future, io, sync::Arc, task::Poll, time::Duration};

use axum::{body::Body, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use phase::{Heard, Phase, Phases};

/// Pause after a refused accept: what is short then (file descriptors) is not there again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may rest. Longer than gateways keep theirs (60 to 90 s), so that it is they who close.
const REST_MAX: Duration = Duration::from_secs(120);

/// Most connections at once, however many files the process may have open: each takes some memory.
const CONNECTIONS_MAX: usize = 16_384;
/// Files that the node needs for itself: log, ledger, registers that are being read. Connections must leave it these.
const OWN_FILES: usize = 64;
/// What a process may have open where the system does not say.
const FILES_USUAL: usize = 1_024;

/// What answers the requests of a connection.
pub(super) trait Answering:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answering for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

type Request = hyper::Request<Incoming>;

/// Accept until `stop`, then wait for the connections that are answering, `grace` at most.
///
/// Returns false where connections had to be cut.
pub(super) async fn accept<S: Answering>(
    listener: TcpListener,
    service: S,
    header_max: Duration,
    grace: Duration,
    stop: CancellationToken,
) -> bool {
    let connections = TaskTracker::new();
    let places = Places::new(places_max());
    let next = async || {
        let place = places.take().await;
        (listener.accept().await, place)
    };
    while let Some((accepted, place)) = stop.run_until_cancelled(next()).await {
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, service.clone(), header_max, place, stop.clone()));
            }
            Err(error) => refused(&error).await,
        }
    }
    drop(listener);
    connections.close();
    tokio::time::timeout(grace, connections.wait()).await.is_ok()
}

/// As many connections as there are; past that, those that rest make room for those who call.
struct Places {
    free: Arc<Semaphore>,
    wanted: Arc<Notify>,
}

/// One connection's place, given back when it ends.
struct Place {
    /// Somebody waits for a place.
    wanted: Arc<Notify>,
    _held: Option<OwnedSemaphorePermit>,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), wanted: Arc::default() }
    }

    async fn take(&self) -> Place {
        loop {
            let free = Arc::clone(&self.free).acquire_owned();
            if let Ok(held) = tokio::time::timeout(ACCEPT_PAUSE, free).await {
                return Place { wanted: Arc::clone(&self.wanted), _held: held.ok() };
            }
            self.wanted.notify_waiters();
        }
    }
}

fn places_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = files_max(&limits).unwrap_or(FILES_USUAL);
    // With very few files, half of them are for connections all the same.
    files.saturating_sub(OWN_FILES).max(files / 2).clamp(1, CONNECTIONS_MAX)
}

/// The soft limit of open files in the text of `/proc/self/limits`.
fn files_max(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

async fn converse<S: Answering>(
    stream: TcpStream,
    service: S,
    header_max: Duration,
    place: Place,
    stop: CancellationToken,
) {
    // An answer is one small packet; it must not wait for a second one.
    let _ = stream.set_nodelay(true);
    let phases = Phases::begin();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // hyper's timer runs while the connection rests as well; that for the headers alone is in `late`.
        .header_read_timeout(REST_MAX)
        .serve_connection(TokioIo::new(Heard { stream, phases: phases.clone() }), noted(service, phases.clone()));
    let mut connection = std::pin::pin!(connection);
    let mut late = std::pin::pin!(late(phases.clone(), header_max));
    let mut leaving = false;
    let ended = loop {
        tokio::select! {
            biased; // The connection first: what has arrived is not late.
            ended = connection.as_mut() => break ended,
            () = late.as_mut() => {
                tracing::debug!("a connection was cut: its headers took too long");
                return;
            }
            () = stop.cancelled(), if !leaving => leaving = true,
            () = place.wanted.notified(), if !leaving => leaving = phases.now() == Phase::Resting,
        }
        if leaving {
            connection.as_mut().graceful_shutdown();
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}

/// The service, noting when a request's headers are there and when it is answered.
fn noted<S: Answering>(
    service: S,
    phases: Phases,
) -> impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> {
    let service = TowerToHyperService::new(service);
    service_fn(move |request| {
        phases.set(Phase::Answering);
        let (answering, phases) = (hyper::service::Service::call(&service, request), phases.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_of_files_is_read() {
        let line = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max processes             63704                63704                processes\n";
        for (text, files) in [
            ("Max open files            1024                 524288               files\n", Some(1024)),
            ("Max open files            unlimited            unlimited            files\n", Some(usize::MAX)),
            ("Max open files\n", None),
            ("", None),
        ] {
            assert_eq!(files_max(&format!("{line}{text}")), files, "{text}");
        }
        assert!((1..=CONNECTIONS_MAX).contains(&places_max()));
    }
}
