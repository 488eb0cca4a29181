//! Statements to other nodes: over Flight SQL, on the same mutual TLS and with the same signed token as calls.
//!
//! What goes over is SQL text, never a plan; what comes back is cells. The other node plans, decides and records by itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arrow::array::RecordBatch;
use arrow_flight::{
    error::FlightError, flight_service_client::FlightServiceClient, sql::client::FlightSqlServiceClient,
};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use hyper_util::rt::TokioIo;
use metrics::{counter, histogram};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::{Federation, Forwarding, PROTOCOL, tls};
use crate::identifiers::NodeId;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Largest message of another node that is taken.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Most cells of another node that are taken.
const CELLS_MAX: usize = 200_000;

/// Cells of another node.
#[derive(Clone, Debug)]
pub struct Counts {
    pub batches: Vec<RecordBatch>,
    /// What it says of them: the metadata of the schema, without the prefix.
    pub said: HashMap<String, String>,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCounts {
    Refused { code: String },
    Late,
    Unreachable,
}

impl NoCounts {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Late => "late",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Federation {
    /// Have a node count. `forwarding` is about this very statement.
    pub async fn count(
        &self,
        node: &NodeId,
        statement: &str,
        forwarding: &Forwarding,
        (budget, now): (Duration, DateTime<Utc>),
    ) -> Result<Counts, NoCounts> {
        let started = std::time::Instant::now();
        let asked = Box::pin(self.ask_to_count(node, statement, forwarding, (budget, now)));
        let counted = tokio::time::timeout(budget, asked).await.unwrap_or(Err(NoCounts::Late));
        let end = counted.as_ref().map_or_else(NoCounts::word, |_| "answered");
        let name = node.as_str().to_owned();
        counter!("shuqiao_peer_calls_total", "peer" => name.clone(), "end" => end).increment(1);
        histogram!("shuqiao_peer_call_seconds", "peer" => name).record(started.elapsed());
        counted
    }

    async fn ask_to_count(
        &self,
        node: &NodeId,
        statement: &str,
        forwarding: &Forwarding,
        (budget, now): (Duration, DateTime<Utc>),
    ) -> Result<Counts, NoCounts> {
        let card = self.membership().card(node, now).ok_or(NoCounts::Unreachable)?;
        if card.protocol.common(PROTOCOL).is_none() {
            return Err(NoCounts::Refused { code: "protocol".to_owned() });
        }
        let token = self.token(forwarding, node, budget, now).map_err(|_| NoCounts::Unreachable)?;
        let channel = self.channel(node, &card.endpoint).await.ok_or(NoCounts::Unreachable)?;
        let inner = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut client = FlightSqlServiceClient::new_from_inner(inner);
        client.set_token(token);
        let info = client.execute(statement.to_owned(), None).await.map_err(failure)?;
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
        let mut cells = client.do_get(ticket.ok_or(NoCounts::Unreachable)?).await.map_err(failure)?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while let Some(batch) = cells.try_next().await.map_err(failure)? {
            rows += batch.num_rows();
            if rows > CELLS_MAX {
                return Err(NoCounts::Unreachable);
            }
            batches.push(batch);
        }
        let schema = cells.schema().ok_or(NoCounts::Unreachable)?;
        let said = schema.metadata().iter();
        let said = said.filter_map(|(name, value)| Some((name.strip_prefix("shuqiao.")?.to_owned(), value.clone())));
        Ok(Counts { said: said.collect(), batches })
    }

    /// A connection to that node and to nobody else, on which HTTP/2 is spoken.
    async fn channel(&self, node: &NodeId, endpoint: &url::Url) -> Option<Channel> {
        let mut tls = tls::client(self.certificate(), self.membership(), node).ok()?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(tls));
        let (host, port) = (endpoint.host_str()?.to_owned(), endpoint.port_or_known_default()?);
        // Who answers is known by its certificate; the name is of no importance.
        let name = ServerName::try_from(format!("{node}.node.invalid")).ok()?;
        let connect = tower::service_fn(move |_: tonic::transport::Uri| {
            let (connector, host, name) = (connector.clone(), host.clone(), name.clone());
            async move {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                connector.connect(name, stream).await.map(TokioIo::new)
            }
        });
        // The connector speaks TLS; to the library above it, it is a plain connection.
        let plain = Endpoint::from_shared(format!("http://{node}.node.invalid")).ok()?.connect_timeout(CONNECT_MAX);
        tokio::time::timeout(CONNECT_MAX, plain.connect_with_connector(connect)).await.ok()?.ok()
    }
}

/// A refusal has one of our codes with it; everything else is the way's fault.
fn failure(error: FlightError) -> NoCounts {
    let FlightError::Tonic(status) = error else { return NoCounts::Unreachable };
    match (status.metadata().get("x-shuqiao-code").and_then(|code| code.to_str().ok()), status.code()) {
        (Some("statement_too_slow"), _) => NoCounts::Late,
        (Some(code), _) => NoCounts::Refused { code: code.to_owned() },
        (None, tonic::Code::Unimplemented) => NoCounts::Refused { code: "protocol".to_owned() },
        (None, tonic::Code::DeadlineExceeded) => NoCounts::Late,
        (None, _) => NoCounts::Unreachable,
    }
}
