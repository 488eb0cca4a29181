//! The door for other nodes: a listener of its own, mutual TLS, and the ways that only nodes take.
//!
//! Who is on the other side is known from its certificate, and looked up in the directory with every request: a node that
//! was revoked is nobody on connections that it has already, too.

mod listen;
mod returns;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio_util::sync::CancellationToken;

use super::{
    Node,
    api::{self, DisclosureBody, VerificationBody},
    body,
    problem::ProblemResponse,
};
use crate::{
    cascade::Asked,
    exchange::Question,
    federation::{Card, PROTOCOL, Thumbprint, paths},
    identifiers::{DatasetId, NodeId},
    policy::Operation,
    problem::{Code, Problem},
};

/// Serve other nodes until `stop`, then let those that are being answered finish.
pub(super) async fn serve(node: Arc<Node>, grace: Duration, stop: CancellationToken) {
    let Some(federation) = node.federation.clone() else { return };
    let Some(listener) = node.peer_listener.lock().ok().and_then(|mut held| held.take()) else { return };
    let tls = match crate::federation::server(federation.certificate(), federation.membership()) {
        Ok(tls) => tls,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "other nodes cannot be served");
            return;
        }
    };
    listen::accept(listener, tls, router(node), grace, stop).await;
}

fn router(node: Arc<Node>) -> Router {
    let index = format!("{}/{{dataset}}", paths::INDEX);
    let slice = format!("{}/{{dataset}}", paths::RETURNS);
    let statements = node.flight_of_peers().unwrap_or_default();
    Router::new()
        .route(paths::VERIFICATIONS, post(verify))
        .route(paths::DISCLOSURES, post(disclose))
        .route(paths::DIRECTORY, get(directory))
        .route(paths::CARD, post(card))
        .route(paths::STATUS, get(status))
        .route(paths::CATALOG, get(catalog))
        .route(&index, get(self::index))
        .route(paths::RETURNS, get(returns::offers))
        .route(&slice, get(returns::slice))
        .fallback(|| async { problem(Problem::new(Code::NoSuchPath, "no such path for other nodes")) })
        .layer(DefaultBodyLimit::disable()) // bounded where bodies are read
        .layer(middleware::from_fn_with_state(Arc::clone(&node), known))
        .with_state(node)
        .merge(statements)
}

fn problem(problem: Problem) -> Response {
    ProblemResponse::from(problem).into_response()
}

/// The node on the other side.
#[derive(Clone)]
struct Peer(NodeId);

/// Everything is for nodes of the directory only; which of them it is goes with the request.
async fn known(
    State(node): State<Arc<Node>>,
    Extension(print): Extension<Thumbprint>,
    mut request: Request,
    next: Next,
) -> Response {
    let owner = node.federation.as_ref().and_then(|federation| federation.membership().owner(&print, node.now()));
    let Some(owner) = owner else {
        let stranger = Problem::new(Code::PeerUnknown, "the certificate is not that of a node in the directory");
        return problem(stranger.remedy("Let the operator of the node that issues the directory admit it."));
    };
    request.extensions_mut().insert(Peer(owner));
    next.run(request).await
}

async fn verify(State(node): State<Arc<Node>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let asked = |headers: &HeaderMap, bytes: &[u8]| body::json::<VerificationBody>(headers, bytes).map(Question::from);
    call(node, Operation::Verify, peer, request, asked).await
}

async fn disclose(State(node): State<Arc<Node>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let asked = |headers: &HeaderMap, bytes: &[u8]| body::json::<DisclosureBody>(headers, bytes).map(Question::from);
    call(node, Operation::Disclose, peer, request, asked).await
}

