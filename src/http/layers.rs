//! What every request passes, outermost first.
//!
//! 1. request id: so that even a panic has a name in the log; 2. trace; 3. catch-panic: a fault of one request is not the
//!    node's; 4. load: past capacity, 503 at once rather than late; 5. timeout: a slow sender gives its place up.
//!
//! Put around the router and not into it: what a router holds is boxed and copied for every request.
//! How long a body may be is looked at where it is read (`body::read`).

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, service_fn};
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    trace::TraceLayer,
};
use uuid::Uuid;

use super::{Node, listen::Answering, problem::ProblemResponse};
use crate::problem::{Code, Problem};

/// The router with everything around it.
pub(super) fn stack(router: Router, node: &Arc<Node>) -> impl Answering {
    let span = |request: &Request<Incoming>| {
        let id = request.headers().get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
        tracing::debug_span!("request", method = %request.method(), path = request.uri().path(), id)
    };
    let node = Arc::clone(node);
    let answer = move |request| {
        let (node, router) = (Arc::clone(&node), router.clone());
        async move { Ok(shed_load(&node, router, request).await) }
    };
    ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(SetRequestIdLayer::x_request_id(FreshId { process: Uuid::new_v4(), next: Arc::default() }))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(CatchPanicLayer::custom(panicked))
        .service(service_fn(answer))
}

/// Names a request whose sender has not named it: a name of this process, and a number.
#[derive(Clone)]
struct FreshId {
    process: Uuid,
    next: Arc<AtomicU64>,
}

impl MakeRequestId for FreshId {
    fn make_request_id<B>(&mut self, _: &hyper::Request<B>) -> Option<RequestId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{}-{number}", self.process.simple())).ok().map(RequestId::new)
    }
}

/// Paths of those who watch the node, who must not take a busy one for a dead one.
const WATCHED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

async fn shed_load(node: &Node, router: Router, request: Request<Incoming>) -> Response {
    if WATCHED.contains(&request.uri().path()) {
        return time_out(node, router, request).await;
    }
    match node.in_flight.try_acquire() {
        Ok(_place) => time_out(node, router, request).await,
        Err(_) => {
            let problem = Problem::new(Code::Overloaded, "more calls are under way than the node can finish in time");
            ProblemResponse::from(problem.remedy("Try again shortly.").retry_after(1)).into_response()
        }
    }
}

async fn time_out(node: &Node, mut router: Router, request: Request<Incoming>) -> Response {
    match tokio::time::timeout(node.settings.http.request_max, router.call(request)).await {
        Ok(Ok(response)) => response,
        Err(_) => {
            let problem = Problem::new(Code::RequestTimeout, "the request took too long").remedy("Send it again.");
            ProblemResponse::from(problem).into_response()
        }
    }
}

fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let said = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(said, "a request panicked");
    ProblemResponse::from(Problem::new(Code::Internal, "a fault of the node")).into_response()
}
