//! What every request passes, outermost first.
//!
//! 1. request id: so that even a panic has a name in the log; 2. trace; 3. catch-panic: a fault of one request is not the
//!    node's; 4. load: past capacity, 503 at once rather than late; 5. timeout: a slow sender gives its place up.
//!
//! How long a body may be is looked at where it is read (`body::read`).

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};

use super::{Node, problem::ProblemResponse};
use crate::problem::{Code, Problem};

pub(super) fn stack(router: Router, node: &Arc<Node>) -> Router {
    let span = |request: &Request| {
        let id = request.headers().get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
        tracing::debug_span!("request", method = %request.method(), path = request.uri().path(), id)
    };
    router
        .layer(middleware::from_fn_with_state(Arc::clone(node), time_out))
        .layer(middleware::from_fn_with_state(Arc::clone(node), shed_load))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

async fn time_out(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(node.settings.http.request_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let problem = Problem::new(Code::RequestTimeout, "the request took too long").remedy("Send it again.");
            ProblemResponse::from(problem).into_response()
        }
    }
}

/// Paths of those who watch the node, who must not take a busy one for a dead one.
const WATCHED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

async fn shed_load(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    if WATCHED.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match node.in_flight.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => {
            let problem = Problem::new(Code::Overloaded, "more calls are under way than the node can finish in time");
            ProblemResponse::from(problem.remedy("Try again shortly.").retry_after(1)).into_response()
        }
    }
}

fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let said = cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str));
    tracing::error!(said, "a request panicked");
    ProblemResponse::from(Problem::new(Code::Internal, "a fault of the node")).into_response()
}
