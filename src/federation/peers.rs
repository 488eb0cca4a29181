//! Connections to other nodes: one client a node, which accepts that node's certificate and no other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, RequestBuilder, Response, header};
use serde_json::Value;
use url::Url;

use super::{
    Certificate, Failure, FederationError, Membership, tls,
    told::{Answered, End},
};
use crate::{identifiers::NodeId, policy::Operation, problem::Code};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// Longest answer that is read.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Ways below a node's endpoint.
pub mod paths {
    pub const VERIFICATIONS: &str = "/peer/v1/verifications";
    pub const DISCLOSURES: &str = "/peer/v1/disclosures";
    pub const DIRECTORY: &str = "/peer/v1/directory";
    pub const CARD: &str = "/peer/v1/card";
    pub const STATUS: &str = "/peer/v1/status";
    pub const INDEX: &str = "/peer/v1/indexes";
    pub const RETURNS: &str = "/peer/v1/returns";
    pub const CATALOG: &str = "/peer/v1/catalog";
}

/// Clients of other nodes, made when first needed.
pub struct Peers {
    certificate: Arc<Certificate>,
    membership: Arc<Membership>,
    clients: Mutex<HashMap<NodeId, Client>>,
}

impl Peers {
    pub fn new(certificate: Arc<Certificate>, membership: Arc<Membership>) -> Self {
        Self { certificate, membership, clients: Mutex::default() }
    }

    /// A client that talks to that node and to nobody else.
    pub fn client(&self, node: &NodeId) -> Result<Client, FederationError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(node) {
            return Ok(client.clone());
        }
        let tls = tls::client(&self.certificate, &self.membership, node)?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_MAX)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| FederationError::Certificate { reason: error.to_string() })?;
        clients.insert(node.clone(), client.clone());
        Ok(client)
    }

    /// The next call to that node goes over a new connection. Those there are may be dead without a word: each would take a
    /// whole deadline before that is known.
    pub fn renew(&self, node: &NodeId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }

    /// Connections are made anew, with what the node's certificate is now.
    pub fn forget(&self) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Send a forwarded call and read what comes back.
pub(super) async fn send_call(
    client: &Client,
    endpoint: &Url,
    (operation, token, body): (Operation, &str, &[u8]),
    budget: Duration,
) -> Result<End, Failure> {
    let path = match operation {
        Operation::Verify => paths::VERIFICATIONS,
        Operation::Disclose => paths::DISCLOSURES,
    };
    let Ok(url) = endpoint.join(path) else { return Err(Failure::Unreachable) };
    let request = client
        .post(url)
        .timeout(budget)
        .bearer_auth(token)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_vec());
    let (status, bytes) = fetch(request, ANSWER_BYTES_MAX).await?;
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&bytes) else { return Err(Failure::Unreachable) };
    if status == 200 {
        let Some(Value::String(receipt)) = members.remove("receipt") else { return Err(Failure::Unreachable) };
        return Ok(End::Answered(Answered { answer: Value::Object(members), receipt }));
    }
    let Some(code) = members.get("code").and_then(Value::as_str) else { return Err(Failure::Unreachable) };
    if PASSING.iter().any(|passing| passing.as_str() == code) {
        return Err(Failure::Busy);
    }
    let named = members.get("policies").and_then(Value::as_array).into_iter().flatten();
    let policies = named.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(End::Refused { code: code.to_owned(), policies })
}

/// Refusals that say nothing of the call, only of the moment.
const PASSING: [Code; 4] = [Code::Overloaded, Code::NotReady, Code::AuditUnavailable, Code::RequestTimeout];

/// Status and body, the body within bounds.
pub async fn fetch(request: RequestBuilder, bytes_max: usize) -> Result<(u16, Vec<u8>), Failure> {
    let failed = |error: reqwest::Error| match error.is_timeout() && !error.is_connect() {
        true => Failure::Late,
        false => Failure::Unreachable,
    };
    let mut response: Response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(Failure::Unreachable);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((status, bytes))
}
