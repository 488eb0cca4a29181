//! A client's system that is told: a real server, which checks what it gets by RFC 9421 and RFC 9530 written out by hand.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use shuqiao::keys::PublicKeys;
use tokio::{net::TcpListener, task::JoinHandle};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    method: Method,
    /// As the client's operator gave it to the node.
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no `{name}` in {:?}", self.headers)).to_str().unwrap()
    }

    /// The delivery's id, the same for every try.
    pub(super) fn delivery(&self) -> &str {
        self.header("shuqiao-delivery")
    }

    /// What is told, once the signature has been found good under the node's published keys.
    pub(super) fn verified(&self, keys: &PublicKeys) -> Value {
        assert!(self.holds(keys), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn holds(&self, keys: &PublicKeys) -> bool {
        let input = self.header("signature-input").strip_prefix("sig1=").unwrap();
        let (covered, parameters) = input.strip_prefix('(').unwrap().split_once(')').unwrap();
        let base: String = covered
            .split(' ')
            .map(|name| {
                let value = match name.trim_matches('"') {
                    "@method" => self.method.as_str(),
                    "@target-uri" => &self.target,
                    other => self.header(other),
                };
                format!("{name}: {value}\n")
            })
            .collect();
        let base = format!("{base}\"@signature-params\": {input}");
        for name in ["@method", "@target-uri", "content-digest", "content-type", "shuqiao-delivery"] {
            assert!(covered.contains(&format!("\"{name}\"")), "`{name}` is not covered: {input}");
        }
        assert!(parameters.contains(";tag=\"shuqiao-recheck\"") && parameters.contains(";created="), "{input}");
        let kid = parameters.split_once(";keyid=\"").unwrap().1.split_once('"').unwrap().0;
        let signature = self.header("signature").strip_prefix("sig1=:").and_then(|text| text.strip_suffix(':'));
        let signature = BASE64.decode(signature.unwrap()).unwrap();
        let told = format!("sha-256=:{}:", BASE64.encode(digest(&SHA256, &self.body)));
        let key = keys.find(kid).unwrap_or_else(|| panic!("no key `{kid}`"));
        told == self.header("content-digest") && key.verify(base.as_bytes(), &signature)
    }

    /// The same with a change to it.
    pub(super) fn changed(&self, change: impl FnOnce(&mut String, &mut Vec<u8>, &mut HeaderMap)) -> Self {
        let (mut target, mut body, mut headers) = (self.target.clone(), self.body.to_vec(), self.headers.clone());
        change(&mut target, &mut body, &mut headers);
        Self { method: self.method.clone(), target, headers, body: body.into() }
    }
}

/// Answers 204 once it has no other status left to answer.
pub(super) struct Receiver {
    pub(super) url: String,
    desk: Arc<Desk>,
    serving: JoinHandle<()>,
}

struct Desk {
    origin: String,
    heard: Mutex<Vec<Heard>>,
    statuses: Mutex<VecDeque<StatusCode>>,
}

impl Receiver {
    pub(super) async fn answering(statuses: impl IntoIterator<Item = u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let statuses = statuses.into_iter().map(|status| StatusCode::from_u16(status).unwrap()).collect();
        let desk = Arc::new(Desk { origin, heard: Mutex::default(), statuses: Mutex::new(statuses) });
        let router = Router::new().fallback(hear).with_state(Arc::clone(&desk));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url: format!("{}/told?by=node", desk.origin), desk, serving }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.desk.heard.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn hear(State(desk): State<Arc<Desk>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let target = format!("{}{uri}", desk.origin);
    desk.heard.lock().unwrap().push(Heard { method, target, headers, body });
    let status = desk.statuses.lock().unwrap().pop_front().unwrap_or(StatusCode::NO_CONTENT);
    // Whoever followed a redirect would be heard again.
    (status, [(header::LOCATION, format!("{}/elsewhere", desk.origin))]).into_response()
}
