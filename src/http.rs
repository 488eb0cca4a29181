//! HTTP: router, extractors, problem+json, OpenAPI. Translates, never decides.
//!
//! Floor 5: may use everything below. `api` holds one file per act of a user; `node` is the node with all its parts,
//! built in one place, the same in tests; `problem` is the only place with status numbers.

mod api;
mod body;
mod layers;
mod node;
mod problem;
mod tasks;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::net::TcpListener;

pub use api::openapi;
pub use node::{Node, NodeError, operator_token};
pub use problem::status_of;

/// Serve until `stop` resolves; then finish the calls in flight, write a last checkpoint, and return.
///
/// Calls that are still running when the grace period ends are cut.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let background = tasks::start(&node);
    let grace = node.settings.http.shutdown_grace;
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let leaving = Arc::clone(&node);
    let signal = async move {
        stop.await;
        leaving.leave();
        let _ = stopping.send(());
    };
    let router = layers::stack(api::router(Arc::clone(&node)), &node);
    let served = axum::serve(listener, router).with_graceful_shutdown(signal).into_future();
    let cut = async {
        let _ = stopped.await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = served => result?,
        () = cut => tracing::warn!(grace_ms = duration_ms(grace), "calls were still in flight at the end of the grace period"),
    }
    background.stop().await;
    node.write_checkpoint();
    Ok(())
}

fn duration_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
