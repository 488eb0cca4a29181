//! HTTP: router, extractors, problem+json, OpenAPI. Translates, never decides.
//!
//! Floor 5: may use everything below. `api` holds one file per act of a user; `node` is the node with all its parts,
//! built in one place, the same in tests; `problem` is the only place with status numbers.

mod api;
mod body;
mod clocks;
mod enumeration;
mod federate;
mod follow;
mod laws;
mod layers;
mod listen;
mod node;
mod peer;
mod problem;
mod registers;
mod reload;
mod shelf;
mod staff;
mod tables;
mod tasks;

use std::{future::Future, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use api::catalog_bodies;
pub use api::openapi;
pub use follow::read_rights;
pub use node::{Node, NodeError, open_ledger, operator_token, pseudonymiser};
pub use problem::status_of;
pub use reload::Reloaded;
pub use tables::tables;

/// Serve until `stop` resolves; then finish the calls in flight, write a last checkpoint, and return.
///
/// Calls that are still running when the grace period ends are cut.
pub async fn serve(node: Arc<Node>, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
    let background = tasks::start(&node);
    let router = layers::stack(api::router(Arc::clone(&node)), &node);
    let stopping = CancellationToken::new();
    let settings = &node.settings.http;
    let serving = listen::accept(listener, router, settings.header_max, settings.shutdown_grace, stopping.clone());
    let ending = async {
        stop.await;
        node.leave();
        stopping.cancel();
    };
    let peers = peer::serve(Arc::clone(&node), settings.shutdown_grace, stopping.clone());
    let (finished, (), ()) = tokio::join!(serving, ending, peers);
    if !finished {
        tracing::warn!("calls were still in flight at the end of the grace period");
    }
    background.stop().await;
    node.keep_watch().await;
    node.write_checkpoint();
}
