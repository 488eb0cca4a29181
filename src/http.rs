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
mod harvest;
mod laws;
mod layers;
mod listen;
mod node;
mod peer;
mod problem;
mod rechecks;
mod registers;
mod reload;
mod returns;
mod secrets;
mod shelf;
mod staff;
mod tables;
mod tasks;

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{config::Settings, flight};

pub(crate) use api::catalog_bodies;
pub use api::openapi;
pub use follow::read_rights;
pub use node::{Node, NodeError, open_ledger, operator_token};
pub use problem::status_of;
pub use reload::Reloaded;
pub use returns::{Pulled, Puller};
pub use secrets::pseudonymiser;
pub use tables::tables;

/// Where a node listens.
#[derive(Debug)]
pub struct Listeners {
    pub http: TcpListener,
    /// For Flight SQL, where it is on.
    pub flight: Option<TcpListener>,
}

impl Listeners {
    /// Listen where the settings say. The error names the setting.
    pub async fn bind(settings: &Settings) -> Result<Self, io::Error> {
        Self::beside(bind(settings.http.listen, "http.listen").await?, settings).await
    }

    /// The same, where calls come in at a listener that there is already.
    pub async fn beside(http: TcpListener, settings: &Settings) -> Result<Self, io::Error> {
        let flight = match settings.flight.address.address() {
            Some(address) => Some(bind(address, "flight.address").await?),
            None => None,
        };
        Ok(Self { http, flight })
    }
}

impl From<TcpListener> for Listeners {
    fn from(http: TcpListener) -> Self {
        Self { http, flight: None }
    }
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, io::Error> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address} (`{key}` in the settings): {error}"))
    };
    TcpListener::bind(address).await.map_err(named)
}

/// Serve until `stop` resolves; then finish the calls in flight, write a last checkpoint, and return.
///
/// Calls that are still running when the grace period ends are cut.
pub async fn serve(node: Arc<Node>, listeners: impl Into<Listeners>, stop: impl Future<Output = ()> + Send) {
    let Listeners { http, flight } = listeners.into();
    let background = tasks::start(&node);
    let router = layers::stack(api::router(Arc::clone(&node)), &node);
    let stopping = CancellationToken::new();
    let settings = &node.settings.http;
    let serving = listen::accept(http, router, settings.header_max, settings.shutdown_grace, stopping.clone());
    let counting = async {
        match flight {
            Some(listener) => flight::serve(node.flight(), listener, settings.shutdown_grace, stopping.clone()).await,
            None => true,
        }
    };
    let ending = async {
        stop.await;
        node.leave();
        stopping.cancel();
    };
    let peers = peer::serve(Arc::clone(&node), settings.shutdown_grace, stopping.clone());
    let (finished, counted, (), ()) = tokio::join!(serving, counting, ending, peers);
    if !finished || !counted {
        tracing::warn!("calls were still in flight at the end of the grace period");
    }
    background.stop().await;
    node.keep_watch().await;
    node.write_checkpoint();
}
