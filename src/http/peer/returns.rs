//! What other nodes are handed back of this node's registers.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{Node, Peer, problem};
use crate::{
    exchange::{HandedBack, Offer, ReturnAsked},
    http::{node::fresh_id, problem::ProblemResponse},
    identifiers::CallId,
    returns::MANIFEST_HEADER,
};

/// What is read of a slice at a time.
const PIECE_BYTES: usize = 128 * 1024;

#[derive(Deserialize)]
pub(super) struct From {
    /// The cursor of the version that the node has.
    after: Option<String>,
}

/// The datasets that the node is handed its part of, and how far each has come here.
pub(super) async fn offers(State(node): State<Arc<Node>>, Extension(Peer(from)): Extension<Peer>) -> Response {
    let offer = |offer: Offer| match offer.newest {
        Ok(newest) => {
            let (cursor, as_of) = newest.unzip();
            json!({ "dataset": offer.dataset, "cursor": cursor, "as_of": as_of })
        }
        Err(refused) => json!({ "dataset": offer.dataset, "code": refused.code.as_str(), "detail": refused.detail }),
    };
    let offers: Vec<_> = node.exchange.return_offers(&from, node.now()).into_iter().map(offer).collect();
    Json(json!({ "returns": offers })).into_response()
}

/// The node's slice of the newest version; 304 where it has that one.
pub(super) async fn slice(
    State(node): State<Arc<Node>>,
    Extension(Peer(from)): Extension<Peer>,
    Path(dataset): Path<String>,
    Query(asked): Query<From>,
) -> Response {
    if let Err(not_ready) = node.readiness() {
        return problem(not_ready);
    }
    let (received, folder) = (node.now(), node.settings.paths.returns());
    let call_id = CallId::new(fresh_id(received));
    let asked = ReturnAsked {
        call_id,
        from: &from,
        dataset: &dataset,
        after: asked.after.as_deref(),
        folder: &folder,
        received,
    };
    match Box::pin(node.exchange.hand_back(asked)).await {
        Ok(Some(handed)) => sent(handed),
        Ok(None) => StatusCode::NOT_MODIFIED.into_response(),
        Err(refusal) => ProblemResponse::of_call(refusal.problem, refusal.call_id).into_response(),
    }
}

/// The bytes as they are asked for: what is in memory is one piece.
fn sent(handed: HandedBack) -> Response {
    let HandedBack { slice, manifest, on_its_way } = handed;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/vnd.apache.parquet".to_owned()),
        (header::CONTENT_LENGTH.as_str(), slice.bytes.to_string()),
        (header::CACHE_CONTROL.as_str(), "no-store".to_owned()),
        (MANIFEST_HEADER, manifest),
    ];
    let file = tokio::fs::File::from_std(slice.file);
    let pieces = stream::try_unfold((file, on_its_way), async |(mut file, on_its_way)| {
        let mut piece = vec![0; PIECE_BYTES];
        let length = file.read(&mut piece).await?;
        piece.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then(|| (Bytes::from(piece), (file, on_its_way))))
    });
    (headers, Body::from_stream(pieces)).into_response()
}
