//! Arrow Flight SQL: the door through which stewards and auditors count. Translates, never decides.
//!
//! Floor 5: may use everything below. What a statement may be, and who may ask it, is for `exchange` to say, at every step
//! anew: a prepared statement and a ticket are no more than a note of what was asked, and carry no right of their own.
//!
//! ```text
//! GetFlightInfo(statement) ─ exchange::statistics_schema ─> ticket, kept on the shelf for its account
//! DoGet(ticket)            ─ exchange::statistics ────────> batches; what was suppressed in the schema's metadata
//! ```

mod door;
mod metadata;
mod peer;
mod reply;
mod shelf;
mod wire;

use std::{sync::Arc, time::Duration};

use arrow_flight::flight_service_server::FlightServiceServer;
use axum::Router;
use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{exchange::Exchange, federation::Federation, problem::Code};
use door::Door;
use peer::PeerDoor;
use reply::Statuses;

/// Largest message that is taken: a statement with its parameters.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Where the service stands on a listener, of whatever kind.
const PATH: &str = "/arrow.flight.protocol.FlightService/{*message}";

/// The service for stewards and auditors, to be mounted on any listener that speaks HTTP/2.
///
/// `status_of` is the HTTP status of a code, from which gRPC's follows.
pub fn router(exchange: Arc<Exchange>, clock: fn() -> DateTime<Utc>, status_of: fn(Code) -> u16) -> Router {
    let service = FlightServiceServer::new(Door::new(exchange, clock, status_of));
    Router::new().route_service(PATH, service.max_decoding_message_size(MESSAGE_BYTES_MAX))
}

/// The service for other nodes. The listener puts the thumbprint of the other side's certificate into the extensions of each
/// request.
pub fn peer_router(
    exchange: Arc<Exchange>,
    federation: Arc<Federation>,
    clock: fn() -> DateTime<Utc>,
    status_of: fn(Code) -> u16,
) -> Router {
    let door = PeerDoor { exchange, federation, clock, statuses: Statuses(status_of) };
    let service = FlightServiceServer::new(door).max_decoding_message_size(MESSAGE_BYTES_MAX);
    Router::new().route_service(PATH, service)
}

/// Serve until `stop`, then let statements under way finish, `grace` at most. False where some had to be cut.
pub async fn serve(router: Router, listener: TcpListener, grace: Duration, stop: CancellationToken) -> bool {
    let (leaving, cut) = (stop.clone(), stop.clone());
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { leaving.cancelled().await });
    let late = async {
        cut.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = serving.into_future() => {
            if let Err(error) = served {
                tracing::error!(error = &error as &dyn std::error::Error, "Flight SQL is no longer served");
            }
            true
        }
        () = late => false,
    }
}