async fn call(
    node: Arc<Node>,
    operation: Operation,
    Peer(from): Peer,
    request: Request,
    question: impl FnOnce(&HeaderMap, &[u8]) -> Result<Question, Problem>,
) -> Response {
    let Ok(_place) = node.in_flight.try_acquire() else {
        return problem(Problem::new(Code::Overloaded, "more calls are under way than can be finished").retry_after(1));
    };
    let (Parts { headers, .. }, body) = request.into_parts();
    let bytes = match body::read(body, node.settings.http.body_bytes_max).await {
        Ok(bytes) => bytes,
        Err(refused) => return problem(refused),
    };
    let (token, question) = (body::bearer(&headers).map(str::to_owned), question(&headers, &bytes));
    // Not dropped with the connection: what has been recorded must be there for the second try.
    let answering = {
        let node = Arc::clone(&node);
        tokio::spawn(async move { node.answer_forwarded(operation, token.as_deref(), &from, &bytes, question).await })
    };
    match answering.await {
        Ok(Ok(answer)) => api::signed(answer),
        Ok(Err(refusal)) => ProblemResponse::of_call(refusal.problem, refusal.call_id).into_response(),
        Err(_) => problem(Problem::new(Code::Internal, "a fault of the node")),
    }
}

async fn directory(State(node): State<Arc<Node>>) -> Response {
    match node.federation.as_ref().and_then(|federation| federation.handed()) {
        Some(handed) => Json(handed).into_response(),
        None => problem(
            Problem::new(Code::NotReady, "this node issues no directory")
                .remedy("Ask the node above all.")
                .retry_after(5),
        ),
    }
}

/// How this node is, for the operators of others.
async fn status(State(node): State<Arc<Node>>) -> Response {
    let held = node.federation.as_ref().and_then(|federation| federation.membership().last());
    let serving = |id: &DatasetId| {
        let serving = node.engine.serving(id)?;
        Some(serde_json::json!({ "id": id, "version": serving.version, "as_of": serving.as_of, "rows": serving.rows }))
    };
    let datasets: Vec<_> = node.catalog().datasets.keys().filter_map(serving).collect();
    let feed = node.ledger.feed().await.ok().map(|feed| serde_json::json!({ "id": feed.id, "newest": feed.newest }));
    let body = serde_json::json!({
        "node": node.settings.node.id, "protocol": PROTOCOL, "directory_serial": held.map(|held| held.serial),
        "catalog_revision": node.shelf().revision, "ready": node.readiness().is_ok(), "now": node.now(),
        "datasets": datasets, "catalog_feed": feed,
    });
    Json(body).into_response()
}

/// A part of this node's catalogue and of those below it: for every node, as it is for every department.
async fn catalog(State(node): State<Arc<Node>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let told = async {
        let Query(asked) = asked.map_err(|_| body::bad_query())?;
        node.catalog_page(&asked).await
    };
    told.await.map_or_else(problem, |page| Json(page).into_response())
}

/// A node has a new key, certificate, endpoint or register, and says so itself.
async fn card(State(node): State<Arc<Node>>, Extension(Peer(from)): Extension<Peer>, request: Request) -> Response {
    let renewed = async {
        let bytes = body::read(request.into_body(), node.settings.http.body_bytes_max).await?;
        let card = Card::parse(&String::from_utf8_lossy(&bytes))
            .map_err(|error| Problem::new(error.code(), error.to_string()).at("/"))?;
        if card.node != from {
            let detail = format!("the card is that of `{}`, sent by `{from}`", card.node);
            return Err(Problem::new(Code::InvalidValue, detail).at("/node").remedy("Send your own card."));
        }
        node.renew_card(&card).await
    };
    renewed.await.map_or_else(problem, |()| StatusCode::NO_CONTENT.into_response())
}

/// Which keys this node has of a dataset: for the node above, which is the only one to be told.
async fn index(
    State(node): State<Arc<Node>>,
    Extension(Peer(from)): Extension<Peer>,
    Path(dataset): Path<DatasetId>,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok()).and_then(version_of);
        node.index_for(&from, &dataset, known).await
    };
    match found.await {
        Ok(Some((version, bytes))) => {
            let headers =
                [(header::ETAG, tag_of(version)), (header::CONTENT_TYPE, "application/octet-stream".to_owned())];
            (headers, Body::from(bytes)).into_response()
        }
        Ok(None) => StatusCode::NOT_MODIFIED.into_response(),
        Err(refused) => problem(refused),
    }
}

pub(super) fn tag_of(version: u64) -> String {
    format!("\"{version}\"")
}

fn version_of(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}
